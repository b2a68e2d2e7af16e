"""A random table, written in a random dialect and encoding, comes back equal or is refused with one line."""

from __future__ import annotations

import csv
import io
from contextlib import suppress
from pathlib import Path
from typing import Literal

from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st

from tests.support.examples import examples
from tui_importer import SourceError
from tui_importer.core.model.text_format import TextFormat
from tui_importer.readers.delimited.reader import DelimitedReader

WORDS = st.sampled_from(
    [
        *(
            "Ana",
            "Émile",
            "Łucja Nowak",
            "Иван",
            "田中",
            "Zoë 😀",
            "O'Brien",
            'the "Bear"',
            "a,b",
            "c;d",
            "e|f",
            "g:h",
            "tab\there",
        ),
        *(
            "two\nlines",
            "",
            "x",
            "0042",
            "1,5",
            "1.234,56",
            "-7",
            "12:30",
            "2024-02-29",
            "31.12.2024",
            "50 %",
            "#1",
            "\\N",
        ),
        *(
            "C:\\temp",
            "=1+1",
            "a b c",
            "N/A",
            '"',
            '""',
            "'",
            "it's",
            "https://example.org/?a=1;b=2",
            "k=v",
            "{}",
            "[1, 2]",
        ),
    ]
)
CELLS = st.one_of(WORDS, st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Co", "Cn")), max_size=8))
HEADERS = st.lists(st.from_regex(r"[a-z]{2,8}( [a-z]{2,5})?", fullmatch=True), min_size=2, max_size=5, unique=True)
ENCODINGS = st.sampled_from(
    [
        "utf-8",
        "utf-8",
        "utf-8-sig",
        "utf-16",
        "utf-16-le",
        "utf-16-be",
        "utf-32",
        "cp1252",
        "cp1251",
        "shift_jis",
        "gb18030",
    ]
)


@st.composite
def files(draw: st.DrawFn) -> tuple[list[tuple[str, ...]], bytes, TextFormat]:
    """A table, the bytes of its file, and what of them is said to the reader."""
    header = draw(HEADERS)
    width = len(header)
    table = [tuple(header), *draw(st.lists(st.tuples(*[CELLS] * width), min_size=1, max_size=12))]
    assume(all(any(row) for row in table))  # blank lines are blank rows
    delimiter, quote, end = (draw(st.sampled_from(choices)) for choices in (",;\t|:", '"""\'', ("\n", "\r\n")))
    buffer = io.StringIO(newline="")
    quoting: Literal[0, 1] = csv.QUOTE_ALL if draw(st.booleans()) else csv.QUOTE_MINIMAL
    csv.writer(buffer, delimiter=delimiter, quotechar=quote, lineterminator=end, quoting=quoting).writerows(table)
    encoding = draw(ENCODINGS)
    try:
        data = buffer.getvalue().encode(encoding)
    except UnicodeEncodeError:
        assume(False)
    with suppress(UnicodeDecodeError):
        # Text in another encoding that is UTF-8 too is UTF-8 to everybody.
        assume("utf" in encoding or data.decode() == buffer.getvalue())
    # One rare delimiter in each of a few lines may also be a part of a text.
    given = TextFormat(
        encoding=encoding if draw(st.booleans()) else None,
        delimiter=delimiter if delimiter not in ",;\t" or draw(st.booleans()) else None,
        quote=quote if quote != '"' or draw(st.booleans()) else None,
    )
    return table, data, given


@settings(max_examples=examples(300), deadline=None, suppress_health_check=[*HealthCheck])
@given(written=files())
def test_random_table_round_trips_or_is_refused(
    written: tuple[list[tuple[str, ...]], bytes, TextFormat], tmp_path: Path
) -> None:
    table, data, given_format = written
    path = tmp_path / "t.csv"
    path.write_bytes(data)
    try:
        found: object = read(path, given_format)
    except SourceError as error:
        found = str(error)
    event("refused" if isinstance(found, str) else "read")
    assert found == table or (isinstance(found, str) and len(found.splitlines()) == 1)


def read(path: Path, text_format: TextFormat) -> list[tuple[str, ...]]:
    """All rows, with blanks as empty texts."""
    with DelimitedReader().with_text_format(text_format).open(path) as workbook:
        return [
            tuple(str(cell or "") for cell in row)
            for block in workbook.sheet(path.stem).blocks(5)
            for row in zip(*(column.values() for column in block.columns), strict=True)
        ]
