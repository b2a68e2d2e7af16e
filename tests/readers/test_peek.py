"""The first rows of a workbook, before the whole of it is parsed: they are those that the reader gives later."""

from __future__ import annotations

import datetime as dt
import shutil
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import openpyxl
import pytest
import xlsxwriter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl.cell.rich_text import CellRichText, TextBlock
from openpyxl.cell.text import InlineFont

from tests.readers.test_hidden_cells import MAIN, package
from tests.support.examples import examples
from tests.support.make_sample import SAMPLE_PATH
from tui_importer import Plan, Source
from tui_importer.core.model.preview import PREVIEW_COLUMNS, PREVIEW_ROWS, PREVIEW_TEXT, Preview
from tui_importer.inspection import inspect_source
from tui_importer.readers import peek as module
from tui_importer.readers.package import Package
from tui_importer.readers.peek import peek


class EnoughRead(Exception):  # nothing is wrong: the rest is not wanted
    pass


def preview_of_reader(source: Source) -> Preview:
    """What the reader gives."""
    found: list[Preview] = []

    def stop(preview: Preview) -> None:
        found.append(preview)
        raise EnoughRead

    with pytest.raises(EnoughRead):
        inspect_source(Plan(source=source), on_preview=stop)
    return found[0]


def filled(first_row: int, first_column: int, rows: tuple[tuple[str, ...], ...]) -> dict[tuple[int, int], str]:
    """The cells with anything in them, by row and column."""
    return {
        (first_row + down, first_column + across): text
        for down, row in enumerate(rows)
        for across, text in enumerate(row)
        if text
    }


def check_peek(path: Path, sheet: str | int | None = None) -> Preview:
    """The peek, which shows the same cells as the reader as far as both go."""
    source = Source(file=str(path), sheet=sheet)
    peeked, read = peek(source), preview_of_reader(source)
    assert peeked is not None
    assert (peeked.sheets, peeked.sheet) == (read.sheets, read.sheet)
    early = filled(peeked.first_row, 0, peeked.rows)
    late = filled(read.first_row, read.first_column, read.rows)
    last = min(peeked.first_row + len(peeked.rows), read.first_row + len(read.rows))
    assert {place: text for place, text in early.items() if place[0] < last} == {
        (row, column): text for (row, column), text in late.items() if row < last and column < PREVIEW_COLUMNS
    }
    return peeked


def test_peek_of_the_sample_matches_the_reader() -> None:
    peeked = check_peek(SAMPLE_PATH)
    assert len(peeked.rows) == PREVIEW_ROWS
    assert peeked.rows[0][0] == "Name"
    assert peeked.first_row == 1


CELLS: list[list[Any]] = [
    ["text", "  edges  ", "two\nlines", "<&>\"'", "é漢😀", "_x0041_"],
    [1, 2.5, -3, 0.1, 123456789012, 1e-3],
    [True, False, None, "TRUE", "", "1"],
    ["x" * 500, "=no formula", "007", None, None, "end"],
    [None] * 6,
    [None, None, "after a blank row"],
]


def with_xlsxwriter(path: Path, **options: Any) -> Path:
    with xlsxwriter.Workbook(path, {"strings_to_formulas": False, **options}) as book:
        sheet = book.add_worksheet("One")
        for row, cells in enumerate(CELLS):
            for column, cell in enumerate(cells):
                if cell is not None:
                    sheet.write(row, column, cell)
        bold = book.add_format({"bold": True})
        sheet.write_rich_string(7, 1, "plain ", bold, "bold", " and ", bold, "more")
        sheet.write_formula(8, 0, "=1+1", None, 2)
        sheet.write_formula(8, 1, '="a"&"b"', None, "ab")
        book.add_worksheet("Two").write(3, 4, "alone")
    return path


def with_openpyxl(path: Path) -> Path:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for cells in CELLS:
        sheet.append(cells)
    sheet["B2"].number_format = "0.00"
    for cell in sheet[4]:
        cell.data_type = "s" if cell.data_type == "f" else cell.data_type
    sheet["B9"] = CellRichText("plain ", TextBlock(InlineFont(b=True), "bold"), " tail")
    book.create_sheet("Two")["E4"] = "alone"
    book.save(path)
    return path


MAKERS: dict[str, Callable[[Path], Path]] = {
    "xlsxwriter": with_xlsxwriter,
    "xlsxwriter, inline strings": lambda path: with_xlsxwriter(path, constant_memory=True),
    "openpyxl": with_openpyxl,
}


@pytest.mark.parametrize("maker", MAKERS)
def test_peek_of_workbooks_of_several_programs_matches_the_reader(tmp_path: Path, maker: str) -> None:
    path = MAKERS[maker](tmp_path / "book.xlsx")
    assert len(check_peek(path).rows[3][0]) == PREVIEW_TEXT
    assert check_peek(path, "two") == check_peek(path, 2)
    assert check_peek(path, "Two").first_row == 4


def test_peek_of_sparse_cells_matches_the_reader(tmp_path: Path) -> None:
    path = tmp_path / "sparse.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        for row in (4, 5, 9, 30, 60, 5_000):
            sheet.write(row, 3, f"row {row + 1}")
        sheet.write(4, PREVIEW_COLUMNS + 50, "far right")
    peeked = check_peek(path)
    assert peeked.first_row == 5
    assert len(peeked.rows) == PREVIEW_ROWS
    assert {len(row) for row in peeked.rows} == {PREVIEW_COLUMNS}


def test_peek_shows_the_sheet_that_would_be_imported(tmp_path: Path) -> None:
    """Neither a hidden sheet nor a chart sheet."""
    path = tmp_path / "hidden.xlsx"
    with xlsxwriter.Workbook(path) as book:
        chart = book.add_chartsheet("Chart")
        hidden, very, shown = (book.add_worksheet(name) for name in ("Hidden", "Very", "7"))
        for sheet in (hidden, very, shown):
            sheet.write(0, 0, sheet.get_name())
        shown.activate()
        hidden.hide()
        very.very_hidden()
        line = book.add_chart({"type": "line"})
        line.add_series({"values": "=Hidden!$A$1"})
        chart.set_chart(line)
    assert check_peek(path).rows == (("7",),)
    assert check_peek(path, 7).rows == (("7",),), "a sheet may be called like a number"
    assert check_peek(path, 1).rows == check_peek(path, "HIDDEN").rows == (("Hidden",),)
    assert peek(Source(file=str(path), sheet="Chart")) is None


SHEETS: dict[str, tuple[str, tuple[tuple[str, ...], ...]]] = {
    "no references": ("<row><c><v>1</v></c><c><v>2</v></c></row><row><c><v>3</v></c></row>", (("1", "2"), ("3", ""))),
    "inline text with how it is pronounced": (
        '<row r="1"><c r="A1" t="inlineStr"><is><r><t>東</t></r><r><t>京</t></r>'
        '<rPh sb="0" eb="2"><t>トウキョウ</t></rPh><phoneticPr fontId="1"/></is></c></row>',
        (("東京",),),
    ),
    "prefixes": ('<x:row r="1"><x:c r="A1"><x:v>1</x:v></x:c></x:row>', (("1",),)),
    "formulas": ('<row r="1"><c r="A1" t="str"><f>"a"</f><v>a</v></c><c r="B1"><f>1</f></c></row>', (("a",),)),
    "errors": ('<row r="1"><c r="A1" t="e"><v>#N/A</v></c></row>', (("#N/A",),)),
    "truths": ('<row r="1"><c r="A1" t="b"><v>1</v></c><c r="B1" t="b"><v>0</v></c></row>', (("TRUE", "FALSE"),)),
    "escapes": (
        '<row r="1"><c r="A1" t="inlineStr"><is><t>a_x000D_b_x00e9_</t></is></c>'
        '<c r="B1" t="inlineStr"><is><t>_xD800_x_y_x41_</t></is></c></row>',
        (("a\rbé", "_xD800_x_y_x41_"),),
    ),
    "small letters": ('<row r="1"><c r="b1"><v>1</v></c></row>', (("", "1"),)),
}


def sheet_xml(rows: str) -> bytes:
    return (f'<worksheet xmlns="{MAIN}" xmlns:x="{MAIN}"><sheetData>{rows}</sheetData></worksheet>').encode()


@pytest.mark.parametrize("what", SHEETS)
def test_peek_reads_every_valid_cell_form(tmp_path: Path, what: str) -> None:
    rows, shown = SHEETS[what]
    peeked = peek(Source(file=str(package(tmp_path / "x.xlsx", sheet_xml(rows))), sheet="S"))
    assert peeked is not None
    assert peeked.rows == shown


def shared(path: Path, strings: str, cells: str) -> Path:
    """A workbook with these shared strings."""
    package(path, sheet_xml(cells))
    other = path.with_suffix(".new")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(other, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            data = old.read(name)
            if name == "xl/_rels/workbook.xml.rels":
                type_ = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/sharedStrings"
                one = f'<Relationship Id="rId9" Type="{type_}" Target="sharedStrings.xml"/></Relationships>'
                data = data.replace(b"</Relationships>", one.encode())
            new.writestr(name, data)
        new.writestr("xl/sharedStrings.xml", f'<sst xmlns="{MAIN}">{strings}</sst>')
    other.replace(path)
    return path


def test_shared_strings_exclude_phonetic_runs(tmp_path: Path) -> None:
    path = shared(
        tmp_path / "x.xlsx",
        '<si><t>one</t></si><si><r><t>東</t></r><r><t xml:space="preserve"> 京</t></r>'
        '<rPh sb="0" eb="1"><t>トウ</t></rPh></si><si/>',
        '<row r="1"><c r="A1" t="s"><v>1</v></c><c r="B1" t="s"><v>0</v></c><c r="C1" t="s"><v>2</v></c>'
        '<c r="D1" t="s"><v>7</v></c></row>',
    )
    peeked = peek(Source(file=str(path), sheet="S"))
    assert peeked is not None
    assert peeked.rows == (("東 京", "one", "", ""),)


PLAIN = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Cn")), max_size=9)


@settings(max_examples=examples(25), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.lists(st.none() | PLAIN | st.integers(-999, 999), max_size=6), max_size=50))
def test_peek_of_random_rows_matches_the_reader(tmp_path: Path, rows: list[list[str | int | None]]) -> None:
    path = tmp_path / "any.xlsx"
    with xlsxwriter.Workbook(path, {"strings_to_formulas": False, "strings_to_urls": False}) as book:
        sheet = book.add_worksheet()
        sheet.write(0, 0, "header")
        for number, row in enumerate(rows, start=1):
            for column, cell in enumerate(row):
                if cell is not None and cell != "":
                    sheet.write(number, column, cell)
    check_peek(path)


def test_peek_shows_dates_as_numbers(tmp_path: Path) -> None:
    path = tmp_path / "dates.xlsx"
    book = openpyxl.Workbook()
    assert book.active is not None
    book.active["A1"] = dt.datetime(2026, 11, 24)
    book.save(path)
    peeked = peek(Source(file=str(path)))
    assert peeked is not None
    assert peeked.rows == (("46350",),)


# What is not plain enough.


@pytest.fixture
def good(tmp_path: Path) -> Path:
    return with_openpyxl(tmp_path / "good.xlsx")


def is_not_peeked(path: Path, sheet: str | int | None = None) -> bool:
    return peek(Source(file=str(path), sheet=sheet)) is None


def test_peek_of_an_invalid_workbook_is_none(tmp_path: Path, good: Path) -> None:
    assert is_not_peeked(tmp_path / "missing.xlsx")
    assert is_not_peeked(tmp_path)
    for name, data in {
        "empty": b"",
        "text": b"n,word\n1,a\n",
        "encrypted": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(4_096),
        "cut": good.read_bytes()[:-300],
        "half": good.read_bytes()[:2_000],
        "zip alone": b"PK\x03\x04",
    }.items():
        (tmp_path / name).write_bytes(data)
        assert is_not_peeked(tmp_path / name), name
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("readme.txt", "no workbook")
    assert is_not_peeked(tmp_path / "other.zip")
    assert is_not_peeked(good, "Three")
    assert is_not_peeked(good, 3)


@pytest.mark.parametrize("seed", range(40))
def test_peek_of_a_damaged_workbook_is_none_or_rows(tmp_path: Path, good: Path, seed: int) -> None:
    """One byte of the archive is changed; the result must be None or rows, never an exception."""
    data = bytearray(good.read_bytes())
    data[len(data) * seed // 40] ^= 0xFF
    path = tmp_path / "damaged.xlsx"
    path.write_bytes(data)
    assert isinstance(peek(Source(file=str(path))), Preview | None)


HOSTILE = {
    "no rows": "",
    "blank cells": '<row r="1"><c r="A1"/></row>',
    "a row beyond all": f'<row r="{10**30}"><c r="A1"><v>1</v></c></row>',
    "a row before the first": '<row r="-1"><c r="A1"><v>1</v></c></row>',
    "a row of no number": '<row r="x"><c r="A1"><v>1</v></c></row>',
    "a text of no number": '<row r="1"><c r="A1" t="s"><v>x</v></c></row>',
    "a text before the first": '<row r="1"><c r="A1" t="s"><v>-1</v></c></row>',
    "no XML": "<row><c></row>",
    "an entity": "<row><c><v>&lol;</v></c></row>",
}


@pytest.mark.parametrize("what", HOSTILE)
def test_peek_of_a_hostile_sheet_is_none_or_empty(tmp_path: Path, what: str) -> None:
    path = shared(tmp_path / "x.xlsx", "<si><t>one</t></si>", HOSTILE[what])
    peeked = peek(Source(file=str(path), sheet="S"))
    assert peeked is None or (peeked.first_row, peeked.rows) == (1, (("",),))


def test_entity_bomb_is_not_expanded(tmp_path: Path) -> None:
    bomb = b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>' + sheet_xml("<row><c><v>&b;</v></c></row>")
    assert is_not_peeked(package(tmp_path / "x.xlsx", bomb), "S")


# How much is read.


@pytest.fixture
def pieces(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Bytes of XML that were taken of each part."""
    taken: dict[str, int] = {}
    real = Package.pieces

    def counted(self: Package, part: str, size: int = 1 << 20) -> Iterator[bytes]:
        for piece in real(self, part, size):
            taken[part] = taken.get(part, 0) + len(piece)
            yield piece

    monkeypatch.setattr(Package, "pieces", counted)
    return taken


SHEET, STRINGS = "xl/worksheets/sheet1.xml", "xl/sharedStrings.xml"


def test_peek_reads_only_the_beginning_of_a_large_sheet(tmp_path: Path, pieces: dict[str, int]) -> None:
    strings = "".join(f"<si><t>text {number}</t></si>" for number in range(200_000))
    rows = "".join(
        f'<row r="{n}"><c r="A{n}" t="s"><v>{n}</v></c><c r="B{n}"><v>{n}</v></c></row>' for n in range(1, 200_000)
    )
    path = shared(tmp_path / "large.xlsx", strings, rows)
    assert len(rows) > 10_000_000
    peeked = peek(Source(file=str(path), sheet="S"))
    assert peeked is not None
    assert peeked.rows == tuple((f"text {n}", str(n)) for n in range(1, PREVIEW_ROWS + 1))
    assert pieces[SHEET] <= 2 * module._PIECE
    assert pieces[STRINGS] <= 2 * module._PIECE


@pytest.mark.parametrize("where", ["before the rows", "in a cell", "a text far down"])
def test_peek_reads_a_bounded_number_of_bytes(
    tmp_path: Path, pieces: dict[str, int], monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    monkeypatch.setattr(module, "_MAX_BYTES", 1 << 20)
    endless = " " * (8 << 20)
    rows = {
        "before the rows": endless + '<row r="1"><c r="A1"><v>1</v></c></row>',
        "in a cell": f'<row r="1"><c r="A1"><v>1</v></c><c r="B1" t="str"><v>{endless}</v></c></row>',
        "a text far down": '<row r="1"><c r="A1"><v>1</v></c><c r="B1" t="s"><v>900000</v></c></row>',
    }[where]
    strings = "<si><t>one</t></si>" * (400_000 if where == "a text far down" else 1)
    path = shared(tmp_path / "x.xlsx", strings, rows)
    peeked = peek(Source(file=str(path), sheet="S"))
    shown = {"before the rows": None, "in a cell": (("1",),), "a text far down": (("1", ""),)}[where]
    assert (peeked.rows if peeked else None) == shown
    assert max(pieces.get(SHEET, 0), pieces.get(STRINGS, 0)) <= (1 << 20) + 2 * module._PIECE


def test_peek_ignores_the_file_suffix(tmp_path: Path, good: Path) -> None:
    shutil.copy(good, tmp_path / "good.download")
    assert peek(Source(file=str(tmp_path / "good.download"))) is not None
