"""Reads the first rows of a workbook for a preview, long before the whole of it is parsed.

Only the beginning of the sheet's XML is read, and only the shared strings that these cells need. Values are as stored
in the file: a date is still a number. ECMA-376 part 1, 18.3.1.73 (``row``), 18.3.1.4 (``c``), 18.4.8 (``si``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from xml.parsers import expat

from tui_importer.core.model.cells import MAX_ROWS, column_index
from tui_importer.core.model.patterns import pattern
from tui_importer.core.model.plan import Source
from tui_importer.core.model.preview import PREVIEW_COLUMNS, PREVIEW_ROWS, PREVIEW_TEXT, Preview
from tui_importer.core.model.standard_input import source_path
from tui_importer.core.source.sheets import choose_sheet
from tui_importer.errors import SourceError
from tui_importer.readers.files import is_zip
from tui_importer.readers.package import XML_ERRORS, Package, local, xml_parser

#: Bytes of XML per read, and the total after which the preview is given up: it has to come soon.
_PIECE, _MAX_BYTES = 64 << 10, 32 << 20
#: Characters kept per cell: each may be written as ``_x0000_``.
_MAX_KEPT = 7 * PREVIEW_TEXT

_LETTERS = pattern(r"[A-Za-z]{1,3}")
#: An escaped character, which XML cannot hold or might lose (22.9.2.19, ``ST_Xstring``); surrogates stay escaped.
_ESCAPED = pattern(r"_x((?!D[89A-F])[0-9A-F]{4})_", re.IGNORECASE)
_BOOLEANS = {"0": "FALSE", "1": "TRUE"}


def peek(source: Source) -> Preview | None:
    """Read the beginning of an xlsx or xlsm sheet, from column A on. None for other formats and for XML in an unusual
    form: the reader itself reports what is wrong."""
    path = source_path(source.file)
    try:
        if not is_zip(path):
            return None
        package = Package(path)
        known = package.sheets()
        sheets, sheet = tuple(each.name for each in known), choose_sheet(known, source.sheet, path)
        rows, strings = first_rows(package, sheet)
    except (SourceError, OSError, ValueError):
        return None
    return rows.result(sheets, sheet, strings)


def first_rows(package: Package, sheet: str, number: int = PREVIEW_ROWS) -> tuple[FirstRows, dict[int, str]]:
    """The first rows of a sheet that are not blank, and the shared strings in them by their numbers.

    Raises :class:`SourceError` or ``ValueError`` if the XML is in an unusual form."""
    rows = FirstRows(package.path, number)
    rows.read(package.pieces(package.sheet_part(sheet), _PIECE))
    strings: dict[int, str] = {}
    if rows.strings_wanted:
        strings = FirstStrings(package.path, rows.strings_wanted).read(package.shared_strings(_PIECE))
    return rows, strings


class _Enough(Exception):  # not an error: it stops the parser
    """There are enough rows."""


class FirstRows:
    """Reads rows and cells until there are enough rows that are not blank.

    ``cells`` are, by sheet row (from 1) and column (from 0), their type as an attribute says it, and their text."""

    def __init__(self, path: Path, rows: int = PREVIEW_ROWS) -> None:
        self.strings_wanted: set[int] = set()
        self.cells: dict[int, dict[int, tuple[str, str]]] = {}
        self._path = path
        self._enough = rows
        self._row, self._column = 0, -1
        self._type, self._text, self._depth = "n", "", 0

    def read(self, pieces: Iterable[bytes]) -> None:
        """Parse until there are enough rows."""
        parser = xml_parser(self._path)
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._data
        _parse(parser, pieces)
        self.strings_wanted = {
            int(text) for cells in self.cells.values() for type_, text in cells.values() if type_ == "s"
        }

    def result(self, sheets: tuple[str, ...], sheet: str, strings: dict[int, str]) -> Preview | None:
        """The rows as text; None if there were none."""
        if not self.cells:
            return None
        first = min(self.cells)
        width = min(PREVIEW_COLUMNS, 1 + max(max(cells) for cells in self.cells.values()))
        rows = []
        for number in range(first, min(max(self.cells) + 1, first + PREVIEW_ROWS)):
            row = [""] * width
            for column, (type_, text) in self.cells.get(number, {}).items():
                if column < width:
                    row[column] = _shown(strings.get(int(text), "") if type_ == "s" else text, type_)
            rows.append(tuple(row))
        return Preview(sheets, sheet, first, 0, tuple(rows))

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        match local(name):
            case "row":
                if len(self.cells) >= self._enough:
                    raise _Enough
                self._row, self._column = int(attributes.get("r", self._row + 1)), -1
                if not 1 <= self._row <= MAX_ROWS:
                    raise ValueError("there is no such row")
            case "c":
                letters = _LETTERS.match(attributes.get("r", ""))
                self._column = column_index(letters[0]) if letters else self._column + 1
                self._type, self._text = attributes.get("t", "n"), ""
            case "v" | "t":
                self._depth += 1
            case "rPh":  # phonetic text is not part of the string (18.4.6)
                self._depth -= 1

    def _end(self, name: str) -> None:
        match local(name):
            case "v" | "t":
                self._depth -= 1
            case "rPh":
                self._depth += 1
            case "c" if self._text:
                self.cells.setdefault(self._row, {})[self._column] = (self._type, self._text)
            case "sheetData":
                raise _Enough

    def _data(self, text: str) -> None:
        if self._depth > 0 and len(self._text) < _MAX_KEPT:
            self._text += text


class FirstStrings:
    """Reads shared strings until all wanted ones were found."""

    def __init__(self, path: Path, wanted: set[int]) -> None:
        self._path = path
        self._wanted, self._last = wanted, max(wanted)
        self._found: dict[int, str] = {}
        self._number, self._text, self._depth = -1, "", 0

    def read(self, pieces: Iterable[bytes]) -> dict[int, str]:
        """The wanted strings by number."""
        parser = xml_parser(self._path)
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._data
        _parse(parser, pieces)
        return self._found

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        match local(name):
            case "si":
                self._number, self._text = self._number + 1, ""
            case "t":
                self._depth += 1
            case "rPh":
                self._depth -= 1

    def _end(self, name: str) -> None:
        match local(name):
            case "si":
                if self._number in self._wanted:
                    self._found[self._number] = self._text
                if self._number >= self._last:
                    raise _Enough
            case "t":
                self._depth -= 1
            case "rPh":
                self._depth += 1

    def _data(self, text: str) -> None:
        if self._depth > 0 and len(self._text) < _MAX_KEPT:
            self._text += text


def _shown(text: str, type_: str) -> str:
    """A cell's text for the screen."""
    if type_ == "b":
        return _BOOLEANS.get(text, text)
    return unescaped(text)[:PREVIEW_TEXT]


def unescaped(text: str) -> str:
    """A text of the file with its escaped characters."""
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text) if "_x" in text else text


def _parse(parser: expat.XMLParserType, pieces: Iterable[bytes]) -> None:
    """Parse until a handler has found enough, or the byte limit is reached."""
    parse: Callable[[bytes, bool], object] = parser.Parse
    read = 0
    try:
        for piece in pieces:
            read += len(piece)
            if read > _MAX_BYTES:
                return
            parse(piece, False)
    except _Enough:
        return
    except XML_ERRORS as error:
        raise ValueError(str(error)) from error
