"""Packed files are read as what is in them."""

from __future__ import annotations

import gzip
import re
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import xlsxwriter
import zstandard

from tests.core.source.test_reader import Lines, LinesReader
from tests.readers.hostile_files import ods, ods_cell, ods_row
from tui_importer import Block, Layout, NotedSheet, OpenSheet, Plan, SourceError, Workbook, inspect_source, run_import
from tui_importer.core.model.plan import Source, Target
from tui_importer.core.model.ranges import parse_range
from tui_importer.core.source import packed as packed_module
from tui_importer.core.source.packed import UnpackingReader, packed
from tui_importer.core.source.reader import merged_ranges
from tui_importer.plugins.registry import load_registry
from tui_importer.readers.calamine import CalamineReader
from tui_importer.readers.delimited.reader import DelimitedReader

TEXT = b"id,name\n1,Ana\n2,Bo\n"


def pack(folder: Path, suffix: str, content: bytes = TEXT, name: str = "data.csv") -> Path:
    path = folder / f"{name}{suffix}"
    if suffix == ".gz":
        path.write_bytes(gzip.compress(content))
    elif suffix == ".zst":
        path.write_bytes(zstandard.compress(content))
    else:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(f"folder/{name}", content)
    return path


def rows(path: Path) -> list[tuple[object, ...]]:
    with UnpackingReader(DelimitedReader()).open(path) as workbook:
        sheet = workbook.sheet(workbook.sheets[0].name)
        return [row for block in sheet.blocks(10) for row in zip(*(c.values() for c in block.columns), strict=True)]


@pytest.mark.parametrize("suffix", [".gz", ".zst", ".zip"])
def test_packed_text_file_is_read_and_its_copy_removed(
    tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    copies = tmp_path / "copies"
    copies.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(copies))
    path = pack(tmp_path, suffix)
    assert rows(path) == [("id", "name"), ("1", "Ana"), ("2", "Bo")]
    assert list(copies.iterdir()) == []


@pytest.mark.parametrize("suffix", [".gz", ".zst", ".zip"])
def test_a_packed_file_is_imported(tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    source = Source(file=str(pack(tmp_path, suffix)))
    report = run_import(Plan(source=source, target=Target(database="out.db")), record=False)
    assert (report.outcome, report.stats.inserted, report.target.table) == ("complete", 2, "data")
    assert run_import(Plan(source=source, target=Target(database="out.db")), record=False).outcome == "already_imported"


def test_packed_and_misnamed_workbooks_are_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    sample = (Path(__file__).parents[3] / "sample_data.xlsx").read_bytes()
    (tmp_path / "really.csv").write_bytes(sample)
    for file in (pack(tmp_path, ".gz", sample, "b.xlsx"), pack(tmp_path, ".zip", sample, "b.xlsx"), Path("really.csv")):
        plan = Plan(source=Source(file=str(file), limit=50), target=Target(database=f"{file.name}.db"))
        assert run_import(plan, record=False).stats.total_records == 50


@pytest.mark.parametrize("suffix", [".gz", ".zst", ".zip"])
def test_damaged_archive_is_refused_in_one_line(tmp_path: Path, suffix: str) -> None:
    path = pack(tmp_path, suffix, TEXT * 500)
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 8] = b"\xff" * 8
    path.write_bytes(bytes(data[:-12] if suffix != ".zip" else data))
    with pytest.raises(SourceError, match="cannot be unpacked"):
        rows(path)


def test_decoding_error_names_the_packed_file(tmp_path: Path) -> None:
    path = pack(tmp_path, ".gz", b"a,b\n\xe9,\x81\n")
    with pytest.raises(SourceError, match=r"^.*data\.csv\.gz: is not UTF-8"):
        rows(path)


class VerboseReader(LinesReader):
    """A reader that names its file whenever it says something."""

    def open(self, path: Path) -> Workbook:
        return VerboseLines(path)

    def limits(self, path: Path) -> tuple[str, ...]:
        return (f"{path}: not all of it can be told",)


class VerboseLines(Lines):
    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._path = path

    def sheet(self, name: str) -> OpenSheet:
        if name != "lines":
            raise SourceError(f"{self._path}: has no sheet {name!r}")
        return self

    def blocks(self, rows: int) -> Iterator[Block]:
        yield from super().blocks(rows)
        raise SourceError(f"{self._path}: has no end")

    def notes(self, layout: Layout) -> tuple[str, ...]:
        return (f"{self._path}: begins in row {layout.first_row}",)


def test_reader_messages_name_the_packed_file_instead_of_the_copy(tmp_path: Path) -> None:
    path = pack(tmp_path, ".gz")
    reader = UnpackingReader(VerboseReader())
    assert reader.limits(path) == VerboseReader().limits(path)  # before it has opened the file
    with reader.open(path) as workbook:
        assert reader.limits(path) == (f"{path}: not all of it can be told",)
        with pytest.raises(SourceError, match=rf"^{re.escape(str(path))}: has no sheet 'other'"):
            workbook.sheet("other")
        sheet = workbook.sheet("lines")
        with pytest.raises(SourceError, match=rf"^{re.escape(str(path))}: has no end"):
            list(sheet.blocks(1))
        assert isinstance(sheet, NotedSheet)
        assert sheet.notes(Layout(0, 1, None, 0, ("a",))) == (f"{path}: begins in row 1",)
    with UnpackingReader(LinesReader()).open(path) as workbook:
        assert not isinstance(workbook.sheet("lines"), NotedSheet)
        assert not merged_ranges(workbook.sheet("lines"), 9)


def test_merged_cells_of_a_packed_workbook_are_read(tmp_path: Path) -> None:
    workbook = tmp_path / "merged.xlsx"
    with xlsxwriter.Workbook(workbook) as book:
        sheet = book.add_worksheet("S")
        sheet.merge_range("B1:C1", "2022")
        sheet.merge_range("A3:B4", "further down")
    file = pack(tmp_path, ".gz", workbook.read_bytes(), "merged.xlsx")
    with UnpackingReader(CalamineReader()).open(file) as opened:
        assert merged_ranges(opened.sheet("S"), 2) == [parse_range("B1:C1")]


def test_notes_on_a_packed_workbook_are_reported(tmp_path: Path) -> None:
    workbook = tmp_path / "escaped.xlsx"
    with xlsxwriter.Workbook(workbook) as book:
        book.add_worksheet().write_column(0, 0, ["text", "_x005F_x0041_"])
    path = pack(tmp_path, ".gz", workbook.read_bytes(), "escaped.xlsx")
    found = inspect_source(Plan(source=Source(file=str(path), reader="openpyxl")))
    plain = inspect_source(Plan(source=Source(file=str(workbook), reader="openpyxl")))
    assert found.notes == plain.notes != ()
    report = run_import(
        msgspec.structs.replace(found.plan, target=Target(database=str(tmp_path / "t.db"))), record=False
    )
    assert {*plain.notes} <= {*report.notes}


@pytest.mark.parametrize("suffix", [".xlsx", ".ods"])
def test_workbook_with_a_zip_suffix_is_read(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / "book.zip"
    if suffix == ".xlsx":
        with xlsxwriter.Workbook(path) as book:
            book.add_worksheet().write_column(0, 0, ["text", "a"])
    else:
        ods(path, ods_row(ods_cell(1, columns=2)) * 3)
    plan = Plan(source=Source(file=str(path)), target=Target(database=str(tmp_path / "out.db")))
    assert run_import(plan, record=False).outcome == "complete"


def test_archive_of_several_files_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "two.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.csv", TEXT)
        archive.writestr("b.csv", TEXT)
    with pytest.raises(SourceError, match=r"no reader opens \.zip"):
        load_registry(found=[]).reader_for(path)


def test_decompression_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed_module, "_BASE_BYTES", 1 << 20)
    with pytest.raises(SourceError, match="unpacks to more than"):
        rows(pack(tmp_path, ".gz", b"a,b\n" + b"1,2\n" * (1 << 20)))


def test_unpacked_files_are_recognised(tmp_path: Path) -> None:
    plain = tmp_path / "a.csv"
    plain.write_bytes(TEXT)
    assert packed(plain) is None
    two = tmp_path / "two.zip"
    with zipfile.ZipFile(two, "w") as archive:
        archive.writestr("a.csv", TEXT)
        archive.writestr("b.csv", TEXT)
    assert packed(two) is None
