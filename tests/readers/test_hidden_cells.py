"""The cells that libraries hide are found exactly, however the XML is written and wherever it is cut."""

from __future__ import annotations

import tracemalloc
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import pytest
import xlsxwriter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.examples import examples
from tests.support.readers import workbook_readers
from tui_importer import CellError, Reader, Source, SourceError, UncalculatedFormula
from tui_importer.core.model.cells import column_index, column_letters
from tui_importer.core.source.open_source import open_source
from tui_importer.readers.hidden_cell import HiddenCell
from tui_importer.readers.hidden_cells import hidden_cells, is_searchable

READERS = workbook_readers()

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"


def package(
    path: Path, sheet: bytes, *, part: str = "xl/worksheets/sheet1.xml", target: str | None = None, name: str = "S"
) -> Path:
    """A workbook of one sheet whose XML is given."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(
            "_rels/.rels",
            f'<Relationships xmlns="{PACKAGE}"><Relationship Id="rId1" Type="{RELATIONS}/officeDocument" '
            'Target="xl/workbook.xml"/></Relationships>',
        )
        archive.writestr(
            "xl/workbook.xml",
            f'<workbook xmlns="{MAIN}" xmlns:r="{RELATIONS}"><sheets><sheet name="Other" sheetId="1" r:id="rId1"/>'
            f'<sheet name="{name}" sheetId="2" r:id="rId7"/></sheets></workbook>',
        )
        archive.writestr(
            "xl/_rels/workbook.xml.rels",
            f'<Relationships xmlns="{PACKAGE}"><Relationship Id="rId7" Type="{RELATIONS}/worksheet" '
            f'Target="{target or part.removeprefix("xl/")}"/></Relationships>',
        )
        archive.writestr(part, sheet)
    return path


def oracle(sheet: bytes) -> dict[int, list[HiddenCell]]:
    """The same by another parser and a plain reading of the specification."""
    found: dict[int, list[HiddenCell]] = {}
    row_number = 0
    for row in ElementTree.fromstring(sheet).iter(f"{{{MAIN}}}row"):
        row_number = int(row.get("r", row_number + 1))
        column = -1
        for cell in row.iter(f"{{{MAIN}}}c"):
            reference = cell.get("r")
            column = column_index(reference.rstrip("0123456789")) if reference else column + 1
            value, formula = cell.find(f"{{{MAIN}}}v"), cell.find(f"{{{MAIN}}}f")
            text = None if value is None else "".join(value.itertext())
            hidden: CellError | UncalculatedFormula | None = None
            if cell.get("t") == "e":
                hidden = CellError((text or "").strip() or "#ERROR!")
            elif formula is not None and (text is None or (text == "" and cell.get("t") != "str")):
                hidden = UncalculatedFormula("".join(formula.itertext()))
            if hidden is not None:
                found.setdefault(row_number, []).append(HiddenCell(row_number, column, hidden))
    return found


#: What stands inside a cell: its type, and what is in it.
CELLS = st.sampled_from(
    [
        ("", "<v>1</v>"),
        ("", ""),
        (' t="s"', "<v>0</v>"),
        (' t="b"', "<v>1</v>"),
        (' t="n"', "<v>1.5</v>"),
        (' t="str"', "<v>text</v>"),
        (' t="inlineStr"', '<is><t>t="e" and &lt;f&gt; in a text</t></is>'),
        (' t="inlineStr"', "<is><t>'e'</t></is>"),
        (' t="e"', "<v>#N/A</v>"),
        (" t='e'", "<v>#DIV/0!</v>"),
        (' t = "e" ', "<v>#REF!</v>"),
        (' t="&#101;"', "<v>#NAME?</v>"),
        (' t="&#x65;"', "<v>#NUM!</v>"),
        (' s="1" t="e"', "<v></v>"),
        (' t="e"', ""),
        ("", "<f>A1+1</f>"),
        ("", "<f>A1+1</f><v/>"),
        ("", "<f>A1+1</f><v></v>"),
        ("", "<f>A1+1</f><v>2</v>"),
        ("", "<f>A1&amp;B1</f>"),
        (' t="str"', "<f>A1</f><v></v>"),
        (' t="str"', "<f>A1</f>"),
        (' t="e"', "<f>1/0</f><v>#DIV/0!</v>"),
        ("", '<f t="shared" si="0"/>'),
        ("", '<f t="shared" si="0"/><v>3</v>'),
        ("", '<f t="array" ref="A1:A2">SUM(A1:A2)</f>'),
        ("", "<f >A1</f >\n <v>4</v>"),
        ("", "<v>5</v><f>A1</f>"),
        (" cm='e'", "<v>6</v>"),
    ]
)

ROWS = st.lists(st.lists(st.tuples(CELLS, st.booleans()), max_size=5), min_size=1, max_size=8)


def sheet_xml(rows: list[list[tuple[tuple[str, str], bool]]], *, numbered: bool, around: tuple[str, str]) -> str:
    """The XML of a sheet; the flag of a cell says whether it is followed by a blank column."""
    lines = []
    for number, row in enumerate(rows, start=1):
        column, cells = 0, []
        for (type_, content), gap in row:
            reference = f' r="{column_letters(column)}{number}"' if numbered else ""
            cells.append(f"<c{reference}{type_}>{content}</c>" if content else f"<c{reference}{type_}/>")
            column += 2 if gap and numbered else 1
        lines.append(f'<row r="{number}">{"".join(cells)}</row>' if numbered else f"<row>{''.join(cells)}</row>")
    before, after = around
    return f'<worksheet xmlns="{MAIN}">{before}<sheetData>{"".join(lines)}</sheetData>{after}</worksheet>'


AROUND = st.sampled_from(
    [
        ("", ""),
        ('<dimension ref="A1"/>', '<pageMargins left="1"/>'),
        ("<!-- t='e' -->", ""),
        ("", "<!-- <f>no formula</f> -->"),
        ("", "<?mso-note t='e'?>"),
    ]
)


@settings(max_examples=examples(150), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=ROWS, numbered=st.booleans(), around=AROUND, chunk=st.sampled_from([1, 7, 64, 1 << 20]), prefix=st.booleans()
)
def test_exactly_the_hidden_cells_are_found(
    tmp_path: Path,
    rows: list[list[tuple[tuple[str, str], bool]]],
    around: tuple[str, str],
    chunk: int,
    *,
    numbered: bool,
    prefix: bool,
) -> None:
    text = sheet_xml(rows, numbered=numbered, around=around)
    if prefix:
        for element in ("worksheet", "sheetData", "row", "c", "f", "v", "is", "t"):
            text = text.replace(f"<{element}>", f"<x:{element}>").replace(f"</{element}>", f"</x:{element}>")
            text = text.replace(f"<{element} ", f"<x:{element} ").replace(f"<{element}/>", f"<x:{element}/>")
            text = text.replace(f"</{element} >", f"</x:{element} >")
        text = text.replace("xmlns=", "xmlns:x=", 1)
    xml = text.encode()
    assert hidden_cells(package(tmp_path / "w.xlsx", xml), "S", chunk=chunk) == oracle(xml)


ONE_ERROR = sheet_xml(
    [[(("", "<v>1</v>"), False)], [((' t="e"', "<v>#N/A</v>"), False)]], numbered=True, around=("", "")
)
FOUND = {2: [HiddenCell(2, 0, CellError("#N/A"))]}


@pytest.mark.parametrize(
    "xml",
    [
        ONE_ERROR.encode(),
        b"\xef\xbb\xbf" + ONE_ERROR.encode(),
        b'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\r\n' + ONE_ERROR.encode(),
        ('<?xml version="1.0" encoding="ISO-8859-1"?>' + ONE_ERROR).encode("latin-1"),
        ('<?xml version="1.0" encoding="UTF-16"?>' + ONE_ERROR).encode("utf-16"),
    ],
    ids=["plain", "byte order mark", "declared", "latin-1", "utf-16"],
)
def test_hidden_cells_are_found_in_every_xml_encoding(tmp_path: Path, xml: bytes) -> None:
    assert hidden_cells(package(tmp_path / "w.xlsx", xml), "S", chunk=5) == FOUND


@pytest.mark.parametrize(
    ("part", "target"),
    [
        ("xl/worksheets/sheet1.xml", "worksheets/sheet1.xml"),
        ("xl/worksheets/blatt.xml", "/xl/worksheets/blatt.xml"),
        ("sheets/one.xml", "../sheets/one.xml"),
        ("xl/Worksheets/Sheet1.xml", "worksheets/sheet1.xml"),
        ("xl/work sheets/s.xml", "work%20sheets/s.xml"),
        ("xl/worksheets/s.xml", "worksheets\\s.xml"),
    ],
)
def test_the_sheet_is_found_through_relationships(tmp_path: Path, part: str, target: str) -> None:
    path = package(tmp_path / "w.xlsm", ONE_ERROR.encode(), part=part, target=target)
    assert is_searchable(path)
    assert hidden_cells(path, "S") == FOUND


@pytest.mark.parametrize("where", ["sheet", "workbook"])
def test_document_types_are_refused(tmp_path: Path, where: str) -> None:
    """An entity expansion attack requires one."""
    bomb = '<!DOCTYPE worksheet [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    path = package(tmp_path / "w.xlsx", (bomb + ONE_ERROR).encode() if where == "sheet" else ONE_ERROR.encode())
    if where == "workbook":
        with zipfile.ZipFile(path) as archive:
            parts = {name: archive.read(name) for name in archive.namelist()}
        parts["xl/workbook.xml"] = bomb.encode() + parts["xl/workbook.xml"]
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in parts.items():
                archive.writestr(name, content)
    with pytest.raises(SourceError, match="document type"):
        hidden_cells(path, "S")


@pytest.mark.parametrize(
    ("sheet", "xml"),
    [("Nowhere", ONE_ERROR), ("Other", ONE_ERROR), ("S", ONE_ERROR.replace("</c></row>", "</d></row>"))],
)
def test_damaged_sheets_are_reported(tmp_path: Path, sheet: str, xml: str) -> None:
    with pytest.raises(SourceError, match="damaged"):
        hidden_cells(package(tmp_path / "w.xlsx", xml.encode()), sheet)


def test_unsearchable_formats_are_recognised(tmp_path: Path) -> None:
    text = tmp_path / "a.xls"
    text.write_bytes(b"\xd0\xcf\x11\xe0" + bytes(600))
    assert not is_searchable(text)
    with zipfile.ZipFile(tmp_path / "a.ods", "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
    assert not is_searchable(tmp_path / "a.ods")


def test_memory_is_independent_of_the_sheet_length(tmp_path: Path) -> None:
    def peak(rows: int) -> int:
        cells = "".join(
            f'<row r="{n}"><c r="A{n}" t="s"><v>{n}</v></c><c r="B{n}"><v>1</v></c></row>' for n in range(1, rows)
        )
        xml = f'<worksheet xmlns="{MAIN}"><sheetData>{cells}</sheetData></worksheet>'.encode()
        path = package(tmp_path / f"{rows}.xlsx", xml)
        tracemalloc.start()
        try:
            assert hidden_cells(path, "S", chunk=1 << 14) == {}
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    short, long = peak(2_000), peak(40_000)
    assert long < 1.5 * short


@pytest.mark.parametrize(
    "attributes",
    [
        ' t="e" vm="1"',
        ' vm="12" t="e"',
        ' s="2" t="e" vm="1"',
        " t='e' vm='1'",
        ' t = "e"  vm = "1"',
        ' vm="&#49;" t="e"',
    ],
)
@pytest.mark.parametrize("content", ["<v>#VALUE!</v>", "<f>IMAGE(A1)</f><v>#VALUE!</v>", ""])
def test_pictures_and_data_types_in_cells_are_not_error_cells(tmp_path: Path, attributes: str, content: str) -> None:
    row = [(attributes, content), (' t="e"', "<v>#N/A</v>"), (' vm="1"', "<v>5</v>")]
    xml = sheet_xml([[(cell, False) for cell in row]], numbered=True, around=("", ""))
    found = [HiddenCell(1, 0, None, rich=True), HiddenCell(1, 1, CellError("#N/A"))]
    assert hidden_cells(package(tmp_path / "w.xlsx", xml.encode()), "S") == {1: found}


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
def test_pictures_and_data_types_are_blank_with_one_note(tmp_path: Path, reader: Reader) -> None:
    plain, path = tmp_path / "plain.xlsx", tmp_path / "w.xlsx"
    with xlsxwriter.Workbook(plain) as book:
        sheet = book.add_worksheet("S")
        sheet.write_row(0, 0, ["a", "b"])
        for row in (1, 2):
            sheet.write_number(row, 0, row)
            sheet.write_formula(row, 1, "=A1/0", None, "#VALUE!")
    with zipfile.ZipFile(plain) as before, zipfile.ZipFile(path, "w") as after:
        for part in before.namelist():
            after.writestr(part, before.read(part).replace(b' t="e"', b' t="e" vm="1"'))
    with open_source(path, reader, Source(file=path)) as source:
        assert source.notes == (
            "column B: 2 cells hold a picture or a data type, which is not a value: NULL (the first is S!B2)",
        )
        (block,) = source.sheet.blocks(10)
        assert list(block.columns[1].values()) == ["b", None, None]
