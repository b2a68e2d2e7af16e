from __future__ import annotations

from pathlib import Path

import openpyxl

from tui_importer import Plan, Source, inspect_source
from tui_importer.core.model.preview import PREVIEW_COLUMNS, PREVIEW_ROWS, PREVIEW_TEXT, Preview
from tui_importer.readers.peek import peek


def test_both_previews_of_a_workbook_have_the_same_limits(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.create_sheet("large", 0)
    for _ in range(PREVIEW_ROWS + 5):
        sheet.append(["x" * (PREVIEW_TEXT + 5)] * (PREVIEW_COLUMNS + 5))
    book.save(tmp_path / "large.xlsx")
    source = Source(file=str(tmp_path / "large.xlsx"))
    by_reader: list[Preview] = []
    inspect_source(Plan(source=source), on_preview=by_reader.append)
    assert by_reader == [peek(source)]
    [preview] = by_reader
    assert (len(preview.rows), len(preview.rows[0]), len(preview.rows[0][0])) == (40, 100, 200)
