"""What xls files hold besides errors and dates: texts that go on in other records, and formulas of unknown value."""

from __future__ import annotations

import contextlib
import random
import struct
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.readers.binary_workbooks import MOST, Xls, Xlsb
from tests.readers.test_readers_agree import cells
from tests.support.examples import examples
from tui_importer import CellError, SourceError
from tui_importer.core.source.layout import Layout
from tui_importer.readers.biff import biff_cells
from tui_importer.readers.biff12 import biff12_cells
from tui_importer.readers.calamine import CalamineReader
from tui_importer.readers.hidden_cell import HiddenCell

WHOLE = Layout(header_row=0, first_row=1, last_row=None, first_column=0, headers=(None,) * 9)
#: Units of UTF-16 that the first record has room for behind the heads of the table and of its first text.
ROOM = (MOST - 8 - 3) // 2


def written(path: Path, strings: list[str]) -> Path:
    book = Xls(strings=strings)
    for row in range(len(strings)):
        book.text(row, 0, row)
    return book.write(path)


@pytest.mark.parametrize("before", range(ROOM - 3, ROOM + 2))
def test_emoji_split_by_a_continue_record_is_read(tmp_path: Path, before: int) -> None:
    strings = ["a" * before + "😀 end", "next", "😀"]
    assert list(cells(CalamineReader(), written(tmp_path / "w.xls", strings), "S").values()) == strings


@settings(max_examples=examples(30), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10_000))
def test_texts_spanning_many_records_are_read(tmp_path: Path, seed: int) -> None:
    chosen = random.Random(seed)
    strings = ["".join(chosen.choices("aé日😀", k=chosen.choice([1, 50, 5_000]))) for _ in range(chosen.randint(1, 12))]
    assert list(cells(CalamineReader(), written(tmp_path / "w.xls", strings), "S").values()) == strings


def test_formula_text_continued_in_another_record_is_read(tmp_path: Path) -> None:
    text = "x" * (MOST - 3) + "y" * 500
    book = Xls()
    book.formula(0, 0, bytes([0, 0, 0, 0, 0, 0, 0xFF, 0xFF]))
    book.record(0x0207, struct.pack("<HB", len(text), 0) + text[: MOST - 3].encode())
    book.record(0x003C, b"\0" + text[MOST - 3 :].encode())
    assert cells(CalamineReader(), book.write(tmp_path / "w.xls"), "S") == {(1, 0): text}


def test_possibly_uncalculated_formulas_are_noted(tmp_path: Path) -> None:
    """xls marks them only by an empty text as the result, or 0 with "calculate when opened"."""
    book = Xls()
    book.formula(0, 0, struct.pack("<d", 1))
    book.formula(1, 0, bytes([3, 0, 0, 0, 0, 0, 0xFF, 0xFF]))
    book.formula(2, 0, struct.pack("<d", 0), flags=3)
    book.formula(3, 0, struct.pack("<d", 0))
    book.formula(4, 0, struct.pack("<d", 5), flags=3)
    with CalamineReader().open(book.write(tmp_path / "w.xls")) as workbook:
        (note,) = workbook.sheet("S").notes(WHOLE)
    assert note.startswith("column A: 2 formulas may never have been calculated, which this format does not tell")
    assert "S!A2" in note


def test_uncalculated_formulas_are_noted_in_xlsb(tmp_path: Path) -> None:
    book = Xlsb()
    tokens = struct.pack("<I", 3) + b"\x1e\x01\x00" + bytes(4)
    for row, (kind, value) in enumerate(
        [
            (8, struct.pack("<IH", 0, 0)),
            (8, struct.pack("<I", 1) + "a".encode("utf-16-le") + bytes(2)),
            (9, struct.pack("<dH", 0, 2)),
            (9, struct.pack("<dH", 0, 0)),
            (9, struct.pack("<dH", 5, 2)),
        ]
    ):
        book.cell(kind, row, 0, value + tokens)
    found = biff12_cells(book.write(tmp_path / "w.xlsb"), "S", 0)
    assert (found.cells, list(found.unsure)) == ({}, [(1, 0), (3, 0)])


def test_cells_of_an_embedded_chart_are_ignored(tmp_path: Path) -> None:
    book = Xls()
    book.number(0, 0, 1)
    book.record(0x0809, struct.pack("<HHHHII", 0x0600, 0x0020, 0, 0, 0, 0))
    book.error(0, 0, 0x2A)
    book.record(0x000A, b"")
    book.error(1, 0, 0x07)
    assert biff_cells(book.write(tmp_path / "w.xls"), "S", 0).cells == {2: [HiddenCell(2, 0, CellError("#DIV/0!"))]}


def test_every_cell_is_found_at_any_position(tmp_path: Path) -> None:
    """Among records skipped in one step and records of unknown kinds and lengths."""
    chosen = random.Random(1)
    xls, xlsb = Xls(["yyyy-mm-dd"], strings=["text"]), Xlsb(["yyyy-mm-dd"])
    expected: dict[tuple[int, int], str] = {}
    for row in range(400):
        for column in range(6):
            match chosen.randrange(6):
                case 0:
                    xls.text(row, column, 0)
                    xlsb.text(row, column, "text" * chosen.randrange(50))
                case 1:
                    xls.number(row, column, 45352.5, 1)
                    xlsb.number(row, column, 45352.5, 1)
                case 2:
                    xls.number(row, column, -7.25)
                    xlsb.number(row, column, -7.25)
                case 3:
                    xls.record(0x0123, chosen.randbytes(chosen.randrange(300)))
                    xlsb.cell(1, row, column, b"")
                case 4:
                    xls.formula(row, column, struct.pack("<d", 3))
                    xlsb.formula_number(row, column, 3)
                case _:
                    xls.error(row, column, 0x2A)
                    xlsb.error(row, column, 0x2A)
                    expected[row + 1, column] = "#N/A"
    for found in (
        biff_cells(xls.write(tmp_path / "w.xls"), "S", 0),
        biff12_cells(xlsb.write(tmp_path / "w.xlsb"), "S", 0),
    ):
        assert {(cell.row, cell.column): str(cell.value) for row in found.cells.values() for cell in row} == expected


@pytest.mark.parametrize("suffix", [".xls", ".xlsb"])
def test_damaged_file_is_refused_or_read_without_delay(tmp_path: Path, suffix: str) -> None:
    chosen = random.Random(2)
    book, binary = Xls(["yyyy-mm-dd"], strings=["a" * (ROOM - 1) + "😀"]), Xlsb(["yyyy-mm-dd"])
    for row in range(50):
        book.text(row, 0, 0)
        book.error(row, 1, 7)
        binary.error(row, 1, 7)
        binary.number(row, 2, -5, 1)
    whole = (book.write(tmp_path / "w.xls") if suffix == ".xls" else binary.write(tmp_path / "w.xlsb")).read_bytes()
    path = tmp_path / f"damaged{suffix}"
    search = biff_cells if suffix == ".xls" else biff12_cells
    for _ in range(300):
        damaged = bytearray(whole[: chosen.choice([len(whole), chosen.randrange(len(whole))])])
        for _ in range(chosen.randrange(20)):
            if damaged:
                damaged[chosen.randrange(len(damaged))] = chosen.randrange(256)
        path.write_bytes(damaged)
        with contextlib.suppress(SourceError):
            search(path, "S", 0)
