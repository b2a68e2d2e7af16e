"""Files that are packed: gzip (RFC 1952), Zstandard (RFC 8878), and ZIP archives of one file that are not workbooks."""

from __future__ import annotations

import gzip
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePath
from types import TracebackType
from typing import Generic, Self, TypeVar

import msgspec

from tui_importer.core.model.batch import Block
from tui_importer.core.model.ranges import CellRange
from tui_importer.core.source.content import HEAD_BYTES, Content, content_of
from tui_importer.core.source.layout import Layout
from tui_importer.core.source.reader import NotedSheet, OpenSheet, Reader, SheetInfo, Workbook, merged_ranges
from tui_importer.errors import SourceError

#: The suffixes of packed files.
SUFFIXES = {Content.GZIP: (".gz", ".gzip"), Content.ZSTANDARD: (".zst", ".zstd"), Content.ZIP: (".zip",)}
#: Members that only workbooks have: of OPC packages (ECMA-376 part 2) and of OpenDocument files (part 2, 3.3).
_WORKBOOK_MEMBERS = frozenset({"[Content_Types].xml", "mimetype", "META-INF/manifest.xml"})
#: The suffixes of workbooks by a member that only they have.
_WORKBOOKS = {"xl/workbook.xml": ".xlsx", "xl/workbook.bin": ".xlsb", "mimetype": ".ods"}
#: What a file may unpack to: so many bytes in any case, or so many for each of its own. Texts rarely pack to 2 %.
_BASE_BYTES, _BYTES_PER_BYTE = 1 << 30, 200
_CHUNK = 1 << 20

SheetT = TypeVar("SheetT", bound=OpenSheet)


class Packed(msgspec.Struct, frozen=True):
    """A packed file. ``name`` is the name of what is in it; ``member`` its name in a ZIP archive."""

    path: Path
    content: Content
    name: str
    member: str | None = None

    def chunks(self) -> Generator[bytes, None, None]:
        """What is in it, unpacked. Raises :class:`SourceError` for a damaged or encrypted file."""
        try:
            match self.content:
                case Content.GZIP:
                    with gzip.open(self.path) as unpacked:
                        yield from iter(lambda: unpacked.read(_CHUNK), b"")
                case Content.ZSTANDARD:
                    yield from self._frames()
                case _:
                    with zipfile.ZipFile(self.path) as archive, archive.open(self.member or "") as member:
                        yield from iter(lambda: member.read(_CHUNK), b"")
        except (EOFError, zlib.error, gzip.BadGzipFile, zipfile.BadZipFile, NotImplementedError) as error:
            raise self._damaged(error) from error
        except RuntimeError as error:  # zipfile's error for a password
            raise SourceError(f"{self.path}: cannot be unpacked: {error}") from error
        except OSError as error:
            raise SourceError(f"{self.path}: cannot be unpacked: {error.strerror or error}") from error

    def _frames(self) -> Generator[bytes, None, None]:
        import zstandard

        frame = None
        with self.path.open("rb") as file:
            while packed := file.read(_CHUNK):
                while packed:
                    frame = frame or zstandard.ZstdDecompressor().decompressobj()
                    try:
                        yield frame.decompress(packed)
                    except zstandard.ZstdError as error:
                        raise self._damaged(error) from error
                    packed = frame.unused_data
                    if frame.eof:
                        frame = None
        if frame is not None:
            raise self._damaged(EOFError("the last frame is not complete"))

    def _damaged(self, error: Exception) -> SourceError:
        return SourceError(f"{self.path}: cannot be unpacked, it is damaged or cut off ({error})")

    def head(self) -> bytes:
        """The first bytes of what is in it."""
        chunks = self.chunks()
        try:
            return next(chunks, b"")[:HEAD_BYTES]
        finally:
            chunks.close()

    def unpack(self, folder: Path) -> Path:
        """Unpack it into the folder; returns the new file."""
        most = max(_BASE_BYTES, self.path.stat().st_size * _BYTES_PER_BYTE)
        target = folder / self.name
        with target.open("xb") as file:
            for chunk in self.chunks():
                file.write(chunk)
                if file.tell() > most:
                    raise SourceError(f"{self.path}: unpacks to more than {most:,} bytes, which no real table does")
        return target


def packed(path: Path) -> Packed | None:
    """The file as a packed one; None if it is not packed."""
    content = content_of(path)
    if content not in SUFFIXES:
        return None
    name = path.stem if path.suffix.lower() in SUFFIXES[content] else path.name
    if content is not Content.ZIP:
        return Packed(path, content, name)
    members = _members(path)
    if len(members) != 1 or not _WORKBOOK_MEMBERS.isdisjoint(members):
        return None
    return Packed(path, content, PurePath(members[0].replace("\\", "/")).name or name, members[0])


def workbook_suffix(path: Path) -> str | None:
    """The suffix that a ZIP archive should have by what is in it; None if it is not a workbook."""
    members = _members(path)
    return next((suffix for member, suffix in _WORKBOOKS.items() if member in members), None)


def _members(path: Path) -> list[str]:
    """The names of the files in a ZIP archive; none if it is damaged, and whatever reads workbooks says how."""
    try:
        with zipfile.ZipFile(path) as archive:
            return [info.filename for info in archive.infolist() if info.filename and not info.is_dir()]
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return []


class UnpackingReader:
    """Reads packed files with another reader, from a private copy that is removed when the workbook is closed."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self.typed = reader.typed
        self._limits: tuple[str, ...] | None = None

    def open(self, path: Path) -> UnpackedWorkbook:
        copied = _Copy.of(path)
        try:
            with copied.named():
                self._limits = tuple(map(copied.rename, self._reader.limits(copied.file)))
                return UnpackedWorkbook(self._reader.open(copied.file), copied)
        except BaseException:
            copied.remove()
            raise

    def limits(self, path: Path) -> tuple[str, ...]:
        """Those of the other reader for the copy; for another copy if this reader has not opened the file."""
        if self._limits is None:
            copied = _Copy.of(path)
            try:
                self._limits = tuple(map(copied.rename, self._reader.limits(copied.file)))
            finally:
                copied.remove()
        return self._limits


class _Copy(msgspec.Struct, frozen=True):
    """A private copy of what is in ``path``: ``file``, in a folder of its own."""

    path: Path
    file: Path

    @classmethod
    def of(cls, path: Path) -> Self:
        """Unpack a file. Raises :class:`SourceError` if that is not possible."""
        found = packed(path)
        if found is None:
            raise SourceError(f"{path}: is not packed any more")
        folder = Path(tempfile.mkdtemp(prefix="tui_importer-"))
        try:
            return cls(path, found.unpack(folder))
        except BaseException as error:
            shutil.rmtree(folder, ignore_errors=True)
            if isinstance(error, OSError):
                raise SourceError(f"{path}: cannot be unpacked: {error.strerror or error}") from error
            raise

    def rename(self, text: str) -> str:
        """The text, which names the copy, with the name of the file."""
        return text.replace(str(self.file), str(self.path))

    @contextmanager
    def named(self) -> Iterator[None]:
        """Errors of the reader name the file that the user knows."""
        try:
            yield
        except SourceError as error:
            raise SourceError(self.rename(str(error))) from error

    def remove(self) -> None:
        shutil.rmtree(self.file.parent, ignore_errors=True)


class UnpackedWorkbook:
    """A workbook that was packed."""

    def __init__(self, workbook: Workbook, copied: _Copy) -> None:
        self._workbook = workbook
        self._copy = copied
        self.sheets: Sequence[SheetInfo] = workbook.sheets

    def sheet(self, name: str) -> OpenSheet:
        with self._copy.named():
            sheet = self._workbook.sheet(name)
        return (
            _UnpackedNotedSheet(sheet, self._copy)
            if isinstance(sheet, NotedSheet)
            else _UnpackedSheet(sheet, self._copy)
        )

    def close(self) -> None:
        try:
            self._workbook.close()
        finally:
            self._copy.remove()

    def __enter__(self) -> UnpackedWorkbook:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class _UnpackedSheet(Generic[SheetT]):
    """A sheet of a workbook that was packed."""

    def __init__(self, sheet: SheetT, copied: _Copy) -> None:
        self._sheet = sheet
        self._copy = copied

    @property
    def name(self) -> str:
        return self._sheet.name

    @property
    def row_hint(self) -> int | None:
        return self._sheet.row_hint

    def blocks(self, rows: int) -> Iterator[Block]:
        with self._copy.named():
            yield from self._sheet.blocks(rows)

    def merged(self, last_row: int) -> Sequence[CellRange]:
        return merged_ranges(self._sheet, last_row)


class _UnpackedNotedSheet(_UnpackedSheet[NotedSheet]):
    """One that may have notes."""

    def notes(self, layout: Layout) -> tuple[str, ...]:
        with self._copy.named():
            return tuple(map(self._copy.rename, self._sheet.notes(layout)))
