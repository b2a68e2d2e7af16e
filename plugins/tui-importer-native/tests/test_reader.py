"""The reader keeps the contract of readers, is found, and can be switched off."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
import threading
import zipfile
from collections.abc import Mapping, Sequence
from importlib.metadata import distribution
from pathlib import Path

import pytest
import xlsxwriter
from tui_importer_native import _native, tui_importer_readers
from tui_importer_native.reader import NativeReader
from workbooks import OFFICE, ONE, SHARED, STRINGS, check_same, contents, parts, sheet_xml, strings_xml, write

from tui_importer import CalamineReader, Cell, CellError, SourceError
from tui_importer.testing import WORKBOOK_KINDS, check_reader


def write_xlsx(path: Path, sheets: Mapping[str, Sequence[Sequence[Cell]]]) -> None:
    with xlsxwriter.Workbook(path) as book:
        formats = {
            dt.datetime: book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss.000"}),
            dt.date: book.add_format({"num_format": "yyyy-mm-dd"}),
            dt.time: book.add_format({"num_format": "hh:mm:ss"}),
            dt.timedelta: book.add_format({"num_format": "[h]:mm:ss"}),
        }
        for name, rows in sheets.items():
            sheet = book.add_worksheet(name)
            for row, cells in enumerate(rows):
                for column, cell in enumerate(cells):
                    match cell:
                        case None:
                            pass
                        case dt.timedelta():
                            sheet.write_number(row, column, cell / dt.timedelta(days=1), formats[dt.timedelta])
                        case dt.datetime() | dt.date() | dt.time():
                            sheet.write_datetime(row, column, cell, formats[type(cell)])
                        case CellError():
                            sheet.write_formula(row, column, "=1/0", None, cell.code)
                        case bool():
                            sheet.write_boolean(row, column, cell)
                        case str():
                            sheet.write_string(row, column, cell)
                        case _:
                            sheet.write_number(row, column, cell)


def test_it_keeps_the_contract(tmp_path: Path) -> None:
    spec = next(spec for spec in tui_importer_readers() if spec.name == "native")
    check_reader(spec, write_xlsx, tmp_path, kinds=[*WORKBOOK_KINDS, dt.time, dt.timedelta])


def listed(**environment: str) -> list[str]:
    ended = subprocess.run(
        [sys.executable, "-P", "-m", "tui_importer", "plugins"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **environment},
    )
    return [line for line in ended.stdout.splitlines() if "tui-importer-native" in line or " native" in line]


def test_it_is_listed_with_its_distribution_and_version() -> None:
    version = distribution("tui-importer-native").version
    found = [line.split()[:5] for line in listed()]
    assert found == [["reader", name, "active", "tui-importer-native", version] for name in ("native", "native-csv")]


def test_it_can_be_switched_off() -> None:
    [line] = listed(TUI_IMPORTER_DISABLE_PLUGINS="tui-importer-native")
    assert line.split()[2] == "disabled"


def test_another_version_of_the_interface_is_refused(tmp_path: Path) -> None:
    """The plugin is then listed as broken, and files are read without it."""
    (tmp_path / "sitecustomize.py").write_text(
        "import tui_importer.plugins.hookspecs as hookspecs\nhookspecs.PLUGIN_API_VERSION = 99\n"
    )
    [line] = listed(PYTHONPATH=str(tmp_path))
    assert line.split()[2] == "broken"
    assert f"made for version {_native.API_VERSION} of the plugin interface" in line


def test_parts_that_lie_about_themselves_are_left(tmp_path: Path) -> None:
    path = write(tmp_path / "w.xlsx", parts(sheet_xml(SHARED), strings=STRINGS))
    whole = path.read_bytes()
    place = whole.rindex(b"PK\x01\x02", 0, whole.index(b"xl/worksheets/sheet1.xml", whole.index(b"PK\x01\x02")))
    for offset, what in (
        (16, "checksum"),
        (20, "packed size"),
        (24, "size"),
        (8, "flags"),
        (10, "method"),
        (42, "place"),
    ):
        data = bytearray(whole)
        data[place + offset] ^= 1
        path.write_bytes(data)
        found, wanted = contents(NativeReader(), path), contents(CalamineReader(), path)
        assert found == wanted, what


def test_bombs_are_refused_as_without_it(tmp_path: Path) -> None:
    """Parts that unpack to a gigabyte, and one that unpacks to more than it says."""
    bomb = sheet_xml("<row>" + " " * (600 << 20) + "</row>")
    path = write(tmp_path / "w.xlsx", parts(bomb))
    del bomb
    with pytest.raises(SourceError, match="as only a ZIP bomb does"):
        NativeReader().open(path)
    sheet = sheet_xml("<row>" + " " * (1 << 20) + "</row>")
    data = write(path, parts(sheet)).read_bytes()
    size = len(sheet).to_bytes(4, "little")
    assert data.count(size) == 2  # in the archive's directory, and before the part
    path.write_bytes(data.replace(size, (1000).to_bytes(4, "little")))
    assert contents(NativeReader(), path) == contents(CalamineReader(), path)


def column_letters(column: int) -> str:
    letters = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters


FAR = {
    "corners": '<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>2</v></c></row>',
    "the last column": "".join(
        f'<row r="{n * 1024 + 1}"><c r="XFD{n * 1024 + 1}"><v>1</v></c></row>' for n in range(1024)
    ),
    "a column each": "".join(
        f'<row r="{n * 16 + 16}"><c r="{column_letters(n % 16_384)}{n * 16 + 16}"><v>1</v></c></row>'
        for n in range(65_536)
    ),
}


@pytest.mark.parametrize("name", FAR)
def test_far_cells_take_no_memory(name: str, tmp_path: Path) -> None:
    path = write(tmp_path / "w.xlsx", parts(sheet_xml(FAR[name])))
    check_same(path, native=False)
    script = (
        "import resource, sys; from tui_importer_native._native import UnusualError, Workbook\n"
        "resource.setrlimit(resource.RLIMIT_DATA, (600 << 20, -1))\n"
        "try: Workbook(sys.argv[1]).sheet('Data')\n"
        "except UnusualError as error: print(error)"
    )
    ended = subprocess.run([sys.executable, "-P", "-c", script, path], capture_output=True, text=True, check=True)
    assert ended.stdout == "the sheet is nearly empty\n"


def test_a_very_long_row_and_a_very_long_text(tmp_path: Path) -> None:
    long = "x" * (33 << 20)
    check_same(write(tmp_path / "w.xlsx", parts(sheet_xml(f"<row><c t='str'><v>{long}</v></c></row>"))), native=None)
    strings, row = strings_xml(f"<si><t>{long}</t></si>"), '<row><c t="s"><v>0</v></c></row>'
    check_same(write(tmp_path / "w.xlsx", parts(sheet_xml(row), strings=strings)), native=None)


def test_it_reads_a_sheet_in_several_threads(tmp_path: Path) -> None:
    path = write(tmp_path / "w.xlsx", parts(sheet_xml(SHARED), strings=STRINGS))
    wanted = contents(CalamineReader(), path)
    found: list[object] = []
    with NativeReader().open(path) as workbook:
        sheets: list[object] = []
        threads = [threading.Thread(target=lambda: sheets.append(workbook.sheet("Data"))) for _ in range(8)]
        threads += [threading.Thread(target=lambda: found.append(contents(NativeReader(), path))) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found == [wanted] * 8
    assert len(sheets) == 8


def test_several_sheets_of_which_one_is_left(tmp_path: Path) -> None:
    """From then on, all of them are the built-in reader's."""
    members = parts(sheet_xml(ONE))
    for part, old, new in (
        ("xl/workbook.xml", "</sheets>", '<sheet name="Odd" sheetId="2" r:id="odd" state="hidden"/></sheets>'),
        (
            "xl/_rels/workbook.xml.rels",
            "</Relationships>",
            f'<Relationship Id="odd" Type="{OFFICE}/worksheet" Target="worksheets/sheet2.xml"/></Relationships>',
        ),
    ):
        members[part] = str(members[part]).replace(old, new)
    members["xl/worksheets/sheet2.xml"] = sheet_xml('<row r="1"><!-- odd --><c r="A1"><v>2</v></c></row>')
    path = write(tmp_path / "w.xlsx", members)
    check_same(path, native=False)
    with NativeReader().open(path) as workbook:
        kinds = [type(workbook.sheet(name)).__name__ for name in ("Data", "Odd", "Data")]
    assert kinds == ["NativeSheet", "CalamineOpenSheet", "CalamineOpenSheet"]


@pytest.mark.parametrize(
    "content", [b"", b"PK\x03\x04", b"PK\x05\x06" + bytes(18), b"PK\x03\x04" * 99, os.urandom(999)]
)
def test_what_is_no_workbook(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "w.xlsx"
    path.write_bytes(content)
    assert contents(NativeReader(), path) == contents(CalamineReader(), path)
    with pytest.raises(_native.UnusualError):
        _native.Workbook(path)


def test_an_archive_of_many_members(tmp_path: Path) -> None:
    path = tmp_path / "w.xlsx"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts(sheet_xml(ONE)).items():
            archive.writestr(name, content)
        for number in range(70_000):  # more than the directory of a small archive can count
            archive.writestr(f"x/{number}", "")
    check_same(path, native=False)


def test_the_program_says_why_a_file_is_left(tmp_path: Path) -> None:
    write(tmp_path / "w.xlsx", parts(sheet_xml('<row r="1"><!-- odd --><c r="A1"><v>1</v></c></row>')))
    command = [sys.executable, "-P", "-m", "tui_importer", "w.xlsx", "--no-header", "--no-ui"]
    for option, lines in ((["-v"], 1), ([], 0)):
        ended = subprocess.run([*command, *option], cwd=tmp_path, capture_output=True, text=True, check=True)
        said = [line for line in ended.stderr.splitlines() if "left to the built-in reader: there is a comment" in line]
        assert len(said) == lines


def test_the_built_in_reader_is_loaded_only_for_what_is_left_to_it(tmp_path: Path) -> None:
    with xlsxwriter.Workbook(tmp_path / "usual.xlsx") as book:
        book.add_worksheet("Sheet1").write_column(0, 0, ["word", "a", "b"])
    script = (
        "import sys\n"
        "from tui_importer import Plan, Run, Source, Target\n"
        "plan = Plan(source=Source(file='usual.xlsx'), target=Target(database='usual.db', table='words'))\n"
        "assert Run(plan).execute().source.reader == 'native'\n"
        "print([name for name in ('python_calamine', 'tui_importer.readers.calamine') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
