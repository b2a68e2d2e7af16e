"""Cuts text into records. What is not well-formed becomes a :class:`MalformedRecord` for each of its lines.

Records are those of RFC 4180, with any delimiter and quote. Python's csv module reads them in C; where it refuses a
record (text after a closing quote, a quote that is never closed), the lines of that record are looked at again here.
A quote can hold line breaks, so one stray quote would otherwise put whole rows into a cell.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain, islice
from typing import Any

import msgspec

from tui_importer.core.model.cells import EMPTY_TEXT, Cell, MalformedRecord

#: The number of lines that are read at once.
_LINES = 2_000
#: A quote that is still open after this many characters counts as one that is never closed.
MAX_RECORD_CHARACTERS = 1 << 26
#: How many lines after a refused one are tried for the rest of a record with blanks around its quotes.
_MORE_LINES = 20


class Dialect(msgspec.Struct, frozen=True):
    """How records are written.

    ``quote`` is None if nothing is quoted. ``escapes``: a backslash stands before a quote or a backslash that is meant
    itself. ``skips_blanks``: blanks after a delimiter are not part of the cell. ``width`` is the usual number of cells
    of a record. A ``separator_line`` (``sep=;``) is the first line, and not a record. ``row_names``: the header lacks
    the first cell, as R writes it. ``comments``: a line that begins with ``#`` is not a record, unless it has ``width``
    cells.
    """

    delimiter: str
    quote: str | None = '"'
    escapes: bool = False
    skips_blanks: bool = False
    width: int = 1
    separator_line: bool = False
    row_names: bool = False
    comments: bool = False

    def options(self) -> dict[str, Any]:
        """The arguments for :func:`csv.reader`."""
        return {
            "delimiter": self.delimiter,
            "quotechar": self.quote,
            "quoting": csv.QUOTE_NONE if self.quote is None else csv.QUOTE_MINIMAL,
            "escapechar": "\\" if self.escapes else None,
            "skipinitialspace": self.skips_blanks,
            "strict": True,
        }


@dataclass
class Records:
    """The records of a text, one for each row of the sheet, in order. Iterated over once.

    ``lines`` are the physical lines with their ends. If they are only the ``beginning`` of a text, a record that is not
    complete at their end is left out. After the iteration, ``malformed`` is the number of malformed records.
    """

    lines: Iterator[str]
    dialect: Dialect
    beginning: bool = False
    malformed: int = field(default=0, init=False)

    def __iter__(self) -> Iterator[Sequence[Cell]]:
        return chain.from_iterable(self._pieces())  # a generator for each record takes longer than cutting it

    def _pieces(self) -> Iterator[list[Sequence[Cell]]]:
        """The records in pieces of some thousand lines; lines that are not records are blank ones."""
        dialect = self.dialect
        separator_line, row_names = dialect.separator_line, dialect.row_names
        for records in self._cut():
            if separator_line:
                records[0], separator_line = (), False
            if row_names and (header := next((at for at, record in enumerate(records) if record), None)) is not None:
                records[header], row_names = ("", *records[header]), False
            if dialect.comments:
                records = [() if _is_comment(record, dialect.width) else record for record in records]
            yield records

    def _cut(self) -> Iterator[list[Sequence[Cell]]]:
        """The lines, cut piece by piece; a record that goes on in later lines is cut with them."""
        line, carried = 1, list[str]()
        while chunk := carried + (new := list(islice(self.lines, max(_LINES, len(carried))))):
            try:
                text = "".join(chunk)
                used = self._whole(chunk, text) if new else len(chunk)
                whole = chunk if used == len(chunk) else chunk[:used]
                records: list[Sequence[Cell]] = list(csv.reader(whole, **self.dialect.options()))
                if self._may_have_empty_texts(text):
                    records = list(self._with_empty_texts(whole))
            except csv.Error:
                complete = not new or sum(map(len, carried)) > MAX_RECORD_CHARACTERS
                records, used = self._carefully(chunk, line, complete=complete and not self.beginning)
            if records:
                yield records
            if not new and self.beginning:
                return
            line += used
            carried = chunk[used:]

    def _whole(self, chunk: Sequence[str], text: str) -> int:
        """How many of the lines are records to their end, going by the number of quotes in them: csv refuses all lines
        if the last ones are not. ``text`` is all of the lines."""
        if self._empty is None:
            return len(chunk)
        stop, odd = len(chunk), text.count(self._empty[0]) % 2
        while odd and stop:
            stop -= 1
            odd ^= chunk[stop].count(self._empty[0]) % 2
        return stop or len(chunk)

    def _carefully(self, chunk: Sequence[str], line: int, *, complete: bool) -> tuple[list[Sequence[Cell]], int]:
        """The records of lines that csv refuses, and how many lines they take.

        ``line`` is the number of the first line. Unless ``complete``, the last record may go on after these lines: then
        it is left out.
        """
        records: list[Sequence[Cell]] = []
        lines, start = iter(chunk), 0
        while start < len(chunk):
            reader, base = csv.reader(lines, **self.dialect.options()), start
            try:
                for record in reader:
                    stop = base + reader.line_num
                    records.append(self._told_apart(record, chunk[start:stop]))
                    start = stop
            except csv.Error as error:
                stop = base + reader.line_num
                unclosed = stop == len(chunk) and "end of data" in str(error)
                if unclosed and not complete:
                    break
                if not unclosed and (found := self._with_blanks(chunk, start, stop)) is not None:
                    record, end = found
                    records.append(record)
                    for _ in range(end - stop):
                        next(lines)
                    stop = end
                else:
                    records += self._malformed(chunk[start:stop], line + start, unclosed=unclosed)
                start = stop
        return records, start

    def _with_empty_texts(self, lines: Sequence[str]) -> Iterator[Sequence[Cell]]:
        """The records of lines that csv accepts, with the empty texts among them."""
        reader, start = csv.reader(lines, **self.dialect.options()), 0
        for record in reader:
            yield self._told_apart(record, lines[start : reader.line_num])
            start = reader.line_num

    def _told_apart(self, record: Sequence[str], lines: Sequence[str]) -> Sequence[Cell]:
        """The record, in which the cells that are written as two quotes are empty texts."""
        if "" not in record or not self._may_have_empty_texts(text := "".join(lines)):
            return record
        written = self._written_cell.findall(text.rstrip("\r\n"))
        if len(written) != len(record):
            return record
        return [EMPTY_TEXT if raw == self._empty else cell for cell, raw in zip(record, written, strict=True)]

    @cached_property
    def _empty(self) -> str | None:
        """How an empty text is written; None if it cannot be told from a blank."""
        return None if self.dialect.quote is None or self.dialect.escapes else self.dialect.quote * 2

    def _may_have_empty_texts(self, text: str) -> bool:
        return self._empty is not None and self._empty in text and self._empty_cell.search(text) is not None

    @cached_property
    def _empty_cell(self) -> re.Pattern[str]:
        """What may be an empty text: two quotes that are all of a cell. They come first in the pattern, which makes it
        fast."""
        quotes, delimiter = re.escape((self.dialect.quote or "") * 2), re.escape(self.dialect.delimiter)
        before = " " if self.dialect.skips_blanks else ""
        return re.compile(rf"{quotes}(?=[{delimiter}\r\n]|\Z)(?<![^{delimiter}\r\n{before}]{quotes})")

    @cached_property
    def _written_cell(self) -> re.Pattern[str]:
        """A cell as it is written in a record that csv accepts."""
        quote, delimiter = re.escape(self.dialect.quote or ""), re.escape(self.dialect.delimiter)
        blank = r"[ ]*+" if self.dialect.skips_blanks else ""
        return re.compile(
            rf"(?:^|(?<={delimiter})){blank}({quote}(?:[^{quote}]|{quote}{quote})*+{quote}|[^{delimiter}\r\n]*+)"
            rf"(?={delimiter}|\Z)"
        )

    def _with_blanks(self, chunk: Sequence[str], start: int, stop: int) -> tuple[list[str], int] | None:
        """The record that begins in line ``start`` if it has blanks around its quotes, and the line after it."""
        if self.dialect.quote is None or self.dialect.escapes:
            return None
        for end in range(stop, min(stop + _MORE_LINES, len(chunk)) + 1):
            text = "".join(chunk[start:end]).rstrip("\r\n")
            cells, place = list[str](), 0
            while (match := self._blank_cell.match(text, place)) is not None:
                quoted, plain = match.groups()
                cells.append(plain if quoted is None else quoted.replace(self.dialect.quote * 2, self.dialect.quote))
                place = match.end()
                if place == len(text):
                    return cells, end
                place += 1  # the delimiter
        return None

    @cached_property
    def _blank_cell(self) -> re.Pattern[str]:
        """One cell, up to the delimiter after it or the end of the record; blanks may surround a quoted one."""
        quote, delimiter = re.escape(self.dialect.quote or ""), re.escape(self.dialect.delimiter)
        blank = r"[ ]*+" if self.dialect.delimiter == "\t" else r"[ \t]*+" if self.dialect.delimiter != " " else ""
        return re.compile(
            rf"(?:{blank}{quote}((?:[^{quote}]|{quote}{quote})*+){quote}{blank}"
            rf"|(?!{blank}{quote})([^{delimiter}\r\n]*+))(?={delimiter}|\Z)"
        )

    def _malformed(self, lines: Sequence[str], line: int, *, unclosed: bool) -> Iterator[Sequence[Cell]]:
        """One record for each line of a malformed one. ``line`` is the number of the first."""
        last = line + len(lines) - 1
        for number, text in enumerate(lines, start=line):
            if unclosed:
                reason = f"line {line:,}: a quote is opened and never closed"
            elif line == last:
                reason = f"line {line:,}: text follows a closing quote"
            else:
                reason = f"lines {line:,} to {last:,}: text follows the end of a quote that is opened in line {line:,}"
            # A line between the two quotes is a row of its own if it has as many cells as any other.
            inside = number > line and (unclosed or number < last)
            if inside and (record := self._unquoted(text)) is not None:
                yield record
            else:
                self.malformed += 1
                yield (MalformedRecord(reason, text.rstrip("\r\n")),) * self.dialect.width

    def _unquoted(self, line: str) -> Sequence[Cell] | None:
        """The cells of a line that holds no quote, if it has the usual number."""
        cells = line.rstrip("\r\n").split(self.dialect.delimiter)
        if (self.dialect.quote or "") in line or len(cells) != self.dialect.width or len(cells) == 1:
            return None
        return [cell.lstrip(" ") for cell in cells] if self.dialect.skips_blanks else cells


def _is_comment(record: Sequence[Cell], width: int) -> bool:
    return len(record) != width and bool(record) and isinstance(record[0], str) and record[0].startswith("#")
