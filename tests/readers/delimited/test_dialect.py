"""What the first lines of a text say about how it is written."""

from __future__ import annotations

from contextlib import nullcontext

import pytest

from tui_importer.core.model.text_format import TextFormat
from tui_importer.readers.delimited.dialect import are_escapes, find_dialect
from tui_importer.readers.delimited.records import Dialect, Records


def dialect(text: str, given: TextFormat = TextFormat(), *, tabs: bool = False) -> Dialect:  # noqa: B008  # frozen
    return find_dialect(text.splitlines(keepends=True), given, whole=True, tabs=tabs)


def cells(text: str, given: TextFormat = TextFormat()) -> list[tuple[str, ...]]:  # noqa: B008  # frozen
    records = Records(iter(text.splitlines(keepends=True)), dialect(text, given))
    return [tuple(map(str, record)) for record in records if record]


@pytest.mark.parametrize(
    ("text", "delimiter", "width"),
    [
        ("Artikel;Preis\nSchraube;1,50\nMutter;0,80\n", ";", 2),
        ("1,5;2,5\n3,5;4,5\n", ";", 2),
        ("a;b;c\n1;1.234,5;x\n2;2.000,1;y\n", ";", 3),
        ("id|name, first|n\n1|Doe, Jane|2\n2|Roe, Rick|3\n", "|", 3),
        ('"id":"name":"note"\n1:"N 0":"a, b: 0"\n2:"N 1":"a, b: 1"\n', ":", 3),
        ("id:name:qty\n1:Bolt:5\n2:Nut:7\n", ":", 3),
        ('"id" "full name"\n1 "Ana Maria"\n2 "Bo Derek"\n', " ", 2),
        ("Report 2024\n\nid,name\n1,Ana\n2,Bo\n", ",", 2),
        ("Report\nid,amount\n1,10\n2,20\n3,30\n", ",", 2),
        ("a,b\n1,2\n", ",", 2),
        ("a,b\n", ",", 2),
    ],
)
def test_delimiter_and_width_are_detected(text: str, delimiter: str, width: int) -> None:
    found = dialect(text)
    assert (found.delimiter, found.width) == (delimiter, width)


@pytest.mark.parametrize(
    "text",
    [
        "name\nDoe, Jane\nRoe, Rick\nPoe, Ed\n",
        "full name\nAna Maria\nBo Derek\n",
        "time\n10:30\n11:45\n",
        "hh:mm:ss\n10:30:15\n11:45:00\n",
        "address\n1 Main St; Springfield\n2 Oak Ave; Shelbyville\n",
        '"a, b"\n"c, d"\n',
        "name\n",
    ],
)
def test_single_column_is_not_split(text: str) -> None:
    lines = text.splitlines()
    assert cells(text) == [(line.strip('"'),) for line in lines]


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ('"mpg","cyl"\n"Mazda",21,6\n"Datsun",22.8,4\n', [("", "mpg", "cyl"), ("Mazda", "21", "6")]),
        ('"x"\n"1",5\n"2",6\n', [("", "x"), ("1", "5")]),
        ('"mpg" "cyl"\n"Mazda RX4" 21 6\n"Datsun" 22.8 4\n', [("", "mpg", "cyl"), ("Mazda RX4", "21", "6")]),
        ("a\tb\nx\t1\t2\ny\t3\t4\n", [("", "a", "b"), ("x", "1", "2")]),
    ],
)
def test_column_of_row_names_is_detected(text: str, rows: list[tuple[str, ...]]) -> None:
    assert cells(text)[:2] == rows


def test_trailing_delimiters_are_not_row_names() -> None:
    assert not dialect("a,b\n1,2,\n3,4,\n").row_names


@pytest.mark.parametrize(
    ("text", "row"),
    [
        ('id, name, city\n1, "Doe, Jane", Oslo\n2, "Roe, Rick", Bergen\n', ("1", "Doe, Jane", "Oslo")),
        ("id, price\n1, 2.50\n2, 3.75\n", ("1", "2.50")),
        ('id,name\n1,"Ana" \n2,"Bo"\n', ("1", "Ana")),
        ('id,name,n\n1 ,"Doe, J" ,2\n2,"Bo",3\n', ("1 ", "Doe, J", "2")),
    ],
)
def test_blanks_around_quoted_cells_are_stripped(text: str, row: tuple[str, ...]) -> None:
    assert cells(text)[1] == row


def test_blank_before_only_some_cells_is_kept() -> None:
    assert cells("a,b\n1, x\n2,y\n")[1] == ("1", " x")


@pytest.mark.parametrize(
    ("text", "row"),
    [
        ("'id';'name'\n'1';'O''Hara; Ed'\n", ("1", "O'Hara; Ed")),
        ("id;name\n1;'a; b'\n2;'c; d'\n", ("1", "a; b")),
        ("town;n\n's-Hertogenbosch;1\n't Zand;2\n", ("'s-Hertogenbosch", "1")),
        ("a;b\n'x';1\n'y';2\n", ("'x'", "1")),
        ("a;b\nrock'n'roll;1\nit's;2\n", ("rock'n'roll", "1")),
    ],
)
def test_apostrophes_are_quotes_only_where_consistent(text: str, row: tuple[str, ...]) -> None:
    assert cells(text)[1] == row


def test_separator_line_sets_the_delimiter_and_is_skipped() -> None:
    found = dialect("sep=|\na|b,c\n1|2,3\n")
    assert found.separator_line
    assert cells("sep=|\na|b,c\n1|2,3\n") == [("a", "b,c"), ("1", "2,3")]


def test_comment_lines_are_skipped() -> None:
    text = "# exported, today, by me\nid,n\n1,2\n# a note\n3,4\n"
    assert cells(text) == [("id", "n"), ("1", "2"), ("3", "4")]
    assert cells("#,name\n1,Ana\n2,Bo\n") == [("#", "name"), ("1", "Ana"), ("2", "Bo")]


def test_given_dialect_overrides_detection() -> None:
    assert cells("a,b\n1,2\n", TextFormat(delimiter=";")) == [("a,b",), ("1,2",)]
    assert cells('a,"b\n1,2\n', TextFormat(quote="none")) == [("a", '"b'), ("1", "2")]
    assert cells("a,%b,c%\n1,%2,3%\n", TextFormat(quote="%")) == [("a", "b,c"), ("1", "2,3")]


@pytest.mark.parametrize(
    ("text", "escapes"),
    [
        ('id,title\n1,"The \\"big\\" one"\n2,"c:\\\\dir"\n', True),
        ('id,folder\n1,"c:\\"\n2,"d:\\"\n', False),
        ('id,title\n1,"The \\"big\\" one"\n2,\\N\n', False),
        ('id,title\n1,"a"\n', False),
    ],
)
def test_backslashes_are_escapes_only_if_otherwise_malformed(text: str, escapes: bool) -> None:
    assert are_escapes(lambda: nullcontext(iter(text.splitlines(keepends=True))), dialect(text)) is escapes


def test_record_truncated_by_the_sample_is_not_malformed() -> None:
    lines = ["a,b\n", "1,2\n", '3,"begins\n']
    assert find_dialect(lines, TextFormat(), whole=False).delimiter == ","
