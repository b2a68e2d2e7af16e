"""Errors are classified by their codes."""

from __future__ import annotations

import sqlite3

import pytest

from tui_importer.backends.sql import faults


@pytest.mark.parametrize(
    ("codes", "names"),
    [
        (faults.SQLITE_BUSY_CODES, {"BUSY", "LOCKED"}),
        (faults.SQLITE_TRANSIENT_CODES, {"BUSY", "LOCKED", "INTERRUPT", "IOERR", "FULL"}),
        (faults.SQLITE_DATA_CODES, {"TOOBIG", "CONSTRAINT", "MISMATCH"}),
    ],
)
def test_codes_of_sqlite_are_those_of_its_module(codes: frozenset[int], names: set[str]) -> None:
    assert codes == {getattr(sqlite3, f"SQLITE_{name}") for name in names}
