"""Texts of xls workbooks in all code pages."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
import xlwt

from tests.readers.binary_workbooks import Xls5
from tests.support.once import once, once_sets
from tui_importer.errors import SourceError
from tui_importer.readers.calamine import CalamineReader

UNICODE = [["name", "city"], ["Ünal", "Köln"], ["Иван", "Москва"], ["plain", "text"], ["mixed Ж x", "東京"]]


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where private copies are made."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def read(path: Path) -> tuple[str, list[list[object]], tuple[str, ...]]:
    """The name, cells and notes of the first sheet."""
    with CalamineReader().open(path) as file:
        name = file.sheets[0].name
        sheet = file.sheet(name)
        rows = [
            list(row) for block in sheet.blocks(2) for row in zip(*(c.values() for c in block.columns), strict=True)
        ]
        assert sheet.name == name
        return name, rows, sheet.notes(None)  # type: ignore[arg-type]


def biff8(path: Path, code_page: int) -> Path:
    workbook = xlwt.Workbook()
    sheet = workbook.add_sheet("Größe")
    for row, cells in enumerate(UNICODE):
        for column, cell in enumerate(cells):
            sheet.write(row, column, cell)
    workbook.save(str(path))
    utf_16 = b"\x42\x00\x02\x00" + (1200).to_bytes(2, "little")
    assert path.read_bytes().count(utf_16) == 1
    path.write_bytes(path.read_bytes().replace(utf_16, utf_16[:4] + code_page.to_bytes(2, "little")))
    return path


@pytest.mark.parametrize("code_page", [1252, *once(1200, 1251, 932, 437, 65001, 1)])
def test_biff8_texts_are_unicode_regardless_of_the_code_page(tmp_path: Path, temporary: Path, code_page: int) -> None:
    name, rows, notes = read(biff8(tmp_path / "a.xls", code_page))
    assert (name, rows) == ("Größe", UNICODE)
    assert [f"code page {code_page}" in note for note in notes] == [True] * (code_page != 1200)
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize(
    ("code_page", "encoding", "text"),
    [
        (932, "cp932", "東京ﾜ"),
        (None, "cp1252", "5 €"),
        *once_sets(
            (1252, "cp1252", "Größe – 5 €"),
            (1251, "cp1251", "Москва"),
            (10000, "mac_roman", "Größe"),
            (936, "gbk", "北京"),
            (949, "cp949", "서울"),
            (950, "cp950", "臺北"),
            (437, "cp437", "Größe ½"),
            (850, "cp850", "Größe Ø"),
            (32769, "cp1252", "5 €"),
            (1200, "cp1252", "5 €"),
        ),
    ],
)
@pytest.mark.parametrize("rich", [False, *once(True)], ids=["plain", "rich"])
def test_biff5_texts_use_the_code_page(
    tmp_path: Path, temporary: Path, code_page: int | None, encoding: str, text: str, rich: bool
) -> None:
    book = Xls5(text.encode(encoding), code_page=code_page)
    book.text(0, 0, b"id")
    book.text(0, 1, text.encode(encoding))
    book.number(1, 0, 1)
    book.text(1, 1, text.encode(encoding), rich=rich)
    name, rows, _ = read(book.write(tmp_path / "a.xls"))
    assert (name, rows) == (text, [["id", text], [1, text]])
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("code_page", [1252, 932])
@pytest.mark.parametrize(("text", "high"), [("Köln", False), ("Москва", True)])
def test_flags_byte_in_biff5_is_not_text(tmp_path: Path, code_page: int, text: str, high: bool) -> None:
    book = Xls5(code_page=code_page)
    book.text(0, 0, b"id")
    book.flagged_text(1, 0, text, high=high)
    book.text(2, 0, b"x" * 20)
    assert read(book.write(tmp_path / "a.xls"))[1] == [["id"], [text], ["x" * 20]]


def test_text_outside_the_code_page_is_refused(tmp_path: Path, temporary: Path) -> None:
    book = Xls5(code_page=932)
    book.text(0, 0, b"a")
    book.text(1, 0, b"\x81")
    path = book.write(tmp_path / "a.xls")
    with pytest.raises(SourceError, match=f"^{path}: a text .* is not in code page 932: save the workbook as .xlsx"):
        read(path)
    assert list(temporary.iterdir()) == []


def test_unknown_code_page_is_named(tmp_path: Path) -> None:
    book = Xls5(code_page=4711)
    book.text(0, 0, b"a")
    with pytest.raises(SourceError, match="code page 4711, which is not known"):
        read(book.write(tmp_path / "a.xls"))
