"""The search for hidden cells finds what the parser finds, and makes a parser only where it must."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pytest
import xlsxwriter
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.readers.test_hidden_cells import MAIN, package
from tests.support.examples import examples
from tui_importer import CellError, SourceError, UncalculatedFormula
from tui_importer.core.model.cells import column_letters
from tui_importer.readers import hidden_cells as module
from tui_importer.readers.cell_extent import CellExtent
from tui_importer.readers.hidden_cell import HiddenCell
from tui_importer.readers.hidden_cells import hidden_cells, parsed
from tui_importer.readers.package import Package

PART = "xl/worksheets/sheet1.xml"

ATTRIBUTES = st.sampled_from(
    ["", ' s="2"', ' cm="1"', ' vm="1" ph="1"', " s='2'", '\ts="2"', ' x="&#101;"', ' x=" t="', ' x="a>b"', ' x:t="e"']
)
TYPES = st.sampled_from(
    ["", "", ' t="n"', ' t="s"', ' t="b"', ' t="str"', ' t="str"', ' t="e"', " t='e'", ' t = "e"', ' t="&#x65;"']
) | st.sampled_from(['\nt="e"', " t='str'", ' t="inlineStr"', ' t="E"', ' t="é"'])
FORMULAS = (
    st.sampled_from(
        [
            None,
            "<f>A1+1</f>",
            "<f/>",
            "<f />",
            "<f></f>",
            '<f t="shared" si="0"/>',
            '<f t="shared" ref="A1:B2" si="0">A1</f>',
        ]
    )
    | st.sampled_from(
        [
            '<f t="array" ref="A1">SUM(A1:A2)</f>',
            '<f t="dataTable" ref="A1" dt2D="1" r1="A1"/>',
            '<f aca="false">B1</f>',
        ]
    )
    | st.sampled_from(
        ["<f>A1&amp;&quot;x&quot;&lt;&gt;&apos;</f>", "<f>A&#49;&#x31;</f>", "<f>&amp;lt;</f>", "<f>A1\r\n+1\r+2\t</f>"]
    )
    | st.sampled_from(
        ['<f xml:space="preserve"> A1 </f>', '<f>IF(A1=\'e\',"e","t=""e""")</f>', f"<f>{'A1+' * 2_000}1</f>"]
    )
    | st.sampled_from(
        ['<f x="a>b">A1</f>', '<f x="/>">A1</f>', "<f x='1'>A1</f>", "<f\n>A1</f\n>", "<f>é漢😀</f>", "<f>]]&gt;</f>"]
    )
)
VALUES = (
    st.sampled_from(
        [
            None,
            "<v>1</v>",
            "<v>1</v>",
            "<v/>",
            "<v />",
            "<v></v>",
            "<v> </v>",
            "<v>\n</v>",
            "<v>#N/A</v>",
            "<v> #REF! </v>",
        ]
    )
    | st.sampled_from(
        [
            '<v xml:space="preserve"> a </v>',
            '<v xml:space="preserve"/>',
            '<v x="/>"></v>',
            '<v x=">">1</v>',
            "<v>&#49;</v>",
        ]
    )
    | st.sampled_from(["<v>&lt;f></v>", '<v>t="e"</v>', "<v >1</v >", "<v\n/>"])
)
EXTRAS = st.sampled_from(
    ["", "", "", "", "\n", "<is><t>a</t></is>", "<extLst><ext/></extLst>", "<is/>", "<!-- <f> -->"]
)
CELL = st.tuples(ATTRIBUTES, TYPES, FORMULAS, VALUES, EXTRAS, st.sampled_from(["frx", "vfx", "xfv", "fv", "fv", "fv"]))


def cell_xml(reference: str, cell: tuple[str, str, str | None, str | None, str, str], *, late: bool) -> str:
    """A cell; ``late``: its reference is not its first attribute."""
    attributes, type_, formula, value, extra, order = cell
    content = "".join({"f": formula or "", "v": value or "", "x": extra}.get(part, "") for part in order)
    head = f"<c{attributes}{type_}{reference}" if late else f"<c{reference}{attributes}{type_}"
    return f"{head}>{content}</c>" if content else f"{head}/>"


@st.composite
def sheets(draw: st.DrawFn) -> str:
    """A sheet as any program might write one, and as none would."""
    numbered, referenced, late = (draw(st.booleans() | st.just(True)) for _ in range(3))
    gap = draw(st.sampled_from(["", "", "\n  "]))
    lines = []
    for row, cells in enumerate(draw(st.lists(st.lists(CELL, max_size=4), min_size=1, max_size=6)), start=1):
        texts = [
            cell_xml(f' r="{column_letters(column)}{row}"' if referenced else "", cell, late=late and row % 3 == 0)
            for column, cell in enumerate(cells)
        ]
        number = f' r="{row}"' if numbered else ""
        lines.append(f'<row{number} spans="1:4">{gap.join(texts)}</row>' if texts else f"<row{number}/>")
    return f'<worksheet xmlns="{MAIN}" xmlns:x="x"><sheetData>{gap.join(lines)}</sheetData></worksheet>'


def prefixed(text: str) -> str:
    """The same sheet with a prefix before each of its elements."""
    return re.sub(r"<(/?)(?=[a-z])", r"<\1p:", text.replace(" xmlns=", " xmlns:p="))


@settings(max_examples=examples(400), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=sheets() | sheets().map(prefixed), chunk=st.sampled_from([1, 9, 80, 1 << 20]))
@example(
    text=f'<worksheet xmlns="{MAIN}"><sheetData><row r="1"><c r="A1"><f>\x01</f></c></row></sheetData></worksheet>',
    chunk=9,
)
def test_fast_search_finds_the_same_cells_as_the_parser(tmp_path: Path, text: str, chunk: int) -> None:
    path = package(tmp_path / "w.xlsx", text.encode())
    try:
        expected: object = by_row(parsed(path, Package(path).pieces(PART)))
    except SourceError as error:
        expected = str(error)
    try:
        found: object = hidden_cells(path, "S", CellExtent(), chunk=chunk)
    except SourceError as error:
        found = str(error)
    if isinstance(expected, dict) or isinstance(found, str):
        assert found == expected


def by_row(cells: list[HiddenCell]) -> dict[int, list[HiddenCell]]:
    rows: dict[int, list[HiddenCell]] = {}
    for cell in cells:
        rows.setdefault(cell.row, []).append(cell)
    return rows


# How it is found: without a parser where cells are written as programs write them.


@pytest.fixture
def parsers(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """One entry for each parser that was made for cells."""
    made: list[Path] = []
    real: Callable[..., Any] = module._CellFinder

    def counted(path: Path, *more: object) -> object:
        made.append(path)
        return real(path, *more)

    monkeypatch.setattr(module, "_CellFinder", counted)
    return made


ROWS = 3_000
#: The cells of one column as programs write them, and what is hidden in each.
WRITTEN: dict[str, tuple[str, object]] = {
    "Excel": ('<c r="A{0}" s="1"><f>B{0}*2</f><v>{0}</v></c>', None),
    "Excel, shared": ('<c r="A{0}"><f t="shared" si="0"/><v>{0}</v></c>', None),
    "Excel, array": ('<c r="A{0}" cm="1"><f t="array" ref="A{0}">B{0}:B9</f><v>{0}</v></c>', None),
    "Excel, texts": ('<c r="A{0}" t="str"><f>B{0}&amp;"x"</f><v>x</v></c>', None),
    "Excel, no text": ('<c r="A{0}" t="str"><f>IF(B{0}="e","","t=""e""")</f><v></v></c>', None),
    "Excel, errors": ('<c r="A{0}" s="3" t="e"><f>1/0</f><v>#DIV/0!</v></c>', CellError("#DIV/0!")),
    "Excel, spaces": ('<c r="A{0}" t="str"><f xml:space="preserve"> B1 </f><v xml:space="preserve"> a </v></c>', None),
    "LibreOffice": ('<c r="A{0}" s="0" t="n"><f aca="false">B{0}</f><v>1</v></c>', None),
    "LibreOffice, errors": ('<c r="A{0}" s="0" t="e"><f aca="false">NA()</f><v>#N/A</v></c>', CellError("#N/A")),
    "xlsxwriter": ('<c r="A{0}"><f>B{0}</f><v>0</v></c>', None),
    "Google, no text": ('<c r="A{0}" s="1" t="str"><f t="shared" ref="A1:A9" si="1">""</f><v/></c>', None),
    "openpyxl": ('<c r="A{0}"><f>B1&lt;2</f><v></v></c>', UncalculatedFormula("B1<2")),
    "openpyxl without lxml": ('<c r="A{0}"><f>B1</f><v /></c>', UncalculatedFormula("B1")),
    "POI": ('<c r="A{0}" s="4"><f>B1</f></c>', UncalculatedFormula("B1")),
    "bare errors": ('<c r="A{0}" t="e"><v>#REF!</v></c>', CellError("#REF!")),
}


@pytest.mark.parametrize("program", WRITTEN)
def test_output_of_common_programs_needs_no_xml_parser(tmp_path: Path, parsers: list[Path], program: str) -> None:
    cell, hidden = WRITTEN[program]
    rows = "".join(f'<row r="{row}">{cell.format(row)}</row>' for row in range(1, ROWS + 1))
    path = package(tmp_path / "w.xlsx", f'<worksheet xmlns="{MAIN}"><sheetData>{rows}</sheetData></worksheet>'.encode())
    found = hidden_cells(path, "S", CellExtent())
    assert [each.value for cells in found.values() for each in cells] == [hidden] * (ROWS if hidden else 0)
    assert parsers == []


@pytest.mark.parametrize("program", WRITTEN)
def test_namespace_prefixes_need_no_xml_parser(tmp_path: Path, parsers: list[Path], program: str) -> None:
    """Microsoft's Open XML SDK writes them."""
    cell, hidden = WRITTEN[program]
    rows = "".join(f'<row r="{row}">{cell.format(row)}</row>' for row in range(1, ROWS + 1))
    xml = prefixed(f'<worksheet xmlns="{MAIN}"><sheetData>{rows}</sheetData></worksheet>')
    path = package(tmp_path / "w.xlsx", xml.encode())
    found = hidden_cells(path, "S", CellExtent(), chunk=1_000)
    assert [each.value for cells in found.values() for each in cells] == [hidden] * (ROWS if hidden else 0)
    assert parsers == []


def test_unusual_cells_use_one_parser_per_window(tmp_path: Path, parsers: list[Path]) -> None:
    rows = "".join(f"<row r='{row}'><c r='A{row}' t='e'><v>#N/A</v></c></row>" for row in range(1, ROWS + 1))
    xml = f'<worksheet xmlns="{MAIN}"><sheetData>{rows}</sheetData></worksheet>'.encode()
    path = package(tmp_path / "w.xlsx", xml)
    assert len(hidden_cells(path, "S", chunk=len(xml) // 4)) == ROWS
    assert 1 <= len(parsers) <= 6


def test_hidden_cells_of_openpyxl_and_xlsxwriter_workbooks_are_found(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row in ([1, "=A1+1", "=1<2"], ["#N/A", "e", None], ['="t=""e"""', 2, "=A1&B1"]):
        sheet.append(row)
    book.save(tmp_path / "o.xlsx")
    assert hidden_cells(tmp_path / "o.xlsx", "Sheet") == {
        1: [HiddenCell(1, 1, UncalculatedFormula("A1+1")), HiddenCell(1, 2, UncalculatedFormula("1<2"))],
        2: [HiddenCell(2, 0, CellError("#N/A"))],
        3: [HiddenCell(3, 0, UncalculatedFormula('"t=""e"""')), HiddenCell(3, 2, UncalculatedFormula("A1&B1"))],
    }
    with xlsxwriter.Workbook(tmp_path / "x.xlsx") as written:
        page = written.add_worksheet()
        page.write_formula(0, 0, "=1+1")
        page.write_formula(2, 0, "=NA()", None, "#N/A")
    assert hidden_cells(tmp_path / "x.xlsx", "Sheet1") == {3: [HiddenCell(3, 0, CellError("#N/A"))]}
