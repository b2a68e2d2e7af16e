"""Delimited text: the same cells as the built-in reader cuts, whatever is in the file."""

from __future__ import annotations

import csv
import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from test_imports import fresh, rows_of, said
from tui_importer_native import tui_importer_readers
from tui_importer_native._native import TextBlocks, UnusualError
from tui_importer_native.delimited import NativeDelimitedFile, NativeDelimitedReader
from workbooks import contents

from tui_importer import (
    Cell,
    DelimitedFile,
    DelimitedReader,
    EmptyText,
    ListColumn,
    Options,
    Plan,
    Report,
    Run,
    Source,
    SourceError,
    Target,
    TextFormat,
)
from tui_importer.testing import check_reader

MARK = "\ufeff"


def check_same(path: Path, text: str | bytes, *, native: bool | None = True) -> None:
    """Check that both readers say the same of a text, and whether the compiled one cuts it."""
    path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
    wanted = contents(DelimitedReader(), path)
    for rows in (1000, 2):
        assert contents(NativeDelimitedReader(), path, rows) == wanted
    if native is not None:
        assert isinstance(NativeDelimitedReader().open(path), NativeDelimitedFile if native else DelimitedFile)


TEXTS = {
    "plain": "a,b\n1,2\n3,4\n",
    "no line end": "a,b\n1,2",
    "no last cell": "a,b\n1,",
    "carriage returns": "a,b\r1,2\r\r3,4\r",
    "both line ends": "a,b\r\n1,2\r\n\r\n3,4\n",
    "quoted": 'a,b\n"1,5","line\nbreak"\n"say ""hi""","cr\r\nlf"\n',
    "quotes inside": 'a,b\nx"y,z""\n',
    "nothing but quotes": 'a,b\n"""","""a"""\n"""""",x\n',
    "blanks and empty texts": 'a,b,c\n,"",x\n"",,""\n,,\n',
    "empty text alone": 'a,b\n1,2\n""\n',
    "rows of other lengths": "a,b\n1\n1,2,3\n\n4,5\n",
    "tabs": "a\tb\n1\t2\n",
    "semicolons": "a;b\n1,5;2\n",
    "separator line": "sep=;\na;b\n1;2\n",
    "mark": MARK + 'é,"b"\n1,😀\n',
    "NUL": "a,b\n1,x\0y\n",
    "malformed record": 'a,b\n1,2\n"x"y,3\n4,5\n',
    "quote that is never closed": 'a,b\n1,2\n3,"x\n4,5\n',
    "quote that is never closed in the last cell": 'a,b\n1,2\n3,"x',
}
LEFT = {
    "blanks after delimiters": 'a, b\n1, "2"\n3, 4\n',
    "backslashes": 'a,b\n1,"x\\"y"\n2,"z"\n',
    "row names": 'x,y\n"1",2,3\n"2",4,5\n',
    "comments": "# a comment\na,b\n1,2\n3,4\n",
    "UTF-16": "a,b\n1,é\n".encode("utf-16"),
}


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_is_cut_alike(name: str, tmp_path: Path) -> None:
    check_same(tmp_path / "t.csv", TEXTS[name])


@pytest.mark.parametrize("name", LEFT)
def test_an_unusual_text_is_left_to_the_built_in_reader(name: str, tmp_path: Path) -> None:
    check_same(tmp_path / "t.csv", LEFT[name], native=False)


def test_what_is_refused_is_refused_alike(tmp_path: Path) -> None:
    for text in (b"", b"a,b\n1,\xff\n", b"a,b\n1,\xc3", b'"a,b\n1,2\n', b"PK\x03\x04"):
        check_same(tmp_path / "t.csv", text, native=None)
    with pytest.raises(SourceError):
        NativeDelimitedReader().open(tmp_path / "missing.csv")


def test_what_the_user_says_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a:'b'\n'1:0':2\n")
    text_format = TextFormat(delimiter=":", quote="'")
    found = NativeDelimitedReader().with_text_format(text_format)
    assert contents(found, path) == contents(DelimitedReader(text_format), path)
    path.write_bytes("a,b\né,1\n".encode("latin-1"))
    text_format = TextFormat(encoding="latin-1")
    assert contents(NativeDelimitedReader(text_format), path) == contents(DelimitedReader(text_format), path)


@pytest.mark.parametrize("shift", range(4))
def test_pieces_end_anywhere(shift: int, tmp_path: Path) -> None:
    """Whether a character, a line end or a doubled quote is cut off at the end of what is read at once."""
    unit = '"é""😀",\r\n\r\n"",x\r\n'
    check_same(tmp_path / "t.csv", "a,b\r\n" + "x" * shift + unit * 52_000)


def test_records_that_are_longer_than_a_piece(tmp_path: Path) -> None:
    check_same(tmp_path / "t.csv", 'a,b\n"' + "é\n" * (1 << 20) + '",2\n3,4\n')
    (tmp_path / "t.csv").write_bytes(b'a,"' + b"x" * (70 << 20))
    blocks = TextBlocks(tmp_path / "t.csv", 10, delimiter=",", quote='"', separator_line=False)
    with pytest.raises(UnusualError, match="very long"):
        next(blocks)


#: Pieces of text that matter.
PIECES = [
    *("a", "1", "2.5", "é", "😀", "x y", " ", "\0", "\\", "#", "'", "sep=;", MARK, "2024-01-01"),
    *('"', '"', '""', ",", ",", ",", ";", "|", "\t", "\n", "\n", "\r\n", "\r"),
]


def random_text(chosen: random.Random) -> str:
    """A text that is well-formed, nearly so, or not at all."""
    if chosen.random() < 0.3:
        return "".join(chosen.choice(PIECES) for _ in range(chosen.randint(0, 60)))
    delimiter, line_end = chosen.choice(",,;\t|"), chosen.choice(["\n", "\r\n", "\r"])
    width = chosen.randint(1, 5)

    def cell() -> str:
        text = "".join(
            chosen.choice(["a", "é", "7.5", delimiter, "\n", '"', " ", ""]) for _ in range(chosen.randint(0, 4))
        )
        quoted = chosen.random() < 0.2 or any(each in text for each in (delimiter, "\n", '"'))
        return '"' + text.replace('"', '""') + '"' if quoted else text

    widths = [width if chosen.random() < 0.95 else chosen.randint(0, 6) for _ in range(chosen.randint(0, 12))]
    rows = [[f"h{number}" for number in range(width)], *([cell() for _ in range(each)] for each in widths)]
    text = line_end.join(map(delimiter.join, rows)) + chosen.choice(["", line_end, line_end * 2])
    if chosen.random() < 0.5:
        place = chosen.randrange(len(text) + 1)
        text = text[:place] + chosen.choice(PIECES) + text[place + chosen.randint(0, 2) :]
    return chosen.choice(["", "", MARK]) + text


@pytest.mark.parametrize("seed", range(4))
def test_random_texts(seed: int, tmp_path: Path) -> None:
    chosen = random.Random(seed)
    for _ in range(150):
        check_same(tmp_path / chosen.choice(["t.csv", "t.tsv"]), random_text(chosen), native=None)


def write_csv(path: Path, sheets: dict[str, list[list[Cell]]]) -> None:
    (rows,) = sheets.values()
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


def test_it_keeps_the_contract(tmp_path: Path) -> None:
    spec = next(spec for spec in tui_importer_readers() if spec.name == "native-csv")
    check_reader(spec, write_csv, tmp_path, kinds=[str], several_sheets=False)


def imported(path: Path, database: str, reader: str) -> Report:
    rejects = path.with_name(f"rejects-{reader}.xlsx")
    rejects.unlink(missing_ok=True)
    plan = Plan(
        source=Source(file=str(path), reader=reader),
        target=Target(database=database, table="things"),
        options=Options(batch_size=700),
    )
    return Run(plan, rejects_file=rejects).execute()


TYPED = "name text NOT NULL, count integer, amount numeric(10,2), born date, note varchar(12)"


def write_things(path: Path, rows: int) -> None:
    chosen = random.Random(rows)
    with path.open("w", newline="", encoding="utf-8") as file:
        file.write("name,count,amount,born,note\n")
        for row in range(rows):
            name = chosen.choice(['"Zoë, x"', "a\\b", '"line\nbreak"', '"say ""hi"""', "plain\ttab"])
            born = f"{chosen.randint(1900, 2020)}-{chosen.randint(1, 12):02}-{chosen.randint(1, 28):02}"
            note = chosen.choice(["short", "é€😀", "", '""', "a text that is too long" if row % 97 == 0 else "x"])
            count = "many" if row % 211 == 0 else row * 7
            file.write(f"{name},{count},{chosen.randrange(10**6) / 100},{born},{note}\n")
            if row % 301 == 0:
                file.write("\n")
            if row == rows - 5:
                file.write('"x"y,1,2,2020-01-01,z\n')


@pytest.mark.parametrize("columns", [TYPED, None], ids=["a table that is there", "a new table"])
def test_imports_are_the_same(columns: str | None, tmp_path: Path, postgres_url: str) -> None:
    write_things(tmp_path / "things.csv", 2500)
    results = []
    for reader in ("csv", "native-csv"):
        fresh(postgres_url, columns)
        report = imported(tmp_path / "things.csv", postgres_url, reader)
        results.append((said(report), rows_of(postgres_url)))
    assert results[0] == results[1]
    assert len(results[0][1]) > 2000
    assert results[0][0][2][2] > 0


def test_what_was_imported_without_it_is_known_with_it(tmp_path: Path) -> None:
    path = tmp_path / "things.csv"
    write_things(path, 500)
    database = str(tmp_path / "things.db")
    first = imported(path, database, "csv")
    again = imported(path, database, "native-csv")
    assert first.stats.inserted > 0
    assert again.stats.inserted == 0
    with closing(sqlite3.connect(database)) as connection:
        (count,) = connection.execute("SELECT count(*) FROM things").fetchone()
    assert count == first.stats.inserted


def test_texts_are_encoded_for_copy(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text('a,b\nx,"y ""z"""\n,é\n', encoding="utf-8")
    with NativeDelimitedReader().open(path) as workbook:
        (block,) = workbook.sheet("t").blocks(10)
    encoded = block.columns[0].store
    assert encoded is not None
    rows = encoded.encode(block.columns, "postgresql-copy-text")
    assert rows is not None
    assert b"".join(rows.chunks(0, 3)) == 'a\x1fb\nx\x1fy "z"\n\x1fé\n'.encode()


def test_an_empty_text_is_no_blank(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text('a,b\n"",\n')
    with NativeDelimitedReader().open(path) as workbook:
        (block,) = workbook.sheet("t").blocks(10)
    one, other = block.columns
    assert (one.blanks, other.blanks, one.kinds) == (0, 1, {str, EmptyText})
    assert one.blank_mask == b"\0\0"
    assert type(one.values()[1]) is EmptyText
    assert one.store is not None
    assert one.store.encode([one], "postgresql-copy-text") is None
    assert ListColumn(one.values()).kinds == one.kinds
