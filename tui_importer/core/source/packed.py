"""Files that are packed: gzip (RFC 1952), Zstandard (RFC 8878), and ZIP archives of one file that are no workbooks."""

from __future__ import annotations

import gzip
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from types import TracebackType

from tui_importer.core.source.content import HEAD_BYTES, Content, content_of
from tui_importer.core.source.reader import OpenSheet, Reader, SheetInfo, Workbook
from tui_importer.errors import SourceError

#: The suffixes of packed files.
SUFFIXES = {Content.GZIP: (".gz", ".gzip"), Content.ZSTANDARD: (".zst", ".zstd"), Content.ZIP: (".zip",)}
#: Members that only workbooks have: of OPC packages (ECMA-376 part 2) and of OpenDocument files (part 2, 3.3).
_WORKBOOK_MEMBERS = frozenset({"[Content_Types].xml", "mimetype", "META-INF/manifest.xml"})
#: What a file may unpack to: so many bytes in any case, or so many for each of its own. Texts rarely pack to 2 %.
_BASE_BYTES, _BYTES_PER_BYTE = 1 << 30, 200
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Packed:
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
    """The file as a packed one; None if it is none."""
    content = content_of(path)
    if content not in SUFFIXES:
        return None
    name = path.stem if path.suffix.lower() in SUFFIXES[content] else path.name
    if content is not Content.ZIP:
        return Packed(path, content, name)
    try:
        with zipfile.ZipFile(path) as archive:
            members = [info for info in archive.infolist() if not info.is_dir()]
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return None  # whatever reads workbooks says what is wrong
    if len(members) != 1 or not _WORKBOOK_MEMBERS.isdisjoint(info.filename for info in members):
        return None
    member = members[0].filename
    return Packed(path, content, PurePath(member.replace("\\", "/")).name or name, member)


class UnpackingReader:
    """Reads packed files with another reader, from a private copy that is removed when the workbook is closed."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self.typed = reader.typed

    def open(self, path: Path) -> UnpackedWorkbook:
        found = packed(path)
        if found is None:
            raise SourceError(f"{path}: is not packed any more")
        folder = Path(tempfile.mkdtemp(prefix="tui_importer-"))
        try:
            return UnpackedWorkbook(self._reader.open(found.unpack(folder)), folder)
        except BaseException as error:
            shutil.rmtree(folder, ignore_errors=True)
            if isinstance(error, SourceError):  # it names the copy
                raise SourceError(str(error).replace(str(folder / found.name), str(path))) from error
            if isinstance(error, OSError):
                raise SourceError(f"{path}: cannot be unpacked: {error.strerror or error}") from error
            raise

    def limits(self, path: Path) -> tuple[str, ...]:
        return ()


class UnpackedWorkbook:
    """A workbook that was packed."""

    def __init__(self, workbook: Workbook, folder: Path) -> None:
        self._workbook = workbook
        self._folder = folder
        self.sheets: Sequence[SheetInfo] = workbook.sheets

    def sheet(self, name: str) -> OpenSheet:
        return self._workbook.sheet(name)

    def close(self) -> None:
        try:
            self._workbook.close()
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> UnpackedWorkbook:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
