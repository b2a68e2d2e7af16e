"""Finds what libraries hide in xlsx and xlsm sheets: error cells, and formulas that were never calculated.

python-calamine returns both as ``''``, like a blank; openpyxl returns None for the formula. A blank would silently
become NULL, so the sheet's XML is searched. First, searches in C find the places where such cells may be
(:mod:`tui_importer.readers.suspects`). Then only the cells around these places are read exactly: by a regular
expression if they are written in the usual form, else their rows by an XML parser. Anything unusual in the XML
(comments, other encodings, rows without numbers) makes the parser read the whole sheet. Memory is limited to a few
windows.

Cells: ECMA-376 part 1, 18.3.1.4 (``c``), 18.3.1.40 (``f``), 18.3.1.96 (``v``), 18.18.11 (cell types). An error with
metadata of its value (``vm``) is none: older programs see one where a cell holds a picture or a data type ([MS-XLSX]
2.3.6, rich values).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path

from tui_importer.core.model.cells import Cell, CellError, UncalculatedFormula, column_index
from tui_importer.core.model.patterns import pattern
from tui_importer.readers.cell_extent import CellExtent
from tui_importer.readers.files import is_zip
from tui_importer.readers.hidden_cell import HiddenCell
from tui_importer.readers.package import CHUNK, XML_ERRORS, Package, damaged, local, xml_parser
from tui_importer.readers.serials import SerialSearch
from tui_importer.readers.suspects import plain_cell, plain_text, suspects

#: No spreadsheet program writes a row larger than this, in bytes.
_MAX_ROW = 32 << 20

#: The optional prefix ends with a colon; Microsoft's Open XML SDK writes one.
_SHEET_DATA = pattern(rb"<((?:[A-Za-z_][\w.-]*:)?)sheetData(?=[\s/>])")
_REFERENCE = pattern(r"([A-Za-z]{1,3})([0-9]{1,7})")


class _UnusualError(Exception):
    """The fast search does not understand this XML."""


def is_searchable(path: Path) -> bool:
    """Whether the file stores its sheets as XML that can be searched (xlsx and xlsm, not xlsb, xls and ods)."""
    if not is_zip(path):
        return False
    workbook = Package(path).workbook_part()
    return workbook is not None and workbook.lower().endswith(".xml")


def hidden_cells(
    path: Path, sheet: str, extent: CellExtent | None = None, serials: SerialSearch | None = None, *, chunk: int = CHUNK
) -> dict[int, list[HiddenCell]]:
    """Find all hidden cells of a sheet, by row. ``extent``, if given, is extended by all cells; ``serials`` finds the
    numbers that libraries convert to wrong dates; ``chunk`` is the number of bytes of XML per window.

    Raises :class:`tui_importer.errors.SourceError` if the workbook is damaged.
    """
    package = Package(path)
    part = package.sheet_part(sheet)
    try:
        found = list(_searched(path, package.pieces(part, chunk), extent, serials))
    except _UnusualError:
        found = parsed(path, package.pieces(part, chunk), extent, serials)
    if extent is not None:
        extent.check_limits(path)
    by_row: dict[int, list[HiddenCell]] = {}
    for cell in found:
        by_row.setdefault(cell.row, []).append(cell)
    return by_row


def parsed(
    path: Path, pieces: Iterable[bytes], extent: CellExtent | None = None, serials: SerialSearch | None = None
) -> list[HiddenCell]:
    """The hidden cells of a whole sheet by the XML parser alone: slow but always exact."""
    finder = _CellFinder(path, extent, serials)
    try:
        for piece in pieces:
            finder.parser.Parse(piece, False)
        finder.parser.Parse(b"", True)
    except XML_ERRORS as error:
        raise damaged(path, error) from error
    return finder.found


def _searched(
    path: Path, pieces: Iterable[bytes], extent: CellExtent | None, serials: SerialSearch | None = None
) -> Iterator[HiddenCell]:
    """Yield the hidden cells by search. Only rows with a suspect in a cell of an unusual form are parsed."""
    for window in _windows(pieces):
        if (b"!" in window and b"<!" in window) or (b"?" in window and b"<?" in window):
            raise _UnusualError
        if extent is not None and not extent.search(window):
            raise _UnusualError
        if serials is not None:
            moments = serials.cells(window)
            if moments is None:
                raise _UnusualError
            yield from moments
        if places := suspects(window):
            yield from _cells_around(path, window, places)


def _cells_around(path: Path, window: bytes, places: Iterable[int]) -> Iterator[HiddenCell]:
    """Yield the hidden cells around these places."""
    plain: list[tuple[int, HiddenCell]] = []
    odd_rows: list[bytes] = []
    end = 0
    for place in places:
        if place < end:
            continue  # within a cell or row already read
        cell = plain_cell(window, place)
        if cell is not None:
            end = cell.end
            error, uncalculated = cell.type == "e", _uncalculated(cell.type, cell.formula, cell.value)
            if not error and not uncalculated:
                continue
            if error and cell.rich:
                plain.append((place, HiddenCell(cell.row, _column(cell.letters), None, rich=True)))
                continue
            text = plain_text(cell.value if error else cell.formula)
            if text is not None:
                value = _error(text) if error else UncalculatedFormula(text)
                plain.append((place, HiddenCell(cell.row, _column(cell.letters), value)))
                continue
        start, end = window.rfind(b"<row", 0, place), window.find(b"</row>", place)
        if start < 0 or end < 0:
            raise _UnusualError
        end += len(b"</row>")
        odd_rows.append(window[start:end])
        while plain and plain[-1][0] > start:
            plain.pop()  # the parser finds it again
    yield from (cell for _, cell in plain)
    if odd_rows:
        yield from _parsed_rows(path, odd_rows)


@lru_cache(64)
def _column(letters: str) -> int:
    try:
        return column_index(letters)
    except ValueError:
        raise _UnusualError from None  # the parser reports what is wrong


def _windows(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Cut the XML after ends of rows and remove the namespace prefix of its elements. Raises :class:`_UnusualError` for
    a sheet written in an unusual form."""
    held = b""
    prefix: bytes | None = None
    for piece in pieces:
        held += piece
        if prefix is None:
            start = _SHEET_DATA.search(held)
            if start is None:
                if len(held) > _MAX_ROW:
                    raise _UnusualError
                continue
            if not _is_plain(held[: start.start()]):
                raise _UnusualError
            held, prefix = held[start.start() :], start[1]
            row_end = b"</%brow>" % prefix
        cut = held.rfind(row_end)
        if cut < 0:
            if len(held) > _MAX_ROW:
                raise _UnusualError
            continue
        cut += len(row_end)
        yield _without(held[:cut], prefix)
        held = held[cut:]
    if prefix is None:
        raise _UnusualError
    held = _without(held, prefix)
    if b"<!" in held or b"<row" in held.partition(b"</sheetData")[0]:
        raise _UnusualError


def _without(window: bytes, prefix: bytes) -> bytes:
    """Remove the prefix (with its colon) of elements: a bare < occurs only before element names."""
    return window.replace(b"<" + prefix, b"<").replace(b"</" + prefix, b"</") if prefix else window


def _is_plain(head: bytes) -> bool:
    """Whether the XML before the rows is UTF-8 without constructs that could hide or move rows."""
    declaration, mark, rest = head.removeprefix(b"\xef\xbb\xbf").partition(b"?>")
    if not mark:
        declaration, rest = b"", head
    encoding = re.search(rb"""encoding\s*=\s*["']([^"']*)""", declaration)
    utf8 = encoding is None or encoding.group(1).lower() in (b"utf-8", b"us-ascii", b"ascii")
    return utf8 and b"<!" not in rest and b"<?" not in rest and b"\0" not in head


def _parsed_rows(path: Path, rows: Iterable[bytes]) -> list[HiddenCell]:
    """The hidden cells in the XML of these rows."""
    finder = _CellFinder(path)
    try:
        finder.parser.Parse(b"<sheetData>%b</sheetData>" % b"".join(rows), True)
    except XML_ERRORS:
        raise _UnusualError from None  # parsing the whole sheet shows whether it is damaged
    if not finder.rows_numbered:
        raise _UnusualError
    return finder.found


class _CellFinder:
    """Reads rows and cells from XML and collects the hidden ones."""

    def __init__(self, path: Path, extent: CellExtent | None = None, serials: SerialSearch | None = None) -> None:
        self.found: list[HiddenCell] = []
        self._extent = extent
        self._serials = serials
        self._style = 0
        self._rich = False
        self.rows_numbered = True
        self._row = 0
        self._column = -1
        self._type = ""
        self._texts: dict[str, str] | None = None  # of the cell's f and v elements, while inside of a cell
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
                self._rich = "vm" in attributes
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
                if self._texts and self._extent is not None:
                    self._extent.add(self._row, self._column)
                formula, text = self._texts.get("f"), self._texts.get("v")
                value: Cell = None
                if self._type == "e" and self._rich:
                    self.found.append(HiddenCell(self._row, self._column, None, rich=True))
                elif self._type == "e":
                    value = _error(text or "")
                elif _uncalculated(self._type, formula, text) and "is" not in self._texts:
                    value = UncalculatedFormula(formula or "")
                elif self._serials is not None and self._type == "n":
                    value = self._serials.value(self._style, text or "")
                if value is not None:
                    self.found.append(HiddenCell(self._row, self._column, value))
                self._texts = None

    def _text(self, text: str) -> None:
        if self._inside is not None and self._texts is not None:
            self._texts[self._inside] += text


@lru_cache(64)
def _error(text: str) -> CellError:
    """The error with this name."""
    return CellError(text.strip() or "#ERROR!")


def _uncalculated(type_: str, formula: str | bytes | None, value: str | bytes | None) -> bool:
    """Whether a formula has no value. A cached text may be empty (``t="str"``, an empty ``v``), a number may not."""
    return formula is not None and (value is None if type_ == "str" else not value)
