"""What libraries hide: cells with errors, and formulas that were never calculated.

python-calamine hands both over as ``''``, like a blank; openpyxl gives None for the formula. A blank would become NULL
in silence, so xlsx and xlsm sheets are searched for themselves: first, in passes in C over the raw XML, for what such a
cell must contain; then, only around what was found, exactly, by an XML parser. Anything unusual in the XML (comments,
prefixes, other encodings, rows without numbers) sends the whole sheet through the parser. Memory is a few windows.

Cells: ECMA-376 part 1, 18.3.1.4 (``c``), 18.3.1.40 (``f``), 18.3.1.96 (``v``), 18.18.11 (cell types).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from xml.parsers import expat

from tui_importer.core.cells import Cell, CellError, UncalculatedFormula, column_index
from tui_importer.readers.files import is_zip
from tui_importer.readers.package import CHUNK, Package, damaged, local, xml_parser
from tui_importer.readers.reach import Reach

if TYPE_CHECKING:
    from tui_importer.readers.serials import SerialSearch

#: A row larger than so many bytes is none that a spreadsheet program wrote.
_MAX_ROW = 32 << 20

#: What the cells that are looked for contain: the value e of the attribute t in any quoting, or a formula that is not
#: followed at once by a value.
_SUSPECT = re.compile(
    rb"""(?:"e"|'e'|=\s*["']&)|<f(?:\s[^<>]*)?(?:/>|>[^<]*</f\s*>)(?!<v>[^<])|<f[\s/>](?![^<>]*>[^<]*</f)""",
    re.DOTALL,
)
_REFERENCE = re.compile(r"([A-Za-z]{1,3})([0-9]{1,7})")


@dataclass(frozen=True, slots=True)
class HiddenCell:
    """A cell that a library shows as blank, or as another value than ``value``. ``row`` is its sheet row (from 1),
    ``column`` its sheet column (from 0)."""

    row: int
    column: int
    value: Cell


class _UnusualError(Exception):
    """The quick search does not know this XML."""


def can_look(path: Path) -> bool:
    """Whether the file keeps its sheets as XML that can be searched (xlsx and xlsm, not xlsb, xls and ods)."""
    if not is_zip(path):
        return False
    workbook = Package(path).workbook_part()
    return workbook is not None and workbook.lower().endswith(".xml")


def hidden_cells(
    path: Path, sheet: str, reach: Reach | None = None, serials: SerialSearch | None = None, *, chunk: int = CHUNK
) -> dict[int, list[HiddenCell]]:
    """All hidden cells of a sheet, by row. ``reach``, where there is one, is shown the cells as well; ``serials`` finds
    the numbers that mean another moment than a library makes of them; ``chunk`` is how many bytes of XML are in hand at
    once.

    Raises :class:`tui_importer.errors.SourceError` where the workbook is damaged.
    """
    package = Package(path)
    part = package.sheet_part(sheet)
    try:
        found = list(_searched(path, package.pieces(part, chunk), reach, serials))
    except _UnusualError:
        found = parsed(path, package.pieces(part, chunk), reach, serials)
    if reach is not None:
        reach.check_limits(path)
    by_row: dict[int, list[HiddenCell]] = {}
    for cell in found:
        by_row.setdefault(cell.row, []).append(cell)
    return by_row


def parsed(
    path: Path, pieces: Iterable[bytes], reach: Reach | None = None, serials: SerialSearch | None = None
) -> list[HiddenCell]:
    """The hidden cells of a whole sheet by the XML parser alone: slow and sure."""
    finder = _CellFinder(path, reach, serials)
    try:
        for piece in pieces:
            finder.parser.Parse(piece, False)
        finder.parser.Parse(b"", True)
    except (expat.ExpatError, ValueError) as error:
        raise damaged(path, error) from error
    return finder.found


def _searched(
    path: Path, pieces: Iterable[bytes], reach: Reach | None, serials: SerialSearch | None = None
) -> Iterator[HiddenCell]:
    """The hidden cells by search, looking exactly only at the rows where something was found."""
    for window in _windows(pieces):
        if reach is not None and not reach.search(window):
            raise _UnusualError
        if serials is not None:
            moments = serials.cells(window)
            if moments is None:
                raise _UnusualError
            yield from moments
        if _is_clean(window):
            continue
        end = 0
        for suspect in _SUSPECT.finditer(window):
            if suspect.start() < end:
                continue  # in a row that was looked at already
            start = max(window.rfind(b"<row ", 0, suspect.start()), window.rfind(b"<row>", 0, suspect.start()))
            end = window.find(b"</row>", suspect.start())
            if start < 0 or end < 0:
                break  # behind the last row
            end += len(b"</row>")
            yield from _looked_at(path, window[start:end])


def _is_clean(window: bytes) -> bool:
    """Whether nothing hidden can be in the window. A letter that is nowhere in it is ruled out at memory speed."""
    if (b"!" in window and b"<!" in window) or (b"?" in window and b"<?" in window):
        raise _UnusualError
    return not (
        (b"e" in window and b'"e"' in window)
        or (b"'" in window and b"'e'" in window)
        or (b"&" in window and (b'"&' in window or b"'&" in window))
        or (b"f" in window and b"<f" in window)
    )


def _windows(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The XML cut behind the end of a row; raises :class:`_UnusualError` for a sheet that is not written plainly."""
    held = b""
    begun = False
    for piece in pieces:
        held += piece
        if not begun:
            start = held.find(b"<sheetData")
            if start < 0:
                if len(held) > _MAX_ROW:
                    raise _UnusualError
                continue
            if not _is_plain(held[:start]):
                raise _UnusualError
            held, begun = held[start:], True
        cut = held.rfind(b"</row>")
        if cut < 0:
            if len(held) > _MAX_ROW:
                raise _UnusualError
            continue
        cut += len(b"</row>")
        yield held[:cut]
        held = held[cut:]
    if not begun:
        raise _UnusualError
    if b"<!" in held or b"<row" in held.partition(b"</sheetData")[0]:
        raise _UnusualError


def _is_plain(head: bytes) -> bool:
    """Whether what comes before the rows is UTF-8 without anything that could hide or move them."""
    declaration, mark, rest = head.removeprefix(b"\xef\xbb\xbf").partition(b"?>")
    if not mark:
        declaration, rest = b"", head
    encoding = re.search(rb"""encoding\s*=\s*["']([^"']*)""", declaration)
    utf8 = encoding is None or encoding.group(1).lower() in (b"utf-8", b"us-ascii", b"ascii")
    return utf8 and b"<!" not in rest and b"<?" not in rest and b"\0" not in head


def _looked_at(path: Path, row: bytes) -> list[HiddenCell]:
    """The hidden cells of one row's XML."""
    finder = _CellFinder(path)
    try:
        finder.parser.Parse(row, True)
    except (expat.ExpatError, ValueError):
        raise _UnusualError from None  # the whole sheet will show whether it is damaged
    if not finder.rows_numbered:
        raise _UnusualError
    return finder.found


class _CellFinder:
    """Follows rows and cells through XML and keeps the hidden ones."""

    def __init__(self, path: Path, reach: Reach | None = None, serials: SerialSearch | None = None) -> None:
        self.found: list[HiddenCell] = []
        self._reach = reach
        self._serials = serials
        self._style = 0
        self.rows_numbered = True
        self._row = 0
        self._column = -1
        self._type = ""
        self._texts: dict[str, str] | None = None  # of the cell's f and v, while in a cell
        self._inside: str | None = None
        self.parser = xml_parser(path)
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        match local(name):
            case "row":
                self._column = -1
                if "r" in attributes:
                    self._row = int(attributes["r"])
                else:
                    self._row += 1
                    self.rows_numbered = False
            case "c":
                self._type = attributes.get("t", "n")
                self._style = int(attributes.get("s", "0"))
                self._texts = {}
                reference = _REFERENCE.fullmatch(attributes.get("r", ""))
                if reference:
                    self._column, self._row = column_index(reference[1]), int(reference[2])
                else:
                    self._column += 1
            case "f" | "v" | "is" as inner if self._texts is not None:
                self._inside = inner
                self._texts.setdefault(inner, "")

    def _end(self, name: str) -> None:
        match local(name):
            case "f" | "v" | "is":
                self._inside = None
            case "c" if self._texts is not None:
                if self._texts and self._reach is not None:
                    self._reach.see(self._row, self._column)
                value: Cell = _hidden(self._type, self._texts)
                if value is None and self._serials is not None and self._type == "n":
                    value = self._serials.value(self._style, self._texts.get("v", ""))
                if value is not None:
                    self.found.append(HiddenCell(self._row, self._column, value))
                self._texts = None

    def _text(self, text: str) -> None:
        if self._inside is not None and self._texts is not None:
            self._texts[self._inside] += text


def _hidden(type_: str, texts: dict[str, str]) -> CellError | UncalculatedFormula | None:
    """What a cell hides. A cached text may be empty (``t="str"`` with an empty ``v``); a cached number may not."""
    if type_ == "e":
        return CellError(texts.get("v", "").strip() or "#ERROR!")
    if "f" not in texts or "is" in texts:
        return None
    calculated = "v" in texts and (texts["v"] != "" or type_ == "str")
    return None if calculated else UncalculatedFormula(texts["f"])
