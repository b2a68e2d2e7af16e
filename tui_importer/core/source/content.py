"""What a file is, by its first bytes: people and programs give files the wrong suffix."""

from __future__ import annotations

from enum import Enum
from pathlib import Path, PurePath

from tui_importer.core.model.patterns import pattern
from tui_importer.errors import SourceError

#: How many bytes of a file are looked at.
HEAD_BYTES = 4096


class Content(Enum):
    """What a file is. The value is its name in messages."""

    ZIP = "a ZIP archive"
    OLE = "an OLE file (an xls workbook, or an encrypted one)"
    BIFF = "a workbook of Excel 2, 3 or 4"
    GZIP = "a gzip file"
    ZSTANDARD = "a Zstandard file"
    BZIP2 = "a bzip2 file"
    XZ = "an xz file"
    PDF = "a PDF document"
    RTF = "an RTF document"
    IMAGE = "a picture"
    PROGRAM = "a program"
    SQLITE = "an SQLite database"
    PARQUET = "a Parquet file"
    SPREADSHEETML = "an XML Spreadsheet 2003"
    FLAT_ODS = "a flat OpenDocument spreadsheet"
    HTML = "a web page (HTML)"
    XML = "an XML document"
    OTHER = "text, or anything else"


#: The signatures at the start of files, as file(1) knows them.
_SIGNATURES = (
    (b"PK\x03\x04", Content.ZIP),
    (b"PK\x05\x06", Content.ZIP),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", Content.OLE),
    (b"\x09\x00\x04\x00", Content.BIFF),
    (b"\x09\x00\x06\x00", Content.BIFF),
    (b"\x09\x02\x06\x00", Content.BIFF),
    (b"\x09\x04\x06\x00", Content.BIFF),
    (b"\x1f\x8b", Content.GZIP),
    (b"\x28\xb5\x2f\xfd", Content.ZSTANDARD),
    (b"BZh", Content.BZIP2),
    (b"\xfd7zXZ\x00", Content.XZ),
    (b"%PDF-", Content.PDF),
    (b"{\\rtf", Content.RTF),
    (b"\x89PNG\r\n", Content.IMAGE),
    (b"\xff\xd8\xff", Content.IMAGE),
    (b"GIF8", Content.IMAGE),
    (b"\x7fELF", Content.PROGRAM),
    (b"MZ\x90\x00", Content.PROGRAM),
    (b"SQLite format 3\x00", Content.SQLITE),
    (b"PAR1", Content.PARQUET),
)
_MARKUP = (
    (pattern(rb"urn:schemas-microsoft-com:office:spreadsheet|progid=[\"']Excel\.Sheet"), Content.SPREADSHEETML),
    (pattern(rb"office:document\b"), Content.FLAT_ODS),
    (pattern(rb"(?i)<html|<!doctype html|<table|<body|<meta "), Content.HTML),
    (pattern(rb"\A<\?xml"), Content.XML),
)


def head_of(path: Path) -> bytes:
    """The first bytes of a file; none if it cannot be read."""
    try:
        if not path.is_file():
            return b""  # opening a pipe may block forever
        with path.open("rb") as file:
            return file.read(HEAD_BYTES)
    except (OSError, ValueError):
        return b""


def content_of(path: Path) -> Content:
    """What the file is; :attr:`Content.OTHER` if that cannot be determined or the file cannot be read."""
    return recognize(head_of(path))


def recognize(head: bytes) -> Content:
    """What a file is that begins with these bytes."""
    for signature, content in _SIGNATURES:
        if head.startswith(signature):
            return content
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        text = head.replace(b"\0", b"")[2:].lstrip()
    if text.startswith(b"<"):
        for pattern, content in _MARKUP:
            if pattern.search(text):
                return content
    return Content.OTHER


#: What to do with a file that no reader opens.
_ADVICE = {
    Content.SPREADSHEETML: "save it as .xlsx in a spreadsheet program",
    Content.FLAT_ODS: "save it as .ods in a spreadsheet program",
    Content.HTML: "open it in a spreadsheet program and save it as .xlsx",
    Content.BIFF: "save it as .xlsx in a spreadsheet program",
    Content.ZIP: "name a reader for the workbook that it is (--reader), or unpack it",
    Content.OLE: "name a reader for the workbook that it is (--reader calamine)",
    Content.GZIP: "unpack it first",
    Content.ZSTANDARD: "unpack it first",
    Content.BZIP2: "unpack it first",
    Content.XZ: "unpack it first",
}

#: The suffixes of workbooks that are ZIP archives.
_WORKBOOKS = frozenset({".xlsx", ".xlsm", ".xltx", ".xltm", ".xlsb", ".ods"})
#: The suffixes of texts.
_TEXTS = frozenset({".csv", ".tsv", ".tab", ".txt", ""})


def may_be_packed(name: str, head: bytes) -> bool:
    """Whether a file may be a packed one (:mod:`tui_importer.core.source.packed`)."""
    content = recognize(head)
    return content in (Content.GZIP, Content.ZSTANDARD) or (
        content is Content.ZIP and PurePath(name).suffix.lower() not in _WORKBOOKS
    )


def suffix_of(name: str, head: bytes) -> str:
    """The suffix, in lower case, that a file should have: that of its name, unless its first bytes contradict it."""
    suffix = PurePath(name).suffix.lower()
    content = recognize(head)
    if suffix in _TEXTS:
        return {Content.ZIP: ".xlsx", Content.OLE: ".xls"}.get(content, suffix or ".txt")
    # Programs that export text for Excel call it that.
    if suffix == ".xls" and content is Content.OTHER and head and _may_be_text(head):
        return ".txt"
    return suffix


def _may_be_text(head: bytes) -> bool:
    return b"\0" not in head or head.startswith((b"\xff\xfe", b"\xfe\xff"))


def refusal(path: Path, content: Content) -> SourceError:
    """The error for a file that is something else than its suffix says."""
    advice = _ADVICE.get(content)
    return SourceError(
        f"{path}: is {content.value}, not a workbook or delimited text" + (f": {advice}" if advice else "")
    )
