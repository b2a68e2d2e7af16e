"""Checks files before a library opens them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tui_importer.core.model.files import check_source_file
from tui_importer.core.source.content import Content, recognize, refusal
from tui_importer.errors import SourceError
from tui_importer.readers.package import check_unpacked, not_understood

#: Compound File Binary Format ([MS-CFB] 2.2): an xls workbook, or an encrypted xlsx.
_CFB_SIGNATURE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
#: ZIP local file header (PKWARE APPNOTE 4.3.7): xlsx, xlsm, xlsb and ods are ZIP archives.
_ZIP_SIGNATURE = b"PK\x03\x04"
#: The stream of an encrypted workbook ([MS-OFFCRYPTO] 2.3.4.4), as in its directory entry.
_ENCRYPTED_STREAM = "EncryptedPackage".encode("utf-16-le")
#: The directory entries of a compound file are within its first bytes, except in hostile files.
_DIRECTORY_BYTES = 1 << 20


_WORKBOOK_SUFFIXES = frozenset({".xlsx", ".xlsm", ".xltx", ".xltm", ".xlsb", ".ods"})


def check_file(path: Path) -> bytes:
    """Check that the file exists and is not empty; returns its first bytes. Raises :class:`SourceError`."""
    check_source_file(path)
    try:
        with path.open("rb") as file:
            head = file.read(_DIRECTORY_BYTES)
    except OSError as error:
        raise SourceError(f"{path}: cannot be read: {error.strerror or error}") from error
    if not head:
        raise SourceError(f"{path}: the file is empty")
    return head


def check_workbook(path: Path) -> None:
    """Check a file as :func:`check_file` does, and refuse one that cannot be a workbook with the reason."""
    head = check_file(path)
    if head.startswith(_CFB_SIGNATURE):
        if _ENCRYPTED_STREAM in head:
            raise encrypted(path)
    elif (content := recognize(head)) not in (Content.ZIP, Content.OTHER):
        raise refusal(path, content)
    elif content is Content.OTHER and path.suffix.lower() in _WORKBOOK_SUFFIXES:
        raise SourceError(f"{path}: not a workbook, whatever its name says (no {path.suffix} file begins like this)")
    if head.startswith(_ZIP_SIGNATURE):
        check_unpacked(path)


def encrypted(path: Path) -> SourceError:
    """The error for a workbook that is protected by a password."""
    return SourceError(f"{path}: the workbook is encrypted: open it, save it without a password, and try again")


def check_text(path: Path) -> None:
    """Check that a file may be delimited text; raises :class:`SourceError` that says what it is instead."""
    content = recognize(check_file(path))
    if content is not Content.OTHER:
        raise refusal(path, content)


def is_zip(path: Path) -> bool:
    """Whether the file has the signature of a ZIP archive."""
    with path.open("rb") as file:
        return file.read(len(_ZIP_SIGNATURE)) == _ZIP_SIGNATURE


@contextmanager
def library_errors(path: Path) -> Iterator[None]:
    """Convert whatever a library raises for a broken workbook into one line.

    Libraries raise KeyError, TypeError, struct.error and others, and from Rust a PanicException, which is not an
    Exception.
    """
    try:
        yield
    except (SourceError, KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except MemoryError as error:
        raise SourceError(f"{path}: needs more memory than there is; --reader openpyxl takes less") from error
    except BaseException as error:
        text = " ".join(str(error).split()) or type(error).__name__
        raise not_understood(path, text) from error
