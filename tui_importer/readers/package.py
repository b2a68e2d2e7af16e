"""Reads the parts of an Office Open XML workbook: finds the part that holds a sheet, and yields its bytes piece by
piece.

ECMA-376 part 2 (packages and relationships) and part 1, 18.2 (workbook). Sheets are found through relationships, as the
format prescribes, never by their usual file names.
"""

from __future__ import annotations

import os
import posixpath
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from urllib.parse import unquote
from xml.parsers import expat

from tui_importer.core.model.patterns import pattern
from tui_importer.core.source.reader import SheetInfo
from tui_importer.errors import SourceError

#: Bytes of XML processed at once: large enough for searches in C, small beside any workbook.
CHUNK = 1 << 20
#: Maximum bytes of parts other than sheets; a larger one is an attack on memory.
_MAX_SMALL_PART = 64 << 20

#: A part that unpacks to more bytes than this, and by more than this ratio, is a ZIP bomb. A sheet of a million
#: identical rows has a ratio of fifteen.
_BOMB_BYTES = 512 << 20
_BOMB_RATIO = 100

#: The bytes at the beginning of the shared strings that hold their count, and the XML of the shortest one, ``<si/>``.
_STRINGS_HEAD = 1 << 12
_UNIQUE_COUNT = pattern(rb"""uniqueCount\s*=\s*["']([0-9]{1,20})""")
_SHORTEST_STRING = 5

#: The local file header up to the lengths of name and extra field (PKWARE APPNOTE 4.3.7).
_LOCAL_HEADER = struct.Struct("<26xHH")
_ENCRYPTED_FLAG = 0x1

StartHandler = Callable[[str, dict[str, str]], None]


def damaged(path: Path, why: object) -> SourceError:
    """The error for a workbook that violates its format."""
    return SourceError(f"{path}: cannot be read as a workbook, it may be damaged ({' '.join(str(why).split())})")


class NotUnderstoodError(SourceError):
    """A library does not understand the workbook, which may be damaged, or only written in an unusual form."""


def not_understood(path: Path, why: object) -> NotUnderstoodError:
    """The error for a workbook that a library refuses."""
    return NotUnderstoodError(str(damaged(path, why)))


def check_unpacked(path: Path) -> None:
    """Refuse a ZIP archive that unpacks to an implausible size, or to more than the machine's memory."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for member in Package(path).members():
        size, packed = member.file_size, member.compress_size
        if size > _BOMB_BYTES and size > packed * _BOMB_RATIO:
            raise SourceError(
                f"{path}: {member.filename} unpacks from {packed:,} bytes to {size:,}, as only a ZIP bomb does"
            )
        if size > memory:
            raise SourceError(f"{path}: {member.filename} unpacks to {size:,} bytes, more than this machine has memory")


def local(name: str) -> str:
    """An element's or attribute's name without its prefix."""
    return name.rpartition(":")[2]


class Package:
    """A workbook as a ZIP archive. Raises :class:`SourceError` if it is not one."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with zipfile.ZipFile(path) as archive:
                # Part names are case-insensitive (ECMA-376 part 2, 6.2.2.3).
                self._members = {member.filename.lstrip("/").lower(): member for member in archive.infolist()}
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
            raise damaged(path, error) from error

    def members(self) -> Iterable[zipfile.ZipInfo]:
        """The entries of the archive."""
        return self._members.values()

    def workbook_part(self) -> str | None:
        """The name of the workbook part; None if the archive is not an Office Open XML package."""
        for type_, target in self._relationships("").values():
            if type_.endswith("/officeDocument"):
                return target
        return None

    def sheets(self) -> tuple[SheetInfo, ...]:
        """All worksheets, in workbook order."""
        workbook = self._workbook()
        relationships = self._relationships(workbook)
        return tuple(
            SheetInfo(name, hidden=hidden)
            for name, (identity, hidden) in self._sheet_identities(workbook).items()
            if relationships.get(identity, ("", ""))[0].endswith("/worksheet")
        )

    def first_sheet(self) -> str | None:
        """The first sheet that is not hidden, which is the default."""
        return next((sheet.name for sheet in self.sheets() if not sheet.hidden), None)

    def sheet_part(self, sheet: str) -> str:
        """The name of the part that holds a sheet, given by its name."""
        workbook = self._workbook()
        identity, _ = self._sheet_identities(workbook).get(sheet, ("", False))
        relationship = self._relationships(workbook).get(identity)
        if relationship is None or relationship[1].lower() not in self._members:
            raise damaged(self.path, f"no part for sheet {sheet!r}")
        return relationship[1]

    def _workbook(self) -> str:
        workbook = self.workbook_part()
        if workbook is None:
            raise damaged(self.path, "no workbook part")
        return workbook

    def _sheet_identities(self, workbook: str) -> dict[str, tuple[str, bool]]:
        """Name of each sheet -> identity of the relationship to its part, and whether it is hidden."""
        identities: dict[str, tuple[str, bool]] = {}

        def start(name: str, attributes: dict[str, str]) -> None:
            if local(name) == "sheet" and "name" in attributes:
                found = next((value for key, value in attributes.items() if key.endswith(":id")), "")
                hidden = attributes.get("state", "visible") != "visible"
                identities.setdefault(attributes["name"], (found, hidden))

        self._parse(workbook, start)
        return identities

    def walk_related(self, kind: str, start: StartHandler) -> None:
        """Call ``start`` for the elements of the parts that the workbook references by relationships of that kind;
        ``/officeDocument`` is the workbook part itself."""
        workbook = self._workbook()
        related = [workbook] if kind == "/officeDocument" else self.related(workbook, kind)
        for part in related:
            self._parse(part, start)

    def sheet_targets(self, workbook: str) -> dict[str, tuple[str, bool]]:
        """Identity of each relationship of the workbook part -> its type, and whether its part exists."""
        return {
            identity: (type_, target.lower() in self._members)
            for identity, (type_, target) in self._relationships(workbook).items()
        }

    def related(self, part: str, kind: str) -> list[str]:
        """The existing parts that ``part`` references by relationships of that kind."""
        targets = (target for type_, target in self._relationships(part).values() if type_.endswith(kind))
        return [target for target in targets if target.lower() in self._members]

    def part_by_identity(self, part: str, identity: str) -> str | None:
        """The part that ``part`` references by the relationship with that identity; None if there is none."""
        target = self._relationships(part).get(identity, ("", ""))[1]
        return target if target.lower() in self._members else None

    def shared_strings(self, size: int = CHUNK) -> Iterator[bytes]:
        """Yield the XML of the shared strings in pieces of at most ``size`` bytes; nothing if there are none."""
        for type_, target in self._relationships(self.workbook_part() or "").values():
            if type_.endswith("/sharedStrings"):
                yield from self.pieces(target, size)

    def shared_strings_hold(self, needle: bytes) -> bool:
        """Whether the XML of the shared strings contains these bytes."""
        tail = b""
        for piece in self.shared_strings():
            if needle in tail + piece:
                return True
            tail = piece[-len(needle) :]
        return False

    def check_shared_strings(self) -> None:
        """Refuse shared strings whose count exceeds what their XML can hold: libraries allocate memory by the count."""
        for type_, target in self._relationships(self.workbook_part() or "").values():
            member = self._members.get(target.lower())
            if not type_.endswith("/sharedStrings") or member is None:
                continue
            claimed = _UNIQUE_COUNT.search(next(self.pieces(target, _STRINGS_HEAD), b"").partition(b"<si")[0])
            if claimed and int(claimed[1]) * _SHORTEST_STRING > member.file_size:
                raise damaged(self.path, f"part {target} claims {int(claimed[1]):,} texts, more than it has room for")

    def pieces(self, part: str, size: int = CHUNK) -> Iterator[bytes]:
        """Yield the part's bytes in pieces of at most ``size``. Checksums are left to the library that parses the
        file."""
        member = self._members.get(part.lower())
        if member is None:
            raise damaged(self.path, f"no part {part}")
        if member.flag_bits & _ENCRYPTED_FLAG or member.compress_type not in (zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED):
            raise damaged(self.path, f"part {part} is encrypted or compressed in a way that no workbook is")
        try:
            with self.path.open("rb") as file:
                file.seek(member.header_offset)
                file.seek(sum(_LOCAL_HEADER.unpack(file.read(_LOCAL_HEADER.size))), 1)
                left, unpacked = member.compress_size, 0
                inflate = zlib.decompressobj(-15) if member.compress_type == zipfile.ZIP_DEFLATED else None
                while left > 0 and (raw := file.read(min(left, size))):
                    left -= len(raw)
                    if inflate is None:
                        yield raw
                        continue
                    while raw:
                        piece = inflate.decompress(raw, size)
                        unpacked += len(piece)
                        if unpacked > member.file_size:
                            raise damaged(self.path, f"part {part} unpacks to more than it says")
                        yield piece
                        raw = inflate.unconsumed_tail
                if inflate is not None:
                    yield inflate.flush()
        except (OSError, zlib.error, struct.error) as error:
            raise damaged(self.path, error) from error

    def _relationships(self, part: str) -> dict[str, tuple[str, str]]:
        """A part's relationships: identity -> (type, name of the target part)."""
        folder, name = posixpath.split(part)
        relationships: dict[str, tuple[str, str]] = {}

        def start(element: str, attributes: dict[str, str]) -> None:
            if local(element) == "Relationship" and attributes.get("TargetMode") != "External":
                target = unquote(attributes.get("Target", "")).replace("\\", "/")
                whole = posixpath.normpath(posixpath.join("/", folder, target)).lstrip("/")
                relationships[attributes.get("Id", "")] = (attributes.get("Type", ""), whole)

        rels = posixpath.join(folder, "_rels", f"{name}.rels")
        if rels.lower() in self._members:
            self._parse(rels, start)
        return relationships

    def _parse(self, part: str, start: StartHandler) -> None:
        parser = xml_parser(self.path)
        parser.StartElementHandler = start
        size = 0
        try:
            for piece in self.pieces(part):
                size += len(piece)
                if size > _MAX_SMALL_PART:
                    raise damaged(self.path, f"part {part} is absurdly large")
                parser.Parse(piece, False)
            parser.Parse(b"", True)
        except XML_ERRORS as error:
            raise damaged(self.path, f"part {part}: {error}") from error


#: What parsing XML raises: for an encoding that is not known, what looking up a codec does.
XML_ERRORS = (expat.ExpatError, ValueError, LookupError)


def xml_parser(path: Path) -> expat.XMLParserType:
    """Create a parser that refuses document type declarations: no workbook has one, and entity bombs need one."""
    parser = expat.ParserCreate()
    parser.buffer_text = True

    def refuse(*declaration: object) -> None:
        raise damaged(path, "it holds a document type declaration")

    parser.StartDoctypeDeclHandler = refuse
    return parser
