"""Records that are not well-formed: named by line, and none of their neighbours with them."""

from __future__ import annotations

import csv
import io
from typing import Never

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_importer.core.model.cells import EMPTY_TEXT, Cell, EmptyText, MalformedRecord
from tui_importer.readers.delimited import records as records_module
from tui_importer.readers.delimited.records import Dialect, Records


def read(text: str, width: int) -> list[tuple[str, ...] | str]:
    """The records; of malformed ones the reason."""
    found: list[tuple[str, ...] | str] = []
    for record in Records(iter(text.splitlines(keepends=True)), Dialect(",", width=width)):
        first = record[0] if record else None
        found.append(first.reason if isinstance(first, MalformedRecord) else tuple(map(str, record)))
    return found


def test_unclosed_quote_makes_only_its_line_malformed() -> None:
    assert read('id,note,n\n1,fine,10\n2,"Box 24,11\n3,also fine,12\n4,ok,13\n', 3) == [
        ("id", "note", "n"),
        ("1", "fine", "10"),
        "line 3: a quote is opened and never closed",
        ("3", "also fine", "12"),
        ("4", "ok", "13"),
    ]


def test_lines_of_an_unclosed_quoted_cell_are_malformed() -> None:
    assert (
        read('a,b,c\n1,"begins\nand goes, on\nwithout end', 3)[1:]
        == [
            "line 2: a quote is opened and never closed",
        ]
        * 3
    )


def test_quote_closed_in_a_later_row_makes_both_rows_malformed() -> None:
    assert read('id,name,n\n2,"Alice,Doe",30\n1,"John, Doe,25\n5,x,6\n3,"Bob",35\n4,"Jo",45\n', 3)[1:] == [
        ("2", "Alice,Doe", "30"),
        "lines 3 to 5: text follows the end of a quote that is opened in line 3",
        ("5", "x", "6"),
        "lines 3 to 5: text follows the end of a quote that is opened in line 3",
        ("4", "Jo", "45"),
    ]


def test_text_after_a_closing_quote_is_malformed() -> None:
    assert read('a,b\n"x"y,1\n"x" ,2\n', 2)[1:] == ["line 2: text follows a closing quote", ("x", "2")]


def test_line_numbers_count_line_breaks_in_cells() -> None:
    assert read('a,b\n"x\ny",1\n"p"q,2\n', 2)[1:] == [("x\ny", "1"), "line 4: text follows a closing quote"]


def test_malformed_records_are_found_in_every_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records_module, "_LINES", 3)
    lines = ['"a"b,1\n', "c,2\n", '"d\ne",3\n'] * 20
    found = read("".join(lines), 2)
    assert len(found) == 60
    assert found[1::3] == [("c", "2")] * 20
    assert found[2::3] == [("d\ne", "3")] * 20
    assert all(isinstance(record, str) for record in found[::3])


def test_record_over_the_length_limit_is_malformed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records_module, "_LINES", 2)
    monkeypatch.setattr(records_module, "MAX_RECORD_CHARACTERS", 50)
    found = read('a,b\n"x,1\n' + "c,2\n" * 100, 2)
    assert found[:2] == [("a", "b"), "line 2: a quote is opened and never closed"]
    assert found[2:] == [("c", "2")] * 100


CELLS = st.text(st.sampled_from('ab,;" \n'), max_size=6)


@given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=20), st.integers(1, 7))
def test_well_formed_records_round_trip(rows: list[tuple[str, str]], lines: int) -> None:
    file = io.StringIO()
    csv.writer(file, quoting=csv.QUOTE_ALL).writerows(rows)
    chunk, records_module._LINES = records_module._LINES, lines
    try:
        assert read(file.getvalue(), 2) == rows
    finally:
        records_module._LINES = chunk


@given(st.text(st.sampled_from('ab," \n'), max_size=60))
def test_no_line_is_lost_and_no_text_changes(text: str) -> None:
    """Any text: a record is split into its cells, or is malformed and keeps its line unchanged."""
    found = Records(iter(text.splitlines(keepends=True)), Dialect(",", width=2))
    cells = [
        str(cell)
        for record in found
        for cell in (record[:1] if any(isinstance(cell, MalformedRecord) for cell in record) else record)
    ]
    assert [char for cell in cells for char in cell if char in "ab"] == [char for char in text if char in "ab"]


@pytest.mark.parametrize(
    ("text", "cells"),
    [
        ('a,"",b\n', ["a", EMPTY_TEXT, "b"]),
        ('"",,""\n', [EMPTY_TEXT, "", EMPTY_TEXT]),
        ('"a,"",b",,\n', ['a,",b', "", ""]),
        ('"x\n"","",""y",""\n', ['x\n",","y', EMPTY_TEXT]),
        ('"""",""\n', ['"', EMPTY_TEXT]),
        ('a"",\n', ['a""', ""]),
    ],
)
def test_quoted_empty_text_differs_from_a_blank(text: str, cells: list[Cell]) -> None:
    (record,) = Records(iter(text.splitlines(keepends=True)), Dialect(",", width=len(cells)))
    assert [(type(cell), cell) for cell in record] == [(type(cell), cell) for cell in cells]


def test_empty_text_differs_from_a_blank_beside_a_malformed_line() -> None:
    text = '1,""\n2,"x"y\n3,""\n'
    records = list(Records(iter(text.splitlines(keepends=True)), Dialect(",", width=2)))
    assert [type(records[row][1]) for row in (0, 2)] == [EmptyText, EmptyText]


WRITTEN = st.none() | st.text(st.sampled_from('a",; \n'), max_size=5)


@given(rows=st.lists(st.lists(WRITTEN, min_size=2, max_size=4), min_size=1, max_size=6))
def test_quoted_records_round_trip(rows: list[list[str | None]]) -> None:
    lines = [
        ",".join("" if cell is None else f'"{cell.replace(chr(34), chr(34) * 2)}"' for cell in row) for row in rows
    ]
    text = "\n".join(lines) + "\n"
    records = list(Records(iter(text.splitlines(keepends=True)), Dialect(",", width=3)))
    expected = [["" if cell is None else cell or EMPTY_TEXT for cell in row] for row in rows]
    assert [[(type(cell), cell) for cell in record] for record in records] == [
        [(type(cell), cell) for cell in row] for row in expected
    ]


def test_quoted_line_breaks_and_quotes_are_read_by_csv_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    # Wherever the lines that are read at once end, within a cell or not: record by record takes three times as long.
    def refused(*_: object) -> Never:
        raise AssertionError("read record by record")

    monkeypatch.setattr(Records, "_carefully", refused)
    monkeypatch.setattr(Records, "_told_apart", refused)
    text = 'a,b\n"1\n\n""one""",\n' + '"2\n""two""\n","x ""y"", z"\n' * 3_000
    found = list(Records(iter(text.splitlines(keepends=True)), Dialect(delimiter=",", quote='"')))
    assert found == [["a", "b"], ['1\n\n"one"', ""], *[['2\n"two"\n', 'x "y", z']] * 3_000]
