"""Finds what python-calamine hides in ods files: error cells, formulas without a value, time spans, and parts of texts.

python-calamine returns error cells and uncalculated formulas as blanks, and time spans that are negative or at least a
day long as texts (``PT30H00M00S``). It drops tabs and line breaks from texts, and includes the texts of drawings. The
sheet's XML is searched in C for what such cells must contain, and only the rows found are parsed. A sheet written in an
unusual form is parsed as a whole.

OpenDocument 1.3 part 3: 9.1.4 (``table:table-cell``), 19.389 (``office:value-type``), 19.383 (``office:time-value``),
6.1 (text). Error cells are LibreOffice's (``calcext:value-type="error"``) or those of programs that write the value 0
and show the error.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from tui_importer.core.model.cells import MAX_COLUMNS, MAX_ROWS, Cell, CellError
from tui_importer.core.model.patterns import pattern
from tui_importer.core.model.ranges import CellRange
from tui_importer.readers.found import Found
from tui_importer.readers.hidden_cell import HiddenCell
from tui_importer.readers.ods_values import CellContent, hidden_value
from tui_importer.readers.package import XML_ERRORS, Package, damaged, xml_parser

_CONTENT = "content.xml"
_TABLE_END, _ROW_END = b"</table:table>", b"</table:table-row>"
#: No spreadsheet program writes a row larger than this, in bytes.
_MAX_ROW = 32 << 20
#: Maximum number of hidden cells: rows and cells have repeat counts, so a small file may claim many.
_MAX_FOUND = 1 << 21

_TABLE = pattern(rb"<table:table[ >]")
_CELL = pattern(rb"<table:(?:covered-)?table-cell[ />]")
_CELL_TAG = pattern(_CELL.pattern.replace(rb"[ />]", rb"(?=[ />])[^<>]*>"))
_COLUMNS_REPEATED = pattern(rb"""table:number-columns-repeated="([0-9]{1,9})\"""")
_COLUMNS_SPANNED = pattern(rb"""table:number-columns-spanned="([0-9]{1,9})\"""")
_ROW = pattern(rb"<table:table-row(?=[ />])[^<>]*?(?:/>|>(.*?)</table:table-row>)", re.DOTALL)
#: An error cell as LibreOffice writes it.
_PLAIN_ERROR = pattern(
    rb'<table:table-cell(?: table:[^<>]*)? office:value-type="string" office:string-value="" '
    rb'calcext:value-type="error">'
    rb"<text:p>([!-%'-;=?-~]+)</text:p></table:table-cell>"
)
_ROWS_REPEATED = pattern(rb"""<table:table-row [^<>]*?table:number-rows-repeated="([0-9]{1,9})\"""")
#: What no program writes between rows, each with its rarest byte, which is searched for first, at memory speed.
_ODD = ((b"'", b"='"), (b"!", b"<!-"), (b"?", b"<?"))
#: What hidden cells contain, each with a rare byte and a longer hint to search for before the expression.
_SUSPECTS: tuple[tuple[bytes, bytes, re.Pattern[bytes]], ...] = tuple(
    (byte, hint, re.compile(pattern))
    for byte, hint, pattern in (
        (b"", b'"error"', rb'"error"'),
        (b"", b"<text:tab", rb"<text:tab[ />]"),
        (b"", b"<text:line-break", rb"<text:line-break[ />]"),
        (b"", b"<draw:", rb"<draw:"),
        (b"!", b"<![CDATA[", rb"<!\[CDATA\["),
        (b"#", b">#", rb"<text:p[^<>]*>#"),
        (b"", b">Err:", rb"<text:p[^<>]*>Err:"),
        (b"", b":time-value=", rb':time-value=(?!"PT(?:[01][0-9]|2[0-3])H[0-5][0-9]M[0-5][0-9]S")'),
        # A formula that is not followed by a non-empty value.
        (
            b"",
            b"table:formula=",
            rb'table:formula=(?!"[^"<>]*" office:value-type="[a-z]+" office:[a-z-]*value="[^"])',
        ),
    )
)


class _UnusualError(Exception):
    """The fast search does not understand this XML."""


def ods_cells(path: Path, name: str, number: int) -> Found:
    """Find what is hidden in a sheet of an ods file, given by its number (from 0).

    Raises :class:`~tui_importer.errors.SourceError` if the file is damaged.
    """
    package = Package(path)
    merged: list[CellRange] = []
    try:
        found = list(_limited(path, _searched(path, _windows(package.pieces(_CONTENT), number), merged)))
    except _UnusualError:
        merged = []
        found = list(_limited(path, _parsed(path, package.pieces(_CONTENT), number)))
    cells: dict[int, list[HiddenCell]] = {}
    for cell in found:
        cells.setdefault(cell.row, []).append(cell)
    return Found(cells, merged=merged)


def _limited(path: Path, cells: Iterable[HiddenCell]) -> Iterator[HiddenCell]:
    for count, cell in enumerate(cells):
        if count >= _MAX_FOUND:
            raise damaged(path, f"more than {_MAX_FOUND:,} error cells and the like")
        yield cell


def _searched(path: Path, windows: Iterable[bytes], merged: list[CellRange]) -> Iterator[HiddenCell]:
    """Yield the hidden cells by search; only the rows with a match are read exactly. What is ``merged`` in the first
    window, where the header is, is added to the list."""
    row = 1
    for window in windows:
        if any(byte in window and odd in window for byte, odd in _ODD):
            raise _UnusualError
        if row == 1:
            merged.extend(_merged(window))
        places = sorted(
            match.start()
            for byte, hint, pattern in _SUSPECTS
            if byte in window and hint in window
            for match in pattern.finditer(window)
        )
        end = 0
        for number, place in enumerate(places):
            if place < end:
                continue  # in a row already read
            start = max(window.rfind(b"<table:table-row ", end, place), window.rfind(b"<table:table-row>", end, place))
            if start < 0:
                continue  # outside of rows
            row += _rows(window, end, start) if end < start else 0
            end = window.index(_ROW_END, place) + len(_ROW_END)
            suspects = places[number : bisect_left(places, end, number)]
            hidden = list(_row_cells(path, window, start, end, suspects))
            repeated = _ROWS_REPEATED.match(window, start)
            rows = int(repeated[1]) if repeated else 1
            for each in range(row, min(row + rows, MAX_ROWS + 1)) if hidden else ():
                yield from (HiddenCell(each, column, value) for column, value in hidden)
            row += rows
        row += _rows(window, end, len(window))


def _merged(window: bytes) -> Iterator[CellRange]:
    """Yield the cells of the first rows of a sheet that are merged over further columns."""
    if b"number-columns-spanned=" not in window:
        return
    row = 1
    for match in _ROW.finditer(window):
        cells = match[1] or b""
        if b"number-columns-spanned=" in cells:
            for begin, column in zip(*_cell_places(cells), strict=False):
                spanned = _COLUMNS_SPANNED.search(cells, begin, cells.find(b">", begin))
                if spanned is not None:
                    yield CellRange(row, row, column, column + int(spanned[1]) - 1)
        repeated = _ROWS_REPEATED.match(match[0])
        row += int(repeated[1]) if repeated else 1


def _row_cells(path: Path, window: bytes, start: int, end: int, places: Sequence[int]) -> Iterator[tuple[int, Cell]]:
    """Yield the hidden cells of a row: sheet column (from 0) and value. Only the cells around ``places`` are parsed."""
    begins, columns = _cell_places(window[start:end])
    for number in sorted({bisect_right(begins, place - start) - 1 for place in places}):
        if number < 0:
            continue
        stop = begins[number + 1] if number + 1 < len(begins) else end - start - len(_ROW_END)
        xml = window[start + begins[number] : start + stop]
        error = _PLAIN_ERROR.fullmatch(xml)
        value = CellError(error[1].decode()) if error else _parsed_cell(path, xml)
        if value is not None:
            yield from ((each, value) for each in range(columns[number], min(columns[number + 1], MAX_COLUMNS)))


def _cell_places(row: bytes) -> tuple[list[int], list[int]]:
    """The offsets of a row's cells in its XML, and their sheet columns (from 0), followed by the column after the
    last."""
    begins = [match.start() for match in _CELL.finditer(row)]
    if b"columns-repeated" not in row:
        return begins, list(range(len(begins) + 1))
    columns = [0]
    for match in _CELL_TAG.finditer(row):
        if match[0].count(b'"') % 2:
            raise _UnusualError  # a > inside of an attribute
        repeated = _COLUMNS_REPEATED.search(match[0])
        columns.append(columns[-1] + (int(repeated[1]) if repeated else 1))
    return begins, columns


def _parsed_cell(path: Path, xml: bytes) -> Cell:
    """The hidden value of a cell, from the cell's XML alone."""
    finder = _Finder(path, 1)
    finder.parse([xml])
    return finder.last


def _rows(window: bytes, start: int, end: int) -> int:
    """The number of rows in a part of the XML."""
    part = window[start:end]
    once = part.count(b"<table:table-row ")
    if once != part.count(_ROW_END) or b"<table:table-row>" in part:
        once += part.count(b"<table:table-row>") + part.count(b"<table:table-row/>")
    repeated = _ROWS_REPEATED.findall(part) if b":number-rows-repeated=" in part else ()
    return once + sum(int(number) - 1 for number in repeated)


def _windows(pieces: Iterable[bytes], number: int) -> Iterator[bytes]:
    """Yield the XML of a table's rows, cut after ends of rows."""
    held, inside, tables = b"", False, -1
    for piece in pieces:
        held += piece
        if b"\0" in piece:
            raise _UnusualError  # not UTF-8
        while not inside:
            begun = _TABLE.search(held)
            if begun is None:
                held = held[-len(b"<table:table ") :]
                break
            held, tables = held[begun.end() :], tables + 1
            inside = tables == number
        if not inside:
            continue
        end = held.find(_TABLE_END)
        cut = held.rfind(_ROW_END, 0, end if end >= 0 else len(held))
        if cut >= 0:
            cut += len(_ROW_END)
            if _TABLE.search(held, 0, cut):
                raise _UnusualError  # a nested table
            yield held[:cut]
            held, end = held[cut:], end - cut
        if end >= 0:
            return
        if len(held) > _MAX_ROW:
            raise _UnusualError
    raise _UnusualError


def _parsed(path: Path, pieces: Iterable[bytes], number: int) -> list[HiddenCell]:
    """The hidden cells of a whole sheet by the XML parser alone: slow but always exact."""
    finder = _Finder(path, 1, number)
    finder.parse(pieces)
    return finder.found


class _Finder:
    """Reads rows and cells of one table, or of rows alone, from XML, and collects the hidden ones.

    ``row`` is the sheet row (from 1) that comes next.
    """

    def __init__(self, path: Path, row: int, table: int | None = None) -> None:
        self.found: list[HiddenCell] = []
        self.row = row
        self.last: Cell = None  # the value of the last cell
        self._path = path
        self._table = table
        self._tables = -1
        self._inside = table is None
        self._rows = self._columns = 1  # repeat counts of the row and the cell
        self._column = 0
        self._hidden: list[tuple[int, int, Cell]] = []  # of the current row: column, repeat count, value
        self._cell: CellContent | None = None
        self._parser = xml_parser(path)
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text

    def parse(self, pieces: Iterable[bytes]) -> None:
        """Parse the pieces of one XML element."""
        try:
            for piece in pieces:
                self._parser.Parse(piece, False)
            self._parser.Parse(b"", True)
        except XML_ERRORS as error:
            raise damaged(self._path, error) from error

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if self._cell is not None:
            self._cell.start(name, attributes)
        elif name == "table:table":
            self._tables += 1
            self._inside = self._tables == self._table
        elif not self._inside:
            pass
        elif name == "table:table-row":
            self._rows = int(attributes.get("table:number-rows-repeated", "1"))
            self._column = 0
            self._hidden = []
        elif name in ("table:table-cell", "table:covered-table-cell"):
            self._columns = int(attributes.get("table:number-columns-repeated", "1"))
            self._cell = CellContent(attributes)

    def _end(self, name: str) -> None:
        cell = self._cell
        if cell is not None:
            if not cell.end():
                return
            value = self.last = hidden_value(cell)
            if value is not None:
                self._hidden.append((self._column, self._columns, value))
            self._column += self._columns
            self._cell = None
        elif name == "table:table-row" and self._inside:
            for row in range(self.row, min(self.row + self._rows, MAX_ROWS + 1)) if self._hidden else ():
                for column, times, value in self._hidden:
                    last = min(column + times, MAX_COLUMNS)
                    self.found.extend(HiddenCell(row, each, value) for each in range(column, last))
                if len(self.found) > _MAX_FOUND:
                    return
            self.row += self._rows
        elif name == "table:table" and self._inside:
            self._inside = False

    def _text(self, text: str) -> None:
        if self._cell is not None:
            self._cell.text(text)
