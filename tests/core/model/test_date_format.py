"""Formats of dates have one spelling."""

from __future__ import annotations

import pytest

from tui_importer.core.model.date_format import parse_date_format
from tui_importer.errors import PlanError


@pytest.mark.parametrize(
    ("text", "format_"),
    [
        ("DD.MM.YYYY", "DD.MM.YYYY"),
        ("dd.mm.yyyy", "DD.MM.YYYY"),
        (" %d.%m.%Y ", "DD.MM.YYYY"),
        ("%d-%b-%y", "DD-MON-YY"),
        ("MM/DD/YYYY HH24:MI:SS", "MM/DD/YYYY"),
        ("yyyy/mm/dd hh:mm:ss", "YYYY/MM/DD"),
        ("%m/%d/%Y %I:%M %p", "MM/DD/YYYY"),
        ("MM/DD/YYYY hh:mm AM", "MM/DD/YYYY"),
        ("Mon DD, YYYY", "MON DD, YYYY"),
        ("D. MONTH YYYY", "D. MONTH YYYY"),
        ("YYYYMMDD", "YYYYMMDD"),
        ("DMY", "dmy"),
        ("ymd", "ymd"),
    ],
)
def test_date_formats_are_normalized(text: str, format_: str) -> None:
    assert parse_date_format(text) == format_
    assert parse_date_format(format_) == format_


@pytest.mark.parametrize("text", ["", "DD.MM", "DD.DD.YYYY", "day.month.year", "%d.%m.%Q", "HH:MM", "YYYY", "d/m/y/z"])
def test_invalid_date_formats_are_refused(text: str) -> None:
    with pytest.raises(PlanError, match=r"date_format must be like DD\.MM\.YYYY"):
        parse_date_format(text)
