"""Files are what their first bytes say."""

from __future__ import annotations

from pathlib import Path

import pytest

from tui_importer import SourceError
from tui_importer.core.source.content import Content, content_of, may_be_packed, recognize, refusal, suffix_of
from tui_importer.readers.calamine import CalamineReader
from tui_importer.readers.delimited.reader import DelimitedReader

HEADS = [
    (b"PK\x03\x04abc", Content.ZIP),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", Content.OLE),
    (b"\x1f\x8b\x08", Content.GZIP),
    (b"\x28\xb5\x2f\xfd", Content.ZSTANDARD),
    (b"%PDF-1.7", Content.PDF),
    (b'<?xml version="1.0"?><?mso-application progid="Excel.Sheet"?>', Content.SPREADSHEETML),
    (b"\n <html><table>", Content.HTML),
    (b"\xef\xbb\xbf<!DOCTYPE html>", Content.HTML),
    ("\ufeff<table>".encode("utf-16-le"), Content.HTML),
    (b'<?xml version="1.0"?><office:document ', Content.FLAT_ODS),
    (b'<?xml version="1.0"?><rows/>', Content.XML),
    (b"\x09\x04\x06\x00\x00\x00", Content.BIFF),
    (b"a,b\n1,2\n", Content.OTHER),
    (b"<3,b\n", Content.OTHER),
    (b"", Content.OTHER),
]


@pytest.mark.parametrize(("head", "content"), HEADS)
def test_content_is_recognised_by_its_first_bytes(head: bytes, content: Content) -> None:
    assert recognize(head) is content


@pytest.mark.parametrize(
    ("name", "head", "suffix"),
    [
        ("a.csv", b"a,b\n", ".csv"),
        ("a.csv", b"PK\x03\x04", ".xlsx"),
        ("a.txt", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", ".xls"),
        ("a.xls", b"a\tb\n", ".txt"),
        ("a.xls", "\ufeffa\tb\n".encode("utf-16-le"), ".txt"),
        ("a.xls", b"\x09\x08\x10\x00", ".xls"),
        ("a.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", ".xls"),
        ("a", b"a,b\n", ".txt"),
        ("a.xlsx", b"a,b\n", ".xlsx"),
        ("a.feather", b"a,b\n", ".feather"),
    ],
)
def test_suffix_follows_from_name_and_content(name: str, head: bytes, suffix: str) -> None:
    assert suffix_of(name, head) == suffix


def test_archives_may_be_packed_but_workbooks_are_not() -> None:
    assert not may_be_packed("a.xlsx", b"PK\x03\x04")
    assert may_be_packed("a.zip", b"PK\x03\x04")
    assert may_be_packed("a.csv", b"\x1f\x8b")
    assert not may_be_packed("a.gz", b"a,b\n")


def test_unreadable_file_has_no_content_type(tmp_path: Path) -> None:
    assert content_of(tmp_path / "missing") is Content.OTHER
    assert content_of(tmp_path) is Content.OTHER


@pytest.mark.parametrize(("head", "content"), HEADS[4:12])
@pytest.mark.parametrize("reader", [CalamineReader(), DelimitedReader()], ids=["calamine", "csv"])
def test_readers_name_the_recognised_content(
    tmp_path: Path, reader: CalamineReader | DelimitedReader, head: bytes, content: Content
) -> None:
    path = tmp_path / ("a.xls" if isinstance(reader, CalamineReader) else "a.csv")
    path.write_bytes(head + b" " * 600)
    with pytest.raises(SourceError) as raised:
        reader.open(path)
    assert str(raised.value) == str(refusal(path, content))
    assert content.value in str(raised.value)
