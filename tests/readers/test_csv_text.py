"""Delimited text: whatever programs write, cell by cell."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.examples import examples
from tui_importer import SourceError
from tui_importer.readers.csv_text import CsvReader


def rows(path: Path, size: int = 3) -> list[tuple[object, ...]]:
    with CsvReader().open(path) as workbook:
        found: list[tuple[object, ...]] = []
        for block in workbook.sheet(path.stem).blocks(size):
            assert block.first_row == len(found) + 1
            found += zip(*(column.values() for column in block.columns), strict=True)
        return found


def write(folder: Path, text: str, encoding: str = "utf-8", name: str = "t.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_dialects(tmp_path: Path, delimiter: str, end: str, encoding: str) -> None:
    text = end.join(delimiter.join(cells) for cells in [["a", "b", "c"], ["1", "é", ""], ["", "x y", "€"]]) + end
    assert rows(write(tmp_path, text, encoding)) == [("a", "b", "c"), ("1", "é", None), (None, "x y", "€")]


def test_quotes_hold_delimiters_line_breaks_and_quotes(tmp_path: Path) -> None:
    path = write(tmp_path, 'a,b\r\n"x, ""y""\r\nz",2\r\n')
    assert rows(path) == [("a", "b"), ('x, "y"\r\nz', "2")]


@pytest.mark.parametrize("other", [";", "\t", "|"])
def test_a_delimiter_inside_of_quotes_is_none(tmp_path: Path, other: str) -> None:
    assert rows(write(tmp_path, f'"","{other}{other}"\r\n"","{other}{other}"\r\n')) == [(None, other * 2)] * 2


def test_a_stray_quote_does_not_hide_the_delimiter(tmp_path: Path) -> None:
    assert rows(write(tmp_path, 'a;b\n"x"y;1\n')) == [("a", "b"), ("xy", "1")]


def test_ragged_rows_end_in_blanks(tmp_path: Path) -> None:
    assert rows(write(tmp_path, "a,b\n1\n1,2,3\n\n4,5\n"), 9) == [
        ("a", "b", None),
        ("1", None, None),
        ("1", "2", "3"),
        (None, None, None),
        ("4", "5", None),
    ]


def test_what_is_no_utf8_is_windows_1252_and_says_so(tmp_path: Path) -> None:
    path = write(tmp_path, "a;b\n" + "x;y\n" * 1_000 + "Grüße;€\n", "cp1252")
    assert rows(path, 5_000)[-1] == ("Grüße", "€")
    assert CsvReader().limits(path) == ("t.csv is not UTF-8: read as Windows-1252",)
    assert CsvReader().limits(write(tmp_path, "a;é\n")) == ()


@pytest.mark.parametrize(
    "content", [b"a,b\n1,\x81\n", b"\xff\xfea\x00,\x00b"], ids=["undefined byte", "half a character"]
)
def test_bytes_that_no_encoding_explains_are_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=r"t\.csv: cannot be read as delimited text"):
        rows(path)


def test_a_huge_field_is_a_field(tmp_path: Path) -> None:
    assert rows(write(tmp_path, f'a,b\n"{"x" * 1_000_000}",1\n'))[1] == ("x" * 1_000_000, "1")


def test_a_nul_stays_for_the_conversion_to_refuse(tmp_path: Path) -> None:
    assert rows(write(tmp_path, "a,b\n1,x\0y\n"))[1] == ("1", "x\0y")


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="empty"):
        CsvReader().open(write(tmp_path, ""))


def test_tsv_is_cut_at_tabs_alone(tmp_path: Path) -> None:
    assert rows(write(tmp_path, "a,b\tc\n1,2\t3\n", name="t.tsv")) == [("a,b", "c"), ("1,2", "3")]


CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)


@settings(max_examples=examples(60), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(grid=st.lists(st.tuples(CELLS, CELLS, CELLS), min_size=2, max_size=12), size=st.integers(1, 5))
def test_what_quotes_can_hold_comes_back(tmp_path: Path, grid: list[tuple[str, str, str]], size: int) -> None:
    def quoted(cell: str) -> str:
        return '"' + cell.replace('"', '""') + '"'

    path = write(tmp_path, "".join(",".join(map(quoted, row)) + "\r\n" for row in grid))
    assert rows(path, size) == [tuple(cell or None for cell in row) for row in grid]
