"""Workbooks of hand-written XML, and what readers make of them."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

from tui_importer_native.reader import Limits, NativeReader, NativeSheet

from tui_importer import CalamineReader, Layout, MergedSheet, NotedSheet, Reader, SourceError

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
DECLARATION = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'

#: Cell styles 0 to 9: general, date, time, date with time, span, 00000, a format of its own with a date, one with a
#: time, text, and an East Asian date.
STYLES = (
    f'<styleSheet xmlns="{MAIN}"><numFmts count="3"><numFmt numFmtId="164" formatCode="00000"/>'
    '<numFmt numFmtId="165" formatCode="[$-409]d\\-mmm\\-yy;@"/>'
    '<numFmt numFmtId="166" formatCode="h:mm&quot; Uhr&quot;"/>'
    "</numFmts><cellXfs>"
    + "".join(f'<xf numFmtId="{number}" fontId="0"/>' for number in (0, 14, 20, 22, 46, 164, 165, 166, 49, 30))
    + "</cellXfs></styleSheet>"
)


def strings_xml(*items: str) -> str:
    """The shared strings of these elements."""
    return f'<sst xmlns="{MAIN}" count="{len(items)}" uniqueCount="{len(items)}">{"".join(items)}</sst>'


def sheet_xml(rows: str, *, head: str = "", tail: str = "") -> str:
    """A sheet of these rows."""
    return f'<worksheet xmlns="{MAIN}">{head}<sheetData>{rows}</sheetData>{tail}</worksheet>'


def parts(
    sheet: str | bytes,
    *,
    strings: str | bytes | None = None,
    styles: str | None = STYLES,
    workbook: str = "",
    attributes: str = "",
) -> dict[str, str | bytes]:
    """The parts of a workbook with one sheet. ``workbook`` is more XML before the sheets."""
    targets = [("worksheet", "worksheets/sheet1.xml")]
    found: dict[str, str | bytes] = {"xl/worksheets/sheet1.xml": sheet}
    if strings is not None:
        targets.append(("sharedStrings", "sharedStrings.xml"))
        found["xl/sharedStrings.xml"] = strings
    if styles is not None:
        targets.append(("styles", "styles.xml"))
        found["xl/styles.xml"] = styles
    relationships = "".join(
        f'<Relationship Id="rId{number}" Type="{OFFICE}/{kind}" Target="{target}"/>'
        for number, (kind, target) in enumerate(targets, start=1)
    )
    return {
        "[Content_Types].xml": f'{DECLARATION}<Types xmlns="{PACKAGE}/content-types"/>',
        "_rels/.rels": f'{DECLARATION}<Relationships xmlns="{PACKAGE}/relationships"><Relationship Id="rId1" '
        f'Type="{OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'{DECLARATION}<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}">{workbook}<sheets>'
        f'<sheet name="Data" sheetId="1" r:id="rId1"{attributes}/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'{DECLARATION}<Relationships xmlns="{PACKAGE}/relationships">{relationships}'
        "</Relationships>",
        **found,
    }


def write(path: Path, members: dict[str, str | bytes], compression: int = zipfile.ZIP_DEFLATED) -> Path:
    """Write the parts of a workbook."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def contents(reader: Reader, path: Path, rows: int = 1000) -> dict[str, Any] | str:
    """All that a reader says of a file: of each sheet whether it is hidden, its rows, their cells with their types, the
    merged ranges and the notes; or the error."""
    try:
        with reader.open(path) as workbook:
            return {
                sheet.name: (sheet.hidden, *_of_sheet(workbook.sheet(sheet.name), rows)) for sheet in workbook.sheets
            }
    except SourceError as error:
        return str(error)


def _of_sheet(sheet: Any, rows: int) -> tuple[Any, ...]:
    cells, read, last = {}, 0, 0
    for block in sheet.blocks(rows):
        assert block.first_row == read + 1
        read += len(block)
        for number, column in enumerate(block.columns, start=block.first_column):
            for offset, cell in enumerate(column.values()):
                if cell is not None:
                    cells[block.first_row + offset, number] = (type(cell).__name__, repr(cell))
                    last = max(last, number)
    layout = Layout(header_row=0, first_row=1, last_row=None, first_column=0, headers=(None,) * (last + 1), notes=())
    notes = sheet.notes(layout) if isinstance(sheet, NotedSheet) else ()
    merged = list(sheet.merged(1_048_576)) if isinstance(sheet, MergedSheet) else []
    return read, sheet.row_hint, merged, notes, cells


def without_hints(contents: dict[str, Any] | str) -> dict[str, Any] | str:
    """What a reader says of a file, but for the number of rows that it expects."""
    if isinstance(contents, str):
        return contents
    return {name: (hidden, read, *rest) for name, (hidden, read, _, *rest) in contents.items()}


def is_native(path: Path) -> bool:
    """Whether the compiled reader reads all sheets of the file itself."""
    try:
        with NativeReader().open(path) as workbook:
            sheets = [workbook.sheet(sheet.name) for sheet in workbook.sheets]
    except SourceError:
        return False
    return bool(sheets) and all(isinstance(sheet, NativeSheet) for sheet in sheets)


#: Nothing is read ahead of its use or kept in memory.
STREAMED = Limits(small=0, cells=0, strings=0)


def check_same(path: Path, *, native: bool | None = True) -> None:
    """Check that both readers say the same of a file, and whether the compiled one reads it itself."""
    wanted = contents(CalamineReader(), path)
    for rows in (1000, 2):
        assert contents(NativeReader(), path, rows) == wanted
        assert without_hints(contents(NativeReader(STREAMED), path, rows)) == without_hints(wanted)
    if native is not None:
        assert is_native(path) == native


#: Shared strings in all their forms, and rows that hold them.
STRINGS = strings_xml(
    "<si><t>plain</t></si>",
    '<si><t xml:space="preserve"> kept </t></si>',
    "<si><t>\n trimmed\t</t></si>",
    "<si><t>&lt;a&gt; &amp; &quot;b&quot; &apos;c&apos; &#228;&#x20AC;&#128512;</t></si>",
    "<si><t>_x0041__x005F_x0042__x00e9_ _x0_ _x00zz_ _x000D_</t></si>",
    '<si><r><rPr><b/></rPr><t>ri</t></r><r><t xml:space="preserve">ch </t></r><r><t> text</t></r></si>',
    '<si><t>kanji</t><rPh sb="0" eb="1"><t>phonetic</t></rPh><phoneticPr fontId="1"/></si>',
    "<si/>",
    "<si><t/></si>",
    "<si><t></t></si>",
    "<si><t>a\r\nb\rc&#13;&#10;d</t></si>",
    "<si><t>é€😀</t></si>",
    "<si><t>&#10;edge&#32;</t></si>",
    "<si><t>_x0000_</t></si>",
    "<si ><t >spaced</t ></si >",
    "<si>\n  <t>indented</t>\n</si>",
    "<si><t xml:space='preserve'> quotes </t></si>",
    '<si><t xml:space="default"> default </t></si>',
    "<si><t>a]]&gt;b</t></si>",
    "<si><t>\u00a0nbsp\u00a0</t></si>",
    "<si><t>_x+1_ _x00+F_ _X0041_</t></si>",
)
SHARED = "".join(
    f'<row r="{n + 1}"><c r="A{n + 1}" t="s"><v>{n}</v></c><c r="B{n + 1}"><v>{n}</v></c></row>' for n in range(21)
)
#: The simplest row.
ONE = '<row r="1"><c r="A1"><v>1</v></c></row>'
