"""All readers of xlsx hand over the same rows, so a run's result does not depend on the one that was used."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.examples import examples
from tests.support.make_sample import SAMPLE_PATH
from tests.support.once import once
from tests.support.readers import workbook_readers
from tui_importer import CellError, Reader, UncalculatedFormula

READERS = workbook_readers()


def cells(reader: Reader, path: Path, sheet: str, rows: int = 7) -> dict[tuple[int, int], Any]:
    """All cells that are not blank, by sheet row (from 1) and column (from 0)."""
    found = {}
    with reader.open(path) as workbook:
        expected = 1
        for block in workbook.sheet(sheet).blocks(rows):
            assert block.first_row == expected
            assert len(block) <= rows
            expected += len(block)
            for column, values in enumerate(block.columns, start=block.first_column):
                for offset, value in enumerate(values.values()):
                    if value is not None:
                        assert value != ""
                        found[block.first_row + offset, column] = value
    return found


def normalized(value: Any) -> Any:
    """A cell without what the readers' libraries are known to differ in: whole numbers are floats to one of them."""
    return float(value) if type(value) is int else value


def written(path: Path, grid: dict[tuple[int, int], Any]) -> Path:
    """A workbook with these cells (row from 1, column from 0), by a third library."""
    with xlsxwriter.Workbook(path) as book:
        day = book.add_format({"num_format": "yyyy-mm-dd"})
        moment = book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        clock = book.add_format({"num_format": "hh:mm:ss"})
        sheet = book.add_worksheet("Data")
        for (row, column), value in grid.items():
            place = (row - 1, column)
            match value:
                case bool():
                    sheet.write_boolean(*place, value)
                case dt.datetime():
                    sheet.write_datetime(*place, value, moment)
                case dt.date():
                    sheet.write_datetime(*place, value, day)
                case dt.time():
                    sheet.write_datetime(*place, value, clock)
                case str():
                    sheet.write_string(*place, value)
                case CellError():
                    sheet.write_formula(*place, "=1/0", None, value.code)
                case _:
                    sheet.write_number(*place, value)
    return path


TEXTS = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff"),
    min_size=1,
    max_size=12,
)
VALUES = st.one_of(
    TEXTS.filter(lambda text: text.strip() == text and "_x" not in text),
    st.sampled_from(["a_x", "_x_", "0042", "=1+1", "#N/A", "TRUE", "line\nbreak", "tab\there"]),
    st.integers(-(2**53), 2**53),
    st.floats(-1e300, 1e300).map(lambda number: float(f"{number:.15g}")),  # as many digits as spreadsheets keep
    st.booleans(),
    st.datetimes(dt.datetime(1900, 3, 1), dt.datetime(2199, 1, 1)).map(lambda moment: moment.replace(microsecond=0)),
    st.dates(dt.date(1900, 3, 1), dt.date(2199, 1, 1)),
    st.sampled_from([CellError("#N/A"), CellError("#DIV/0!"), CellError("#REF!")]),
)
GRIDS = st.dictionaries(st.tuples(st.integers(1, 30), st.integers(0, 6)), VALUES, min_size=1, max_size=40)


@settings(max_examples=examples(60), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(grid=GRIDS)
def test_all_readers_return_the_written_cells(tmp_path: Path, grid: dict[tuple[int, int], Any]) -> None:
    path = written(tmp_path / "w.xlsx", grid)
    expected = {place: normalized(value) for place, value in grid.items()}
    for place, value in expected.items():
        if type(value) is dt.datetime and value.time() == dt.time():
            expected[place] = value.date()  # midnights come as dates
    for name, reader in READERS.items():
        assert {place: normalized(value) for place, value in cells(reader, path, "Data").items()} == expected, name


def test_readers_differ_only_in_literal_escapes(tmp_path: Path) -> None:
    path = written(tmp_path / "w.xlsx", {(1, 0): "_x0041_"})
    for name, reader in READERS.items():
        decodes = name == "openpyxl"
        assert cells(reader, path, "Data") == {(1, 0): "A" if decodes else "_x0041_"}
        assert len(reader.limits(path)) == decodes
        assert len(reader.limits(SAMPLE_PATH)) == 0


@pytest.mark.parametrize("rows", [1, 999, *once(10_000)])
def test_all_readers_return_the_same_cells_of_the_sample(rows: int) -> None:
    first, *others = (cells(reader, SAMPLE_PATH, "Sheet1", rows) for reader in READERS.values())
    assert all(other == first for other in others)
    assert max(first)[0] == 10_001
    assert first[217, 2] == CellError("#N/A")
    assert isinstance(first[1501, 8], UncalculatedFormula)


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
def test_offset_sheet_keeps_its_row_and_column_numbers(tmp_path: Path, reader: Reader) -> None:
    path = written(tmp_path / "w.xlsx", {(12, 3): "head", (13, 3): 1, (40, 5): "last", (41, 2): CellError("#N/A")})
    assert cells(reader, path, "Data", 5) == {(12, 3): "head", (13, 3): 1, (40, 5): "last", (41, 2): CellError("#N/A")}


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
def test_hidden_sheets_are_marked_and_blank_sheets_have_no_rows(tmp_path: Path, reader: Reader) -> None:
    path = tmp_path / "w.xlsx"
    with xlsxwriter.Workbook(path) as book:
        book.add_worksheet("Blank")
        book.add_worksheet("Secret").hide()
    with reader.open(path) as workbook:
        assert [(sheet.name, sheet.hidden) for sheet in workbook.sheets] == [("Blank", False), ("Secret", True)]
        assert all(
            column.blanks == len(column) for block in workbook.sheet("Blank").blocks(9) for column in block.columns
        )
