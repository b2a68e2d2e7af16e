"""Workbooks whose XML is right but unusual: the rows are those of the usual form, and a note says what was unusual."""

from __future__ import annotations

import re
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from openpyxl import Workbook

from tests.conftest import sqlite_database
from tui_importer import Plan, Report, Source, SourceError, Target, inspect_source, run_import
from tui_importer.readers.package import Package
from tui_importer.readers.usual_form import copy_in_usual_form
from tui_importer.readers.utf_16 import has_utf_16

ROWS = [(1, "a & b", None), (2, " <c> ", "x\ny"), (3, None, '"é€')]
Edit = Callable[[str, bytes], bytes | None]


def edited(path: Path, edit: Edit) -> Path:
    """The workbook with its parts edited; a part for which there is None is left out."""
    parts = {}
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            parts[name] = edit(name, archive.read(name))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            if data is not None:
                archive.writestr(name, data)
    return path


@pytest.fixture
def book(tmp_path: Path) -> Path:
    workbook = Workbook()
    page = workbook.active
    page.title = "S"
    for row in [("id", "t", "u"), *ROWS]:
        page.append(row)
    workbook.save(tmp_path / "book.xlsx")
    return tmp_path / "book.xlsx"


def of_sheet(old: str, new: str) -> Edit:
    return lambda name, data: re.sub(old.encode(), new.encode(), data) if "worksheets/sheet" in name else data


def with_sheet(relationship: str) -> Edit:
    """A further sheet, with this relationship."""
    namespace = 'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"'

    def edit(name: str, data: bytes) -> bytes:
        if name == "xl/workbook.xml":
            return data.replace(
                b"</sheets>", f'<sheet name="&lt;x&gt;" sheetId="9" r:id="r9" {namespace}/></sheets>'.encode()
            )
        if name == "xl/_rels/workbook.xml.rels":
            return data.replace(b"</Relationships>", f"{relationship}</Relationships>".encode())
        return data

    return edit


def in_utf_16(name: str, data: bytes) -> bytes:
    if not name.endswith((".xml", ".rels")):
        return data
    text = re.sub(r"<\?xml[^>]*\?>", "", data.decode())
    return ('<?xml version="1.0" encoding="UTF-16"?>' + text).encode("utf-16")


MACRO = "http://schemas.microsoft.com/office/2006/relationships/xlMacrosheet"
UNUSUAL: dict[str, tuple[Edit, str]] = {
    "references": (of_sheet(r' r="([A-Z])([0-9])"', r' r="$\1$\2"'), "references like $A$1"),
    "columns": (of_sheet(r' r="([A-Z])([0-9])"', r' r="$\1\2"'), "references like $A$1"),
    "no dimension": (of_sheet(r'<dimension ref="[^"]*"', '<dimension ref=""'), "an invalid dimension"),
    "R1C1": (of_sheet(r'<dimension ref="[^"]*"', '<dimension ref="R1C1:R3C2"'), "an invalid dimension"),
    "three corners": (of_sheet(r'<dimension ref="[^"]*"', '<dimension ref="A1:B2:C3"'), "an invalid dimension"),
    "no part": (with_sheet(""), "sheet '<x>', which is without a part"),
    "macro sheet": (
        with_sheet(f'<Relationship Id="r9" Type="{MACRO}" Target="macrosheets/m.xml"/>'),
        "sheet '<x>', which is without a part",
    ),
    "sheet without cells": (
        with_sheet(f'<Relationship Id="r9" Type="{MACRO}" Target="theme/theme1.xml"/>'),
        "sheet '<x>', which is of another kind than worksheets",
    ),
    "UTF-16": (in_utf_16, "parts in UTF-16"),
}


def imported(path: Path) -> Report:
    target = Target(database=str(path.with_suffix(".db")), table="t")
    plan = Plan(source=Source(file=str(path)), target=target)
    return run_import(plan, rejects_file=path.with_suffix(".rejects.xlsx"), record=False)


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.mark.parametrize("kind", UNUSUAL)
def test_unusual_workbooks_give_the_same_rows(book: Path, temporary: Path, kind: str) -> None:
    edit, words = UNUSUAL[kind]
    report = imported(edited(book, edit))
    assert report.error is None
    assert sqlite_database(book.with_suffix(".db")).fetch("SELECT id, t, u FROM t") == ROWS
    assert f"the workbook has {words}: it is read from a copy without" in report.notes
    assert list(temporary.iterdir()) == []


def test_inspect_notes_the_copy_and_removes_it(book: Path, temporary: Path) -> None:
    edited(book, UNUSUAL["R1C1"][0])
    found = inspect_source(Plan(source=Source(file=str(book))))
    assert any("an invalid dimension" in note for note in found.notes)
    assert list(temporary.iterdir()) == []


def test_unneeded_part_may_use_any_compression(book: Path) -> None:
    with zipfile.ZipFile(book, "a", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("docProps/custom.xml", "<x/>" * 1_000)
    assert imported(book).error is None
    assert sqlite_database(book.with_suffix(".db")).fetch("SELECT id, t, u FROM t") == ROWS


def test_ordinary_workbook_is_not_copied(book: Path, tmp_path: Path) -> None:
    assert copy_in_usual_form(book, tmp_path / "copy.xlsx") == ()
    assert not (tmp_path / "copy.xlsx").exists()
    assert not has_utf_16(Package(book))


@pytest.mark.parametrize(
    "edit",
    [
        of_sheet("</sheetData>", ""),
        lambda name, data: data[: len(data) // 2] if "worksheets/sheet" in name else data,
        lambda name, data: None if "worksheets/sheet" in name else data,
    ],
    ids=["not closed", "cut off", "gone"],
)
def test_error_names_the_damaged_workbook_instead_of_the_copy(book: Path, temporary: Path, edit: Edit) -> None:
    edited(book, edit)
    report = imported(book)
    assert report.exit_code == 2
    assert str(temporary) not in str(report.error)
    assert list(temporary.iterdir()) == []


ODS_HEAD = (
    '<?xml version="1.0"?>\n<office:document-content xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" '
    'xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0" '
    'xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0" '
    'xmlns:calcext="urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0">'
)


def ods(path: Path, *rows: str, space: str = "\n  ") -> Path:
    """An ods file with white space between its tags."""
    body = "".join(f"{space}<table:table-row>{row}{space}</table:table-row>" for row in rows)
    content = (
        f"{ODS_HEAD}{space}<office:body>{space}<office:spreadsheet>{space}"
        f'<table:table table:name="S">{body}{space}</table:table>{space}'
        f"</office:spreadsheet>{space}</office:body>{space}</office:document-content>"
    )
    kind = "application/vnd.oasis.opendocument.spreadsheet"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", kind)
        archive.writestr("content.xml", content)
        archive.writestr(
            "META-INF/manifest.xml",
            '<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0">'
            f'<manifest:file-entry manifest:full-path="/" manifest:media-type="{kind}"/></manifest:manifest>',
        )
    return path


def text_cell(text: str, more: str = "", space: str = "\n  ") -> str:
    cell = f'{space}<table:table-cell office:value-type="string"{more}>'
    return f"{cell}{space}<text:p>{text}</text:p>{space}</table:table-cell>"


@pytest.mark.parametrize("space", ["\n  ", " ", "\r\n\t"])
def test_white_space_between_ods_cells_is_ignored(tmp_path: Path, temporary: Path, space: str) -> None:
    error = (
        f'{space}<table:table-cell office:value-type="string" office:string-value="" calcext:value-type="error">'
        f"<text:p>#N/A</text:p></table:table-cell>"
    )
    path = ods(
        tmp_path / "a.ods",
        text_cell("id", space=space) + text_cell("t", space=space) + text_cell("u", space=space),
        f'{space}<table:table-cell office:value-type="float" office:value="1"/>'
        + text_cell("a b &amp; <text:s/>c", ' table:number-columns-repeated="2"', space),
        f'{space}<table:table-cell office:value-type="float" office:value="2"/>'
        f"{space}<table:covered-table-cell/>{error}",
        space=space,
    )
    report = imported(path)
    assert report.error is None
    assert sqlite_database(path.with_suffix(".db")).fetch("SELECT * FROM t") == [(1, "a b &  c", "a b &  c")]
    [reject] = report.rejects
    assert (reject.cell, reject.reason) == ("S!C3", "error cell #N/A")
    assert "the workbook has white space between its cells: it is read from a copy without" in report.notes
    assert list(temporary.iterdir()) == []


def test_entity_bomb_is_refused(tmp_path: Path, temporary: Path) -> None:
    path = ods(tmp_path / "a.ods", text_cell("id"))
    bomb = b'?><!DOCTYPE x [<!ENTITY a "b">]>'
    edited(path, lambda name, data: data.replace(b"?>", bomb) if name == "content.xml" else data)
    report = imported(path)
    assert report.exit_code == 2
    assert "may be damaged" in str(report.error)
    assert list(temporary.iterdir()) == []


def test_encrypted_workbooks_are_reported_as_encrypted(tmp_path: Path) -> None:
    import xlwt

    old = xlwt.Workbook()
    old.add_sheet("S").write(0, 0, "id")
    old.save(str(tmp_path / "old.xls"))
    data = bytearray((tmp_path / "old.xls").read_bytes())
    start = data.index(b"\x09\x08\x10\x00")  # the first record; the next one becomes that of a password
    data[start + 20 : start + 22] = b"\x2f\x00"
    (tmp_path / "old.xls").write_bytes(data)
    protected = ods(tmp_path / "new.ods", text_cell("id"))
    manifest = (
        b'<manifest:file-entry manifest:full-path="content.xml"><manifest:encryption-data/></manifest:file-entry>'
    )
    edited(
        protected,
        lambda name, data: (
            data.replace(b"</manifest:manifest>", manifest + b"</manifest:manifest>")
            if "manifest" in name
            else b"\x8a\x91\x00" * 99
            if name == "content.xml"
            else data
        ),
    )
    for path in (tmp_path / "old.xls", protected):
        with pytest.raises(SourceError, match="the workbook is encrypted: open it, save it without a password"):
            inspect_source(Plan(source=Source(file=str(path))))


@pytest.mark.parametrize("encoding", ["UTF8", "nowhere"])
@pytest.mark.parametrize(
    "part", ["xl/workbook.xml", "xl/_rels/workbook.xml.rels", "xl/worksheets/sheet1.xml", "xl/sharedStrings.xml"]
)
def test_unknown_xml_encoding_is_reported_as_damage(book: Path, part: str, encoding: str) -> None:
    declaration = f'<?xml version="1.0" encoding="{encoding}"?>'.encode()

    def declared(name: str, data: bytes) -> bytes:
        return declaration + re.sub(rb"^<\?xml[^>]*\?>", b"", data) if name == part else data

    report = imported(edited(book, declared))
    if report.exit_code == 0:
        assert sqlite_database(book.with_suffix(".db")).fetch("SELECT id, t, u FROM t") == ROWS
    else:
        assert report.exit_code == 2
        assert "may be damaged" in str(report.error)


def test_a_member_without_a_name_is_left_out(tmp_path: Path, book: Path) -> None:
    """Damage may make one, in a workbook that is looked at because a library refuses it."""
    edited(book, of_sheet('r="A2"', 'r="$A$2"'))
    with zipfile.ZipFile(book, "a") as archive:
        archive.writestr(zipfile.ZipInfo(""), b"")
    assert copy_in_usual_form(book, tmp_path / "copy.xlsx") == ("references like $A$1",)
