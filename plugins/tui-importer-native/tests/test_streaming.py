"""Large sheets: their rows are used before all of them are read, whatever comes at the end."""

from __future__ import annotations

import datetime as dt
import os
import sqlite3
import stat
import sys
from contextlib import closing
from pathlib import Path

import pytest
from test_reader import write_xlsx
from tui_importer_native.reader import Limits, NativeReader
from workbooks import STREAMED, check_same, contents, parts, sheet_xml, strings_xml, without_hints, write

from tui_importer import CalamineReader, Column, Options, Plan, ReaderSpec, Run, Source, SourceError, Target
from tui_importer.testing import WORKBOOK_KINDS, check_reader

#: Enough rows for several pieces of XML.
ROWS = 8000
TEXTS = 900


def row_xml(number: int) -> str:
    """A row with a shared string, a number and a text of its own, in columns B to D."""
    return (
        f'<row r="{number}"><c r="B{number}" t="s"><v>{number * number % TEXTS}</v></c>'
        f'<c r="C{number}"><v>{number / 8}</v></c><c r="D{number}" t="str"><v>text {number}</v></c></row>'
    )


def large(path: Path, *, last: str = "", tail: str = "", rows: int = ROWS) -> Path:
    """A large sheet; ``last`` are rows after the usual ones, and ``tail`` follows all of them."""
    xml = "".join(map(row_xml, range(1, rows + 1))) + last
    strings = strings_xml(*(f"<si><t>string {number % 7} {'é' * (number % 50)}</t></si>" for number in range(TEXTS)))
    return write(path, parts(sheet_xml(xml, head='<dimension ref="B1:D8000"/>', tail=tail), strings=strings))


@pytest.mark.parametrize("kept", [0, 10_000, 100_000, None])
def test_it_does_not_matter_how_much_is_kept(kept: int | None, tmp_path: Path) -> None:
    path = large(tmp_path / "w.xlsx")
    wanted = without_hints(contents(CalamineReader(), path))
    reader = NativeReader(Limits(small=0, cells=kept, strings=kept))
    for rows in (100, 255, 5000):
        assert without_hints(contents(reader, path, rows)) == wanted
    with reader.open(path) as workbook:
        sheet = workbook.sheet("Data")
        assert sheet.row_hint == ROWS
        # Readings that are not finished, and several at the same time.
        begun = [next(sheet.blocks(rows)) for rows in (7, 700, 7000)]
        assert [len(block) for block in begun] == [7, 700, 7000]
        pairs = list(zip(sheet.blocks(300), sheet.blocks(300), strict=True))
        assert all(cells(one.columns) == cells(other.columns) for one, other in pairs)
        assert sum(len(block) for block, _ in pairs) == ROWS


def cells(columns: tuple[Column, ...]) -> list[list[object]]:
    return [list(column.values()) for column in columns]


@pytest.mark.parametrize("kept", [0, None])
def test_the_built_in_reader_goes_on_after_the_rows_that_were_used(kept: int | None, tmp_path: Path) -> None:
    """Whatever is unusual, and wherever the blocks were cut."""
    number = ROWS + 1
    for last, tail in (
        (f'<row r="{number}"><!-- odd --><c r="B{number}"><v>2</v></c></row>' + row_xml(number + 1), ""),
        (f'<row r="{number}"><c r="A{number}" t="e" vm="1"><v>#VALUE!</v></c></row>', ""),
        ("", '<mergeCells><mergeCell ref="nonsense"/></mergeCells>'),
    ):
        path = large(tmp_path / "w.xlsx", last=last, tail=tail)
        check_same(path, native=None)
        found = contents(NativeReader(Limits(small=0, cells=kept)), path, 1000 if kept is None else 999)
        assert without_hints(found) == without_hints(contents(CalamineReader(), path))


def test_rows_that_the_end_of_the_sheet_changes_are_never_passed_over(tmp_path: Path) -> None:
    path = large(tmp_path / "w.xlsx", last='<row r="1"><c r="C1"><v>99</v></c></row>')
    wanted = contents(CalamineReader(), path)
    assert isinstance(wanted, dict)
    assert contents(NativeReader(), path) == wanted
    error = contents(NativeReader(STREAMED), path)
    assert isinstance(error, str)
    assert "sheet 'Data' is damaged: its end says something else of the first" in error


def test_the_first_rows_are_there_before_the_end_is_read(tmp_path: Path) -> None:
    path = large(tmp_path / "w.xlsx", last="<row")
    with pytest.raises(SourceError):
        CalamineReader().open(path).sheet("Data")
    with NativeReader(STREAMED).open(path) as workbook:
        blocks = workbook.sheet("Data").blocks(500)
        first = next(blocks)
        assert first.columns[3].values()[:2] == ["text 1", "text 2"]
        with pytest.raises(SourceError):
            list(blocks)


class StreamedReader(NativeReader):
    """The reader as it reads sheets that are much too large for memory."""

    def __init__(self) -> None:
        super().__init__(STREAMED)


def test_it_keeps_the_contract_with_sheets_of_any_size(tmp_path: Path) -> None:
    spec = ReaderSpec("streamed", "", f"{__name__}:StreamedReader", extensions=(".xlsx",))
    check_reader(spec, write_xlsx, tmp_path, kinds=[*WORKBOOK_KINDS, dt.time, dt.timedelta])


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="only Linux lists open files")
def test_texts_that_are_not_kept_are_in_a_private_file_without_a_name(tmp_path: Path) -> None:
    def files() -> dict[int, os.stat_result]:
        """The open files without a name."""
        found = {}
        for descriptor in os.listdir("/proc/self/fd"):
            try:
                status = os.fstat(int(descriptor))
            except OSError:
                continue  # that of the listing
            if stat.S_ISREG(status.st_mode) and status.st_nlink == 0:
                found[status.st_ino] = status
        return found

    path = large(tmp_path / "w.xlsx")
    before = files()
    with NativeReader(Limits(strings=1000)).open(path) as workbook:
        sheet = workbook.sheet("Data")
        [made] = [status for inode, status in files().items() if inode not in before]
        assert stat.S_IMODE(made.st_mode) == 0o600
        assert made.st_uid == os.getuid()
        assert made.st_size > 10_000
        del sheet
    del workbook
    assert files().keys() == before.keys()


def test_an_import_of_a_sheet_that_is_unusual_far_down(tmp_path: Path) -> None:
    """Rows and notes are the same as without the reader, though the first rows are in before it is known."""
    rows = 140_000  # more than is read at once
    path = large(
        tmp_path / "w.xlsx",
        rows=rows,
        last=f'<row r="{rows + 1}"><c r="D{rows + 1}" t="e" vm="1"><v>#VALUE!</v></c></row>',
    )
    results = []
    for reader in ("calamine", "native"):
        database = tmp_path / f"{reader}.db"
        with closing(sqlite3.connect(database)) as connection:
            connection.execute("CREATE TABLE things (b text, c float, d text)")
        plan = Plan(
            source=Source(file=str(path), reader=reader, header_row=0),
            target=Target(database=str(database), table="things"),
            options=Options(rename={"column_b": "b", "column_c": "c", "column_d": "d"}),
        )
        report = Run(plan).execute()
        with closing(sqlite3.connect(database)) as connection:
            found = connection.execute("SELECT b, c, d FROM things ORDER BY c, d").fetchall()
        results.append(
            (report.exit_code, report.stats.inserted, report.rejects, sorted(report.notes), hash(tuple(found)))
        )
    assert results[0] == results[1]
    assert results[0][1] >= rows
    assert any("picture" in note for note in results[0][3])


def test_reading_ahead_ends_with_the_sheet(tmp_path: Path) -> None:
    path = large(tmp_path / "w.xlsx")
    for _ in range(20):
        workbook = NativeReader(Limits(small=0)).open(path)
        sheet = workbook.sheet("Data")
        del sheet, workbook
    blocks = NativeReader(Limits(small=0)).open(path).sheet("Data").blocks(1000)
    assert sum(map(len, blocks)) == ROWS  # although nobody else has the sheet
    assert sys.getrefcount(blocks) < 4


def test_a_dimension_that_is_wrong_is_corrected_by_the_rows(tmp_path: Path) -> None:
    xml = "".join(map(row_xml, range(1, ROWS + 1)))
    strings = strings_xml(*(f"<si><t>{number}</t></si>" for number in range(TEXTS)))
    for declared, hint in (("B1:D5000", 5000), ("A1", None), ("A1:XFD1048576", None)):
        path = write(tmp_path / "w.xlsx", parts(sheet_xml(xml, head=f'<dimension ref="{declared}"/>'), strings=strings))
        with NativeReader(STREAMED).open(path) as workbook:
            sheet = workbook.sheet("Data")
            assert sheet.row_hint == hint
            assert sum(map(len, sheet.blocks(999))) == ROWS
            assert sheet.row_hint == ROWS
