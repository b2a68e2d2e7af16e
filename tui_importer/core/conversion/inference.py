"""Type inference: a column's type is decided by all of its cells, never by a sample, and comes with evidence.

Values that would lose anything as a number, date or boolean stay text. Memory is bounded: blocks are counted and
dropped. Neither the order of the blocks nor their boundaries change the type. Where a column's facts decide, nothing is
done per cell; otherwise passes in C examine the whole column.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence, Set
from decimal import Decimal
from itertools import compress, repeat
from operator import is_

import msgspec

from tui_importer.core.conversion.guess_result import GuessResult
from tui_importer.core.conversion.nulls import NullWords
from tui_importer.core.conversion.parsing import as_text
from tui_importer.core.conversion.text_guess import TextGuess, null_words_offer
from tui_importer.core.conversion.traits import PREDICATES, SCANNERS, CellStats, ColumnFinding, Trait, first_of, of_kind
from tui_importer.core.conversion.written import NUMBERS
from tui_importer.core.model.cells import CellError, EmptyText, MalformedRecord, UncalculatedFormula
from tui_importer.core.model.column import Column
from tui_importer.core.model.formats import PLAIN, ColumnFormat
from tui_importer.core.model.types import (
    BOOLEAN,
    DATE,
    FLOAT,
    INTEGER,
    INTERVAL,
    TEXT,
    TIME,
    TIMESTAMP,
    TIMESTAMPTZ,
    ColumnType,
    Kind,
)

#: The number of texts of a block that are looked at before the others.
FIRST_TEXTS = 100

#: The number of different error codes that are named: Excel has a dozen, a hostile file any number.
MAX_CODES = 12

NUMERIC = ColumnType(Kind.NUMERIC)

#: The words for kinds of cells, singular and plural.
_WORDS: dict[type, tuple[str, str]] = {
    str: ("text", "texts"),
    **dict.fromkeys((int, float, Decimal), ("number", "numbers")),
    bool: ("true or false", "true or false"),
    **dict.fromkeys((dt.date, dt.datetime), ("date", "dates")),
    dt.time: ("time of day", "times of day"),
    dt.timedelta: ("span of time", "spans of time"),
}
_OTHER_WORDS = ("other value", "other values")
_MISSING = frozenset({CellError, EmptyText, MalformedRecord, UncalculatedFormula})


class Inferred(msgspec.Struct, frozen=True):
    """A column's inferred type with its reason.

    ``cells`` is the number of all cells, ``blanks`` that of the blank ones. ``nullable``: some cell is blank, an error
    or a formula that was never calculated. ``format``, ``reading`` and ``hint`` are about how the texts are written
    (:class:`~tui_importer.core.conversion.guess_result.GuessResult`).
    """

    type: ColumnType
    cells: int
    blanks: int
    nullable: bool
    evidence: str
    findings: tuple[ColumnFinding, ...] = ()
    format: ColumnFormat = PLAIN
    reading: str | None = None
    hint: str | None = None


class ColumnInference:
    """Infers the type of a column from its cells, which are added block by block.

    ``typed`` is false if the format has only texts (CSV): then texts that look like numbers or dates are taken as such.
    In a workbook, a text is a text, whatever it looks like, unless the user's ``given`` format says how it is written.
    """

    def __init__(self, *, typed: bool = True, given: ColumnFormat = PLAIN) -> None:
        self._cells = 0
        self._blanks = 0
        self._longest = 0
        self._kinds: dict[type, CellStats] = {}
        self._traits: set[Trait] = set()
        self._located = {trait: CellStats() for trait in PREDICATES}
        self._codes: list[str] = []
        self._typed = typed
        self._given = given
        self._guess = TextGuess(given)
        self._found = GuessResult()

    def add(self, column: Column, first_row: int, rows: Sequence[int] | None = None) -> None:
        """Add the column of a block.

        ``first_row`` is the sheet row (from 1) of its first cell. ``rows`` (ascending) are the sheet rows of all its
        cells if they are not consecutive, as when blank rows were left out.
        """
        if self._given.null_if:
            column = NullWords(self._given.null_if).applied(column)
        self._cells += len(column)
        self._blanks += column.blanks
        if not column.kinds:
            return
        places = range(first_row, first_row + len(column)) if rows is None else rows
        self._count(column, places)
        traits: set[Trait] = set()
        for kind in column.kinds & SCANNERS.keys():
            traits |= SCANNERS[kind](column, self._kinds[kind])
        if str in column.kinds:
            self._longest = max(self._longest, column.longest)
            if column.has_nul:
                traits.add(Trait.NUL)
            self._guess_texts(column, places)
        if CellError in column.kinds:
            self._codes = sorted({*self._codes, *map(str, of_kind(column, CellError))})[:MAX_CODES]
        for trait in traits & PREDICATES.keys():
            found = [row for row, cell in zip(places, column.values(), strict=True) if PREDICATES[trait](cell)]
            if found:
                self._located[trait].count(len(found), found[0])
        self._traits |= traits

    @property
    def has_values(self) -> bool:
        """Whether some cell has a value, so that the column says something about its type."""
        return not self._kinds.keys() <= _MISSING

    @property
    def is_typed(self) -> bool:
        """Whether the type follows from the sorts of the cells, and not from how texts are written; known after
        :meth:`result`."""
        return self._typed and not self._takes(self._found)

    @property
    def has_long_integers(self) -> bool:
        """Whether there are whole numbers that a float would round."""
        return self._located[Trait.LONG_INTEGER].cells > 0

    def include(self, other: ColumnInference) -> None:
        """Add the cells of another typed column, as far as they matter for the type; not for evidence or findings."""
        for kind, stats in other._kinds.items():
            self._kinds.setdefault(kind, CellStats()).count(stats.cells, stats.first_row or 0)
        for trait, stats in other._located.items():
            if stats.cells:
                self._located[trait].count(stats.cells, stats.first_row or 0)
        self._traits |= other._traits

    @property
    def is_standard(self) -> bool:
        """Whether every text so far is in a standard form, or in none at all."""
        return self._guess.is_standard

    def result(self, *, comma_beside: bool = False) -> Inferred:
        """The type that fits every cell added so far, with the evidence; ``comma_beside`` is as for
        :meth:`TextGuess.result`."""
        if str in self._kinds:
            self._found = self._guess.result(self._kinds[str].first_row or 0, comma_beside=comma_beside)
        findings = self._find_missing()
        nullable = self._blanks > 0 or bool(findings)
        type_, evidence, problem = self._decide()
        guess = self._found
        if problem is not None:
            findings.append(problem)
        if self._located[Trait.NUL].cells:
            findings.append(self._located[Trait.NUL].finding("NUL characters, which SQL text cannot hold"))
        if self._blanks:
            evidence = f"{evidence}; {self._blanks:,} blank"
        return Inferred(
            type_,
            self._cells,
            self._blanks,
            nullable,
            evidence,
            tuple(findings),
            guess.format,
            guess.reading,
            self._hint(guess),
        )

    def _hint(self, guess: GuessResult) -> str | None:
        """What the texts could be if the user said so."""
        if not self._typed or self._takes(guess):
            return guess.hint
        kinds = self._kinds.keys() - _MISSING
        if guess.type.kind in NUMBERS and kinds == {str}:
            return f"numbers are stored as text: --type {{column={guess.type}}} reads them"
        nulls = self._guess.only_nulls
        if nulls and kinds > {str}:
            counts, options = null_words_offer(nulls)
            return f"would not be mixed but for {counts}: {options} reads them as NULL"
        return None

    def _takes(self, guess: GuessResult) -> bool:
        """Whether the texts of a typed column are read in the form that the user has given."""
        given, found = self._given, guess.format
        return found != PLAIN and (
            found.date_format == given.date_format is not None
            or found.decimal_mark == given.decimal_mark is not None
            or bool(found.true_words or found.false_words)
        )

    def _guess_texts(self, column: Column, places: Sequence[int]) -> None:
        """Take the texts of a block into account, its first ones before the others: they rule out most columns, and no
        further text is looked at then."""
        for start, stop in ((0, FIRST_TEXTS), (FIRST_TEXTS, len(column))):
            if start >= len(column) or self._guess.is_ruled_out(places[start]):
                return
            part = column.slice(start, stop)
            if str in part.kinds:
                rows = compress(places[start:stop], map(is_, map(type, part.values()), repeat(str)))
                self._guess.add(of_kind(part, str), list(rows))

    def _count(self, column: Column, places: Sequence[int]) -> None:
        counts: dict[type, int]
        if len(column.kinds) == 1:
            counts = dict.fromkeys(column.kinds, len(column) - column.blanks)
        else:
            counts = Counter(map(type, column.values()))
        for kind in column.kinds:
            stats = self._kinds.setdefault(kind, CellStats())
            row = places[0]
            # A block is searched for the first cell of a kind only if it may hold it.
            if (stats.first_row is None or row < stats.first_row) and counts[kind] < len(column):
                row = places[first_of(column, kind)]
            stats.count(counts[kind], row)

    def _decide(self) -> tuple[ColumnType, str, ColumnFinding | None]:
        kinds = self._kinds.keys() - _MISSING
        if not kinds:
            return TEXT, "no values", None
        if kinds == {str}:
            return self._decide_texts()
        if kinds == {bool}:
            return BOOLEAN, self._counted(bool), None
        if kinds <= {int, float, Decimal}:
            return self._decide_numbers(kinds)
        if kinds <= {dt.date, dt.datetime} and not self._traits >= {Trait.ZONED, Trait.ZONELESS}:
            return self._decide_moments(kinds)
        if kinds <= {dt.time, dt.timedelta}:
            return TIME if kinds == {dt.time} else INTERVAL, self._counted(*kinds), None
        return self._mixed(kinds)

    def _decide_texts(self) -> tuple[ColumnType, str, ColumnFinding | None]:
        plain = f"{self._counted(str)}, longest {self._longest:,} character{'s' * (self._longest != 1)}"
        guess = self._found
        if self._typed and not self._takes(guess):
            return TEXT, plain, None
        if guess.type.kind is not Kind.TEXT:
            return guess.type, f"{self._counted(str)}, {guess.reason}", None
        return TEXT, f"text: {guess.reason}" if guess.reason else plain, None

    def _decide_numbers(self, kinds: Set[type]) -> tuple[ColumnType, str, ColumnFinding | None]:
        fractions = not self._traits.isdisjoint({Trait.FRACTION, Trait.NOT_FINITE})
        if Decimal in kinds:
            if Trait.NOT_FINITE not in self._traits:
                return NUMERIC, self._spanned("number", kinds), None
            return TEXT, "text: not every number is finite", None
        if self._located[Trait.HUGE_INTEGER].cells:
            return self._too_long(Trait.HUGE_INTEGER, "whole numbers beyond 64 bits")
        if fractions and self._located[Trait.LONG_INTEGER].cells:
            return self._too_long(Trait.LONG_INTEGER, "whole numbers that a float would round")
        if fractions:
            return FLOAT, self._spanned("number", kinds), None
        if self._located[Trait.LONG_FLOAT].cells:
            return self._too_long(Trait.LONG_FLOAT, "numbers of 16 and more digits, of which Excel keeps only 15")
        return INTEGER, self._spanned("whole number", kinds), None

    def _decide_moments(self, kinds: Set[type]) -> tuple[ColumnType, str, ColumnFinding | None]:
        if Trait.ZONED in self._traits:
            if dt.date in kinds:
                return self._mixed(kinds)
            return TIMESTAMPTZ, f"{self._counted(dt.datetime)} with a time zone", None
        evidence = self._spanned("date", kinds)
        if Trait.TIME_OF_DAY in self._traits:
            return TIMESTAMP, f"{evidence}, with a time of day", None
        return DATE, evidence, None

    def _mixed(self, kinds: Set[type]) -> tuple[ColumnType, str, ColumnFinding | None]:
        groups: dict[tuple[str, str], CellStats] = {}
        for kind in kinds:
            stats = self._kinds[kind]
            groups.setdefault(_words_for(kind), CellStats()).count(stats.cells, stats.first_row or 0)
        order = sorted(groups, key=lambda word: (-groups[word].cells, groups[word].first_row, word))
        quantities = [_quantity(groups[word].cells, word) for word in order]
        evidence = f"text: {' and '.join(quantities)}"
        if len(order) == 1:
            return TEXT, f"{evidence}, with and without a time zone", None
        return (
            TEXT,
            evidence,
            groups[order[-1]].finding(f"mixed content: {quantities[-1]} among {' and '.join(quantities[:-1])}"),
        )

    def _too_long(self, trait: Trait, why: str) -> tuple[ColumnType, str, ColumnFinding | None]:
        finding = self._located[trait].finding(why)
        return TEXT, f"text: {finding}", finding

    def _find_missing(self) -> list[ColumnFinding]:
        sorts = (
            (CellError, f"error cells ({', '.join(self._codes)})"),
            (UncalculatedFormula, "formulas that were never calculated"),
            (MalformedRecord, "lines that cannot be cut into cells"),
        )
        return [self._kinds[kind].finding(message) for kind, message in sorts if kind in self._kinds]

    def _counted(self, *kinds: type) -> str:
        return " and ".join(
            _quantity(self._kinds[kind].cells, _words_for(kind)) for kind in sorted(kinds, key=_words_for)
        )

    def _spanned(self, word: str, kinds: Set[type]) -> str:
        """The number of cells and their range, from the least to the greatest."""
        all_stats = [self._kinds[kind] for kind in kinds]
        quantity = _quantity(sum(stats.cells for stats in all_stats), (word, f"{word}s"))
        measured = [stats for stats in all_stats if stats.low is not None]
        if not measured:
            return quantity
        lows, highs = [stats.low for stats in measured], [stats.high for stats in measured]
        if kinds & {dt.date, dt.datetime}:  # Python cannot compare dates with datetimes, so compare them as text
            lows, highs = [low.isoformat() for low in lows], [high.isoformat() for high in highs]
            return f"{quantity} from {min(lows)[:10]} to {max(highs)[:10]}"
        return f"{quantity} from {as_text(min(lows))} to {as_text(max(highs))}"


def _words_for(kind: type) -> tuple[str, str]:
    return _WORDS.get(kind, _OTHER_WORDS)


def _quantity(cells: int, word: tuple[str, str]) -> str:
    return f"{cells:,} {word[cells != 1]}"
