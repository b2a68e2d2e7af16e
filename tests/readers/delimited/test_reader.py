"""Delimited text: whatever programs write, cell by cell."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.examples import examples
from tui_importer import SourceError
from tui_importer.core.model.cells import MalformedRecord
from tui_importer.core.model.text_format import TextFormat
from tui_importer.readers.delimited.reader import DelimitedReader


def rows(path: Path, size: int = 3) -> list[tuple[object, ...]]:
    with DelimitedReader().open(path) as workbook:
        found: list[tuple[object, ...]] = []
        for block in workbook.sheet(path.stem).blocks(size):
            assert block.first_row == len(found) + 1
            found += zip(*(column.values() for column in block.columns), strict=True)
        return found


def write(folder: Path, text: str, encoding: str = "utf-8", name: str = "t.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiters_line_endings_and_encodings_are_detected(
    tmp_path: Path, delimiter: str, end: str, encoding: str
) -> None:
    text = end.join(delimiter.join(cells) for cells in [["a", "b", "c"], ["1", "é", ""], ["", "x y", "€"]]) + end
    assert rows(write(tmp_path, text, encoding)) == [("a", "b", "c"), ("1", "é", None), (None, "x y", "€")]


def test_quoted_cells_may_contain_delimiters_line_breaks_and_quotes(tmp_path: Path) -> None:
    path = write(tmp_path, 'a,b\r\n"x, ""y""\r\nz",2\r\n')
    assert rows(path) == [("a", "b"), ('x, "y"\r\nz', "2")]


@pytest.mark.parametrize("other", [";", "\t", "|"])
def test_delimiter_inside_quotes_is_ignored_by_detection(tmp_path: Path, other: str) -> None:
    assert rows(write(tmp_path, f'"","{other}{other}"\r\n"","{other}{other}"\r\n')) == [("", other * 2)] * 2


def test_unbalanced_quote_does_not_hide_the_delimiter(tmp_path: Path) -> None:
    found = rows(write(tmp_path, 'a;b\n"x"y;1\nz;2\n'))
    assert found[0] == ("a", "b")
    assert found[2] == ("z", "2")
    assert found[1] == (MalformedRecord("line 2: text follows a closing quote", '"x"y;1'),) * 2


def test_short_rows_are_padded_with_blanks(tmp_path: Path) -> None:
    assert rows(write(tmp_path, "a,b\n1\n1,2,3\n\n4,5\n"), 9) == [
        ("a", "b", None),
        ("1", None, None),
        ("1", "2", "3"),
        (None, None, None),
        ("4", "5", None),
    ]


def test_unknown_encoding_is_refused_with_a_suggestion(tmp_path: Path) -> None:
    path = write(tmp_path, "a;b\n" + "x;y\n" * 1_000 + "Grüße;€\n", "cp1252")
    with pytest.raises(SourceError, match=r"t\.csv: is not UTF-8.*--encoding.*windows-1252 reads 'Grüße;€'"):
        rows(path)
    reader = DelimitedReader().with_text_format(TextFormat(encoding="windows-1252"))
    with reader.open(path) as workbook:
        blocks = list(workbook.sheet("t").blocks(5_000))
    assert [column.values()[-1] for column in blocks[-1].columns] == ["Grüße", "€"]


def test_invalid_utf8_is_reported_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes("id,name\n1,Zoë\n2,Łukasz\n".encode() + b"3,caf\xe9\n")
    with pytest.raises(SourceError, match="is UTF-8 but for 1 line, the first is line 4"):
        rows(path)


@pytest.mark.parametrize(
    "content", [b"a,b\n1,\x81\n", b"\xff\xfea\x00,\x00b", bytes(range(256)) * 4], ids=["byte", "half", "binary"]
)
def test_undecodable_bytes_are_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=r"t\.csv: is n.*(encoding|text)"):
        rows(path)


@pytest.mark.once
def test_invalid_utf8_is_found_far_into_the_file(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes("a,é\n".encode() * 4_000_000 + b"1,caf\xe9\n")
    with pytest.raises(SourceError, match=r"but for 1 line, the first is line 4,000,001.*-1252 reads '1,café'"):
        rows(path)


@pytest.mark.parametrize("cell", ["x\0y", "e\0e\0", "\0", "ab\0\0cd"])
def test_file_with_nul_characters_is_not_taken_for_utf_16(tmp_path: Path, cell: str) -> None:
    assert rows(write(tmp_path, f"name,n\n{cell},1\nAna,2\n"))[1] == (cell, "1")


def test_malformed_header_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"t\.csv: line 1: text follows a closing quote: a table needs its header"):
        rows(write(tmp_path, '"a"b,c\n1,2\n3,4\n'))


def test_separator_line_alone_in_its_chunk_counts_as_one_row(tmp_path: Path) -> None:
    assert rows(write(tmp_path, "sep=;\n" + "\n" * 2_500 + "a;b\n1;2\n"), 9_999)[-2:] == [("a", "b"), ("1", "2")]


def test_very_long_field_is_read(tmp_path: Path) -> None:
    assert rows(write(tmp_path, f'a,b\n"{"x" * 1_000_000}",1\n'))[1] == ("x" * 1_000_000, "1")


def test_nul_character_is_kept_for_conversion(tmp_path: Path) -> None:
    assert rows(write(tmp_path, "a,b\n1,x\0y\n"))[1] == ("1", "x\0y")


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="empty"):
        DelimitedReader().open(write(tmp_path, ""))


def test_tsv_is_split_only_at_tabs(tmp_path: Path) -> None:
    assert rows(write(tmp_path, "a,b\tc\n1,2\t3\n", name="t.tsv")) == [("a,b", "c"), ("1,2", "3")]


CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)


@settings(max_examples=examples(60), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(grid=st.lists(st.tuples(CELLS, CELLS, CELLS), min_size=2, max_size=12), size=st.integers(1, 5))
def test_quoted_cells_round_trip(tmp_path: Path, grid: list[tuple[str, str, str]], size: int) -> None:
    def quoted(cell: str) -> str:
        return '"' + cell.replace('"', '""') + '"'

    path = write(tmp_path, "".join(",".join(map(quoted, row)) + "\r\n" for row in grid))
    assert rows(path, size) == grid
