"""Generated workbooks: the compiled reader gives the same cells as the built-in one, whoever wrote the file."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pytest
import xlsxwriter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tui_importer_native.reader import NativeReader
from workbooks import STREAMED, check_same, contents, is_native, parts, sheet_xml, strings_xml, without_hints, write

from tui_importer import CalamineReader

TEXTS = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff"), max_size=12
)
VALUES = st.one_of(
    TEXTS,
    st.sampled_from(
        [" edge ", "_x0041_", "_x005F_x0041_", "0042", "=1+1", "#N/A", "TRUE", "line\nbreak", "tab\there", "a\\b"]
    ),
    st.integers(-(2**53), 2**53),
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
    st.datetimes(dt.datetime(1900, 3, 1), dt.datetime(9999, 12, 31)).map(lambda moment: moment.replace(fold=0)),
    st.dates(dt.date(1900, 3, 1), dt.date(9999, 12, 31)),
    st.times().map(lambda time: time.replace(fold=0)),
    st.timedeltas(dt.timedelta(0), dt.timedelta(days=4000)),
)
GRIDS = st.dictionaries(st.tuples(st.integers(1, 2100), st.integers(1, 40)), VALUES, max_size=40)
SETTINGS = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@SETTINGS
@given(grid=GRIDS)
def test_workbooks_of_openpyxl(tmp_path: Path, grid: dict[tuple[int, int], Any]) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for (row, column), value in grid.items():
        sheet.cell(row, column, value)
    book.save(tmp_path / "w.xlsx")
    check_same(tmp_path / "w.xlsx", native=None)


@SETTINGS
@given(grid=GRIDS, in_cells=st.booleans())
def test_workbooks_of_xlsxwriter(tmp_path: Path, grid: dict[tuple[int, int], Any], in_cells: bool) -> None:
    options = {"constant_memory": in_cells, "default_date_format": "yyyy-mm-dd hh:mm:ss", "strings_to_formulas": False}
    with xlsxwriter.Workbook(tmp_path / "w.xlsx", {**options, "strings_to_urls": False}) as book:
        sheet = book.add_worksheet("Data")
        for (row, column), value in sorted(grid.items(), key=lambda item: item[0]):
            sheet.write(row - 1, column - 1, value)
    check_same(tmp_path / "w.xlsx", native=None)


def test_such_workbooks_are_read_natively(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["text", 1, 1.5, True, dt.datetime(2024, 2, 29, 12), dt.date(2024, 2, 29), dt.time(12, 30), "=A1"])
    book.save(tmp_path / "w.xlsx")
    check_same(tmp_path / "w.xlsx", native=True)


#: Pieces of XML that occur in sheets and in shared strings, some of them wrong.
_ATTRIBUTES = [
    *('r="A{row}"', "r='B{row}'", 'r="C{row}"', 'r="AB{row}"', 's="1"', 's="2"', 's="4"', "s='7'", 't="s"', 't="str"'),
    *('t="n"', 't="b"', 't="e"', 't="inlineStr"', 'spans="1:2"', 'cm="1"', "", "", "", "", ""),
]
_VALUES = ["0", "1", "2", "3", "45000.5", "-1", "0.5", "#N/A", "1e3", "", "a &amp; b", " x ", "_x0041_", "\r\n", "é"]
_CELLS = [
    *("<c {a}><v>{v}</v></c>", "<c {a}>\n<v>{v}</v>\n</c>", "<c {a}><f>1+1</f><v>{v}</v></c>", "<c {a}><f>A1</f></c>"),
    *(
        "<c {a}/>",
        "<c {a}></c>",
        "<c {a}><v/></c>",
        '<c {a}><f t="shared" si="0"/><v>{v}</v></c>',
        "<c {a}><v >{v}</v ></c >",
    ),
    *("<c {a}><is><t>{v}</t></is></c>", '<c {a}><is><r><t xml:space="preserve">{v}</t></r><r><t>{v}</t></r></is></c>'),
    *("<c {a}><v>{v}</v><f>1</f></c>", "<!-- {v} --><c {a}/>", "<c {a}><is/></c>"),
]
_STRINGS = [
    *(
        "<si><t>{v}</t></si>",
        '<si><t xml:space="preserve">{v}</t></si>',
        "<si/>",
        "<si><r><t>{v}</t></r><r><t>{v}</t></r></si>",
    ),
    *('<si><t>{v}</t><rPh sb="0" eb="1"><t>{v}</t></rPh></si>', "<si>\n<t>{v}</t>\n</si>", "<si><t/></si>"),
]


def _random_parts(chosen: random.Random) -> dict[str, str | bytes]:
    strings = [chosen.choice(_STRINGS).format(v=chosen.choice(_VALUES)) for _ in range(4)]
    rows = []
    number = 0
    for _ in range(chosen.randint(1, 4)):
        number += chosen.choice([1, 1, 1, 2, 900])
        cells = []
        for _ in range(chosen.randint(0, 4)):
            attributes = " ".join({chosen.choice(_ATTRIBUTES).format(row=number) for _ in range(3)})
            cells.append(chosen.choice(_CELLS).format(a=attributes, v=chosen.choice(_VALUES)))
        begin = chosen.choice(
            [f'<row r="{number}">', f'<row r="{number}">', f"<row spans='1:2' r='{number}' >", "<row>"]
        )
        rows.append(begin + chosen.choice(["", "\n "]).join(cells) + "</row>")
    return parts(sheet_xml("".join(rows)), strings=strings_xml(*strings))


@pytest.mark.parametrize("seed", range(8))
def test_random_xml(seed: int, tmp_path: Path) -> None:
    chosen = random.Random(seed)
    native = 0
    for _ in range(50):
        path = write(tmp_path / "w.xlsx", _random_parts(chosen))
        _check_at_least_as_good(path)
        native += is_native(path)
    assert native  # or nothing was tested


def _damaged_xml(chosen: random.Random, path: Path) -> None:
    """A workbook with some wrong bytes in one of its parts."""
    members = _random_parts(chosen)
    name = chosen.choice([name for name in members if name.startswith("xl/")])
    content = members[name]
    data = bytearray(content.encode() if isinstance(content, str) else content)
    for _ in range(chosen.randint(1, 3)):
        place = chosen.randrange(len(data))
        match chosen.randrange(4):
            case 0:
                data[place] = chosen.randrange(256)
            case 1:
                del data[place : place + chosen.randint(1, 9)]
            case 2:
                data[place:place] = chosen.choice(
                    [b"<", b">", b'"', b"&", b"</c>", b"<c>", b"</row>", b"<!--", b"\0", b"\xff"]
                )
            case _:
                data[place : place + 1] = data[place : place + 20] * 2
    write(path, {**members, name: bytes(data)})


def _damaged_archive(chosen: random.Random, path: Path) -> None:
    """A workbook with some wrong bytes anywhere."""
    data = bytearray(write(path, _random_parts(chosen)).read_bytes())
    for _ in range(chosen.randint(1, 4)):
        data[chosen.randrange(len(data))] = chosen.randrange(256)
    if chosen.random() < 0.2:
        del data[chosen.randrange(len(data)) :]
    path.write_bytes(data)


@pytest.mark.parametrize("damage", [_damaged_xml, _damaged_archive])
@pytest.mark.parametrize("seed", range(4))
def test_damaged_workbooks(damage: Callable[[random.Random, Path], None], seed: int, tmp_path: Path) -> None:
    chosen = random.Random(seed)
    for _ in range(100):
        damage(chosen, tmp_path / "w.xlsx")
        _check_at_least_as_good(tmp_path / "w.xlsx")


def _check_at_least_as_good(path: Path) -> None:
    """Check that the compiled reader says what the built-in one says, unless that refuses the file."""
    wanted, found = contents(CalamineReader(), path), contents(NativeReader(), path)
    assert found == wanted or isinstance(wanted, str)
    streamed = contents(NativeReader(STREAMED), path, 3)
    assert without_hints(streamed) == without_hints(wanted) or isinstance(wanted, str)
