"""The rows of a reject workbook cost little, however many they are."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import openpyxl
import pytest
from openpyxl.worksheet._write_only import WriteOnlyWorksheet

from tui_importer.events import Fault, Reject
from tui_importer.rejects.workbook import write_reject_workbook


def test_only_the_header_is_written_by_openpyxl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    appended: list[object] = []
    real = WriteOnlyWorksheet.append

    def counted(sheet: WriteOnlyWorksheet, row: Iterable[object]) -> None:
        appended.append(sheet)
        real(sheet, row)

    monkeypatch.setattr(WriteOnlyWorksheet, "append", counted)
    path = tmp_path / "r.xlsx"
    fault = Fault(cell="S!A2", column="A", value=None, reason="why")
    rejects = (Reject(sheet="S", row=row, faults=(fault,), values=("<&>", "=1", None)) for row in range(2, 1_002))
    assert write_reject_workbook(path, ["A", "B", "C"], rejects, rows_per_sheet=600) == 1_000
    assert len(appended) == 2
    book = openpyxl.load_workbook(path)
    first, second = book.worksheets
    assert (first.max_row, first.auto_filter.ref) == (601, "A1:H601")
    assert (second.max_row, second.auto_filter.ref) == (401, "A1:H401")
    assert [cell.value for cell in second[401]][:4] == ["<&>", "=1", None, "1001"]
    assert [cell.quotePrefix for cell in second[401]][:2] == [False, True]
    assert {cell.data_type for cell in second[401] if cell.value} == {"s"}
    book.close()
