"""Finds out how the records of a text are written: by its header line and its rows together.

Every way of cutting the first lines is tried and judged by what comes out. A good one gives the header as many cells as
the rows, leaves no record malformed, and no delimiter of another kind inside of a cell: ``1,50`` in a file with
semicolons is a number. What is not proven by both is not cut at all: ``Doe, Jane`` below ``name`` is one cell.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property

from msgspec.structs import replace

from tui_importer.core.model.cells import MalformedRecord
from tui_importer.core.model.patterns import pattern
from tui_importer.core.model.text_format import NO_QUOTE, TextFormat
from tui_importer.readers.delimited.records import Dialect, Records

#: The lines that a dialect is judged by.
SAMPLE_LINES = 100
#: The delimiters that spreadsheet programs write; the later ones occur in ordinary text as well and need more proof.
DELIMITERS = (",", ";", "\t", "|")
WEAK_DELIMITERS = (":", " ")
#: Characters that are in no text, to cut nothing at.
_ABSENT = "\x1f\x1e\x1d\x1c\x01\x02\x03"
#: ``sep=;`` in the first line, as Excel takes it.
_SEPARATOR_LINE = pattern(r'"?sep=(.)"?\s*', re.IGNORECASE | re.DOTALL)
#: A number, a date or a time, with any separators.
_VALUE = pattern(r"[-+]?[0-9][0-9.,:/%' \u00a0-]*")
#: A number with decimal commas or thousands marks.
_NUMBER = pattern(r"[-+]?[0-9][0-9.]*,[0-9]+|[-+]?[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?")
#: A backslash in front of anything but a quote or a backslash.
_OTHER_ESCAPE = pattern(r'(?<!\\)(?:\\\\)*+\\(?!["\\])')


@dataclass(frozen=True)
class _Cut:
    """The first lines, cut in one way.

    ``records`` are those that are neither blank nor malformed; those ``after_blank`` (indices) follow a blank line.
    """

    dialect: Dialect
    lines: Sequence[str]
    records: Sequence[Sequence[str]]
    after_blank: frozenset[int]
    malformed: int

    @cached_property
    def width(self) -> int:
        """The most common number of cells; of equally common ones, the greatest."""
        counts = Counter(map(len, self.records))
        return max(counts, key=lambda width: (counts[width], width), default=0)

    @cached_property
    def header(self) -> int | None:
        """The index of the record that can be the header; None if there is none."""
        if self.width < 2:
            return None
        first = next(index for index, record in enumerate(self.records) if len(record) == self.width)
        if first == 0 or (first == 1 and self.has_row_names):
            return 0
        # There may be titles above a header. But a row that looks just like those below it is one of them.
        above = self.records[first - 1]
        if len(above) > 1 or first in self.after_blank or self._is_unlike_below(first):
            return first
        return None

    @cached_property
    def has_row_names(self) -> bool:
        """Whether the header lacks the cell of the row names that all rows begin with, as R writes it."""
        header, *body = self.records or [()]
        if not body or len(header) != self.width - 1 or any(len(record) != self.width for record in body):
            return False
        if len(header) == 1 and not self.quoted:
            return False
        names = [record[0] for record in body]
        return all(names) and len(set(names)) == len(names) and any(record[-1] for record in body)

    @cached_property
    def complete(self) -> bool:
        """Whether all records from the header on have the same number of cells."""
        if self.header is None or self.malformed:
            return False
        return all(len(record) == self.width for record in self.records[self.header + self.has_row_names :])

    @cached_property
    def common(self) -> bool:
        """Whether most records have the usual number of cells."""
        return sum(len(record) == self.width for record in self.records) * 2 > len(self.records)

    @cached_property
    def foreign(self) -> int:
        """The number of cells that begin with a quote, or hold another delimiter and are not numbers."""
        others = set(DELIMITERS) - {self.dialect.delimiter}
        return sum(
            cell.lstrip()[:1] == '"' or (not others.isdisjoint(cell) and not _NUMBER.fullmatch(cell))
            for record in self.records
            for cell in record
        )

    @cached_property
    def quoted(self) -> bool:
        """Whether a quote stands next to a delimiter."""
        quote, delimiter = self.dialect.quote, self.dialect.delimiter
        return quote is not None and any(delimiter + quote in line or quote + delimiter in line for line in self.lines)

    def _is_unlike_below(self, index: int) -> bool:
        """Whether a record has a name where most of the records below it have a number or a date."""
        below = [record for record in self.records[index + 1 :] if len(record) == self.width]
        return any(
            not _VALUE.fullmatch(name.strip())
            and sum(_VALUE.fullmatch(record[place].strip()) is not None for record in below) * 2 > len(below)
            for place, name in enumerate(self.records[index])
        )


def find_dialect(lines: Sequence[str], given: TextFormat, *, whole: bool, tabs: bool = False) -> Dialect:
    """The dialect of a text, by its first lines (with their ends); ``whole``: there are no others.

    What the user has ``given`` is taken. ``tabs``: the file's name says that it is cut at tabs.
    """
    separator = _SEPARATOR_LINE.fullmatch(lines[0]) if lines else None
    sample = _Sample(list(lines[1:] if separator else lines), whole)
    delimiters: Sequence[str] = (*DELIMITERS, *WEAK_DELIMITERS)
    if given.delimiter is not None:
        delimiters = (given.delimiter,)
    elif separator is not None:
        delimiters = (separator[1],)
    elif tabs and any("\t" in line for line in sample.lines):
        delimiters = ("\t",)
    cuts = [_cut_best(sample, delimiter, quote) for delimiter in delimiters for quote in _quotes(sample.lines, given)]
    good = [cut for cut in cuts if len(delimiters) == 1 or _is_proven(cut)]
    good = [cut for cut in good if cut.dialect.quote != "'" or given.quote == "'" or _has_apostrophes(cut, cuts)]
    chosen = _described(min(good, key=_order)) if good else _by_header_alone(sample.lines, cuts)
    return replace(chosen, separator_line=separator is not None)


def are_escapes(lines: Callable[[], AbstractContextManager[Iterator[str]]], dialect: Dialect) -> bool:
    """Whether the backslashes in front of quotes are escapes.

    They are if every record of the text is well-formed that way, but not the other way, and a backslash never stands in
    front of anything else: ``\\N`` would lose it. ``lines`` opens the text, which is read up to three times.
    """
    with lines() as text:
        if any(_OTHER_ESCAPE.search(line.rstrip("\r\n") + " ") for line in text if "\\" in line):
            return False
    with lines() as text:
        if not _has_malformed(text, dialect):
            return False
    with lines() as text:
        return not _has_malformed(text, replace(dialect, escapes=True))


def _has_malformed(lines: Iterator[str], dialect: Dialect) -> bool:
    records = Records(lines, dialect)
    return any(records.malformed for _ in records) or bool(records.malformed)


@dataclass(frozen=True)
class _Sample:
    lines: Sequence[str]
    whole: bool


def _quotes(lines: Sequence[str], given: TextFormat) -> Sequence[str | None]:
    if given.quote is not None:
        return (None if given.quote == NO_QUOTE else given.quote,)
    # An apostrophe is a quote only if there are no others.
    return ('"', "'") if any("'" in line for line in lines) and not any('"' in line for line in lines) else ('"',)


def _is_proven(cut: _Cut) -> bool:
    if cut.header is None or not cut.common:
        return False
    if cut.dialect.delimiter not in WEAK_DELIMITERS:
        return True
    # A colon is in every time of day, a blank between any two words.
    if not cut.complete or len(cut.records) < 2:
        return False
    if cut.quoted:
        return True
    words = any(cell[:1].isalpha() for record in cut.records[1:] for cell in record)
    return cut.dialect.delimiter == ":" and cut.width > 2 and words


def _has_apostrophes(cut: _Cut, others: Iterable[_Cut]) -> bool:
    """Whether apostrophes are quotes, and not part of the text as in ``'s-Hertogenbosch``."""
    if cut.malformed or not cut.quoted:
        return False
    header = cut.lines[0].strip()
    if header.startswith("'") and header.endswith("'"):
        return True
    plain = [other for other in others if other.dialect == replace(cut.dialect, quote='"')]
    return cut.complete and not any(other.complete and other.width == cut.width for other in plain)


def _order(cut: _Cut) -> tuple[object, ...]:
    return (
        cut.malformed > 0,
        cut.dialect.delimiter in WEAK_DELIMITERS,
        not cut.complete,
        cut.foreign,
        cut.malformed,
        cut.dialect.quote != "'",  # it is proven, or it would not be here
        -cut.width,
    )


def _by_header_alone(lines: Sequence[str], cuts: Iterable[_Cut]) -> Dialect:
    """The dialect of rows that differ in length: the first line decides; if nothing cuts it, there is one column."""
    by_header = [
        cut
        for cut in cuts
        if cut.dialect.delimiter in DELIMITERS and cut.dialect.quote != "'" and cut.records and len(cut.records[0]) > 1
    ]
    if by_header:
        best = min(by_header, key=lambda cut: (cut.malformed, cut.foreign, -len(cut.records[0])))
        return replace(_described(best), width=len(best.records[0]))
    text = "".join(lines)
    return Dialect(next((char for char in _ABSENT if char not in text), _ABSENT[0]))


def _described(cut: _Cut) -> Dialect:
    return replace(cut.dialect, width=max(cut.width, 1), row_names=cut.header == 0 and cut.has_row_names)


def _cut_best(sample: _Sample, delimiter: str, quote: str | None) -> _Cut:
    """The lines cut at a delimiter: without comments if there are any, and without blanks in front of cells."""
    dialect = Dialect(delimiter, quote)
    cut = _cut(sample, dialect)
    if sample.lines and sample.lines[0].startswith("#") and cut.records and len(cut.records[0]) != cut.width:
        dialect = replace(dialect, comments=True, width=cut.width)
        cut = _cut(sample, dialect)
    later = [cell for record in cut.records for cell in record[1:] if cell]
    blanks = [cell for cell in later if cell.startswith(" ")]
    before_quotes = quote is not None and any(cell.lstrip(" ").startswith(quote) for cell in blanks)
    if delimiter != " " and blanks and (before_quotes or len(blanks) == len(later)):
        cut = _cut(sample, replace(dialect, skips_blanks=True))
    return cut


def _cut(sample: _Sample, dialect: Dialect) -> _Cut:
    records = Records(iter(sample.lines), dialect, beginning=not sample.whole)
    kept, after_blank, blank = list[Sequence[str]](), set[int](), False
    for record in records:
        if any(isinstance(cell, MalformedRecord) for cell in record):
            continue
        if len(record) < 2 and not any(record):
            blank = True
            continue
        if blank:
            after_blank.add(len(kept))
        blank = False
        kept.append([str(cell or "") for cell in record])
    return _Cut(dialect, sample.lines, kept, frozenset(after_blank), records.malformed)
