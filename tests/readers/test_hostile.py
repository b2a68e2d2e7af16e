"""Workbooks that claim more than there is: the right rows or one clear error, in little memory; never the process."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.readers.test_hidden_cells import MAIN, PACKAGE, RELATIONS
from tests.support.readers import workbook_readers
from tui_importer import Reader, SourceError
from tui_importer.core.model.cells import column_letters
from tui_importer.readers.calamine import CalamineReader
from tui_importer.readers.cell_extent import CellExtent
from tui_importer.readers.hidden_cells import hidden_cells
from tui_importer.readers.openpyxl_streaming import OpenpyxlReader

READERS = workbook_readers()

NEAR = '<row r="1"><c r="A1"><v>1</v></c></row>'

#: Rows with one cell at XFD1048576, as one may write them.
FAR = {
    "plain": '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>',
    "apostrophes": "<row r='1048576'><c r='XFD1048576'><v>1</v></c></row>",
    "white space": '<row\nr = "1048576"><c t="n" r= "XFD1048576"><v>1</v></c></row>',
    "in another row": '<row r="2"><c r="XFD1048576"><v>1</v></c></row>',
    "small letters": '<row r="1048576"><c r="xfd1048576"><v>1</v></c></row>',
}


def sheet(rows: str) -> bytes:
    return f'<worksheet xmlns="{MAIN}"><sheetData>{rows}</sheetData></worksheet>'.encode()


def package(path: Path, sheet: bytes, strings: str | None = None) -> Path:
    """A workbook with one sheet, S, whose XML is given, as are the shared strings where there are any."""
    content = "http://schemas.openxmlformats.org/package/2006/content-types"
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    shared = "" if strings is None else f'<Relationship Id="rId2" Type="{RELATIONS}/sharedStrings" Target="s.xml"/>'
    parts: dict[str, str | bytes] = {
        "[Content_Types].xml": f'<Types xmlns="{content}"><Default Extension="xml" ContentType="application/xml"/>'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{kind}.sheet.main+xml"/>'
        f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{kind}.worksheet+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{PACKAGE}"><Relationship Id="rId1" Type="{RELATIONS}/officeDocument" '
        'Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{MAIN}" xmlns:r="{RELATIONS}"><sheets>'
        '<sheet name="S" sheetId="1" r:id="rId1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{PACKAGE}"><Relationship Id="rId1" '
        f'Type="{RELATIONS}/worksheet" Target="worksheets/sheet1.xml"/>{shared}</Relationships>',
        "xl/worksheets/sheet1.xml": sheet,
        "xl/s.xml": strings or "",
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
    return path


def read(reader: Reader, path: Path) -> list[tuple[int, int, object]]:
    """All cells that are not blank: sheet row (from 1), column (from 0) and value."""
    with reader.open(path) as workbook:
        return [
            (block.first_row + offset, column, cell)
            for block in workbook.sheet("S").blocks(10_000)
            for column, values in enumerate(block.columns, start=block.first_column)
            if values.blanks < len(values)
            for offset, cell in enumerate(values.values())
            if cell is not None
        ]


@pytest.mark.parametrize("form", FAR)
def test_extremely_distant_cells_are_refused(tmp_path: Path, form: str) -> None:
    """Runs in a separate process, because python-calamine crashes without the refusal."""
    path = package(tmp_path / "far.xlsx", sheet(NEAR + FAR[form]))
    program = (
        "import sys; from pathlib import Path; from tui_importer import SourceError\n"
        "from tui_importer.readers.calamine import CalamineReader\n"
        "try: CalamineReader().open(Path(sys.argv[1])).sheet('S')\n"
        "except SourceError as error: print(error)"
    )
    ended = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert "XFD1048576" in ended.stdout
    assert "--reader openpyxl" in ended.stdout


@pytest.mark.once
def test_streaming_reader_reads_distant_cells_in_little_memory(tmp_path: Path) -> None:
    path = package(tmp_path / "far.xlsx", sheet(NEAR + FAR["plain"]))
    assert read(OpenpyxlReader(), path) == [(1, 0, 1), (1_048_576, 16_383, 1)]


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
@pytest.mark.parametrize("cell", ["A1048577", "A4294967290", "A99999999999999999999", "XFE1", "ZZZZZ1", "XFE1048576"])
def test_cells_outside_the_sheet_limits_are_reported_as_damage(tmp_path: Path, reader: Reader, cell: str) -> None:
    row = cell.lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    path = package(tmp_path / "beyond.xlsx", sheet(f'{NEAR}<row r="{row}"><c r="{cell}"><v>1</v></c></row>'))
    with pytest.raises(SourceError, match="XFD1048576"):
        read(reader, path)


def test_formatted_cells_without_values_do_not_extend_the_sheet(tmp_path: Path) -> None:
    forty = "".join(f'<c r="{column_letters(column)}2"><v>{column}</v></c>' for column in range(40))
    formats = '<row r="3" s="1"><c r="XFD3" s="1"/></row><row r="1048576" s="1" ht="15"/>'
    path = package(tmp_path / "formats.xlsx", sheet(f'{NEAR}<row r="2">{forty}</row>{formats}'))
    assert len(read(CalamineReader(), path)) == 41


@given(
    cells=st.lists(st.tuples(st.integers(1, 1_048_576), st.integers(0, 16_383)), min_size=1, max_size=9, unique=True),
    quote=st.sampled_from("\"'"),
    chunk=st.integers(5, 400),
)
def test_cell_extent_covers_all_cells(
    tmp_path_factory: pytest.TempPathFactory, cells: list[tuple[int, int]], quote: str, chunk: int
) -> None:
    def rows() -> Iterator[str]:
        for row, column in sorted(cells):
            yield f"<row r={quote}{row}{quote}><c r={quote}{column_letters(column)}{row}{quote}><v>1</v></c></row>"

    path = package(tmp_path_factory.mktemp("reach") / "w.xlsx", sheet("".join(rows())))
    extent = CellExtent()
    assert hidden_cells(path, "S", extent, chunk=chunk) == {}
    assert extent.rows == max(row for row, _ in cells)
    # Columns of one letter are not told apart.
    assert max(extent.columns, 26) == max(26, *(column + 1 for _, column in cells))


@pytest.mark.once
def test_a_zip_bomb_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bomb.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("xl/worksheets/s.xml", "w") as part:
        for _ in range(600):
            part.write(b" " * (1 << 20))
    for reader in READERS.values():
        with pytest.raises(SourceError, match="ZIP bomb"):
            reader.open(path)


def test_part_larger_than_its_declared_size_is_reported_as_damage(tmp_path: Path) -> None:
    path = package(tmp_path / "w.xlsx", sheet(NEAR + " " * 100_000))
    size = len(sheet(NEAR + " " * 100_000)).to_bytes(4, "little")
    path.write_bytes(path.read_bytes().replace(size, (500).to_bytes(4, "little")))
    with pytest.raises(SourceError, match="damaged"):
        hidden_cells(path, "S")


def test_impossible_shared_string_count_is_reported_as_damage(tmp_path: Path) -> None:
    strings = f'<sst xmlns="{MAIN}" uniqueCount="9999999999"><si><t>a</t></si></sst>'
    path = package(tmp_path / "w.xlsx", sheet(NEAR), strings)
    with pytest.raises(SourceError, match="9,999,999,999 texts"):
        CalamineReader().open(path)


def binary_workbook(path: Path, row: int, column: int) -> Path:
    """An xlsb workbook with a text in its first cell and one elsewhere ([MS-XLSB] 2.1.4, 2.1.7)."""

    def record(number: int, content: bytes = b"") -> bytes:
        kind = bytes([number]) if number < 0x80 else bytes([number & 0x7F | 0x80, number >> 7])
        return kind + bytes([len(content)]) + content

    def text(value: str) -> bytes:
        return len(value).to_bytes(4, "little") + value.encode("utf-16-le")

    def line(row: int, column: int) -> bytes:
        at = column.to_bytes(4, "little") + bytes(4)
        return record(0, row.to_bytes(4, "little") + bytes(21)) + record(6, at + text("x"))

    relationship = '<Relationships xmlns="{}"><Relationship Id="rId1" Type="{}/{}" Target="{}"/></Relationships>'
    sheets = record(0x8F) + record(0x9C, bytes(4) + b"\1\0\0\0" + text("rId1") + text("S")) + record(0x90)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("_rels/.rels", relationship.format(PACKAGE, RELATIONS, "officeDocument", "xl/workbook.bin"))
        archive.writestr(
            "xl/_rels/workbook.bin.rels", relationship.format(PACKAGE, RELATIONS, "worksheet", "worksheets/s.bin")
        )
        archive.writestr("xl/workbook.bin", record(0x83) + record(0x99, bytes(8) + text("")) + sheets + record(0x84))
        rows = record(0x94, bytes(16)) + record(0x91) + line(0, 0) + line(row, column) + record(0x92)
        archive.writestr("xl/worksheets/s.bin", record(0x81) + rows + record(0x82))
    return path


def test_unsearchable_formats_are_probed_in_a_child_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    near = binary_workbook(tmp_path / "near.xlsb", 1, 1)
    assert read(CalamineReader(), near) == [(1, 0, "x"), (2, 1, "x")]
    far = binary_workbook(tmp_path / "far.xlsb", 1_048_575, 16_383)
    # What lies in the current folder is nobody's module.
    (tmp_path / "python_calamine.py").write_text("raise SystemExit(2)")
    monkeypatch.chdir(tmp_path)
    assert len(read(CalamineReader(), near)) == 2
    with CalamineReader().open(far) as workbook, pytest.raises(SourceError, match=r"far\.xlsb"):
        workbook.sheet("S")
