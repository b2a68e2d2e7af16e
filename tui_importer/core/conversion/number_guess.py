"""Inference of numbers in the forms that people write, from all texts of a column."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial

from msgspec.structs import replace

from tui_importer.core.conversion.candidate import Candidate
from tui_importer.core.conversion.guess_result import GuessResult
from tui_importer.core.conversion.numbers import APOSTROPHES, BLANKS, CURRENCY, number_pattern
from tui_importer.core.model.formats import ColumnFormat
from tui_importer.core.model.patterns import pattern
from tui_importer.core.model.types import FLOAT, INTEGER, TEXT, ColumnType, Kind

_NUMERIC = ColumnType(Kind.NUMERIC)
_MARKS = {".": "point", ",": "comma"}
#: What every text of these forms has: digits with marks and blanks, and a few other characters around them.
_NUMBER_LIKE = rf"[^0-9\n]{{0,9}}[0-9][0-9.,{APOSTROPHES}{BLANKS}]*(?:[eE][+-]?[0-9]{{1,3}})?[^0-9\n]{{0,9}}"
_LONG = pattern(r"(?:[0-9][^0-9\n]?){16}")
_NOT_SEPARATORS = str.maketrans(dict.fromkeys("0123456789+-\u2212()eE"))


#: What surrounds the amount in an amount of money, apart from its currency.
_NO_CURRENCY = f"0123456789.,{APOSTROPHES}{BLANKS}-+()\u2212"


def _has_percent(text: str) -> bool:
    return "%" in text


def _has_sign(text: str) -> bool:
    return bool(text.strip(_NO_CURRENCY))


class _Sort:
    """Plain numbers, percentages or amounts of money, with either decimal mark, and facts about their texts."""

    def __init__(self, marks: Sequence[str], *, percent: bool = False, currency: bool = False) -> None:
        self.percent = percent
        possible = _has_percent if percent else _has_sign if currency else None
        self.candidates = {mark: Candidate(partial(self._pattern, mark), possible=possible) for mark in marks}
        self.currency = currency
        self.currencies: set[str] = set()
        self.characters: set[str] = set()
        self.separators: set[int] = set()
        self.parentheses: set[bool] = set()
        self.long = False

    def add(self, texts: Sequence[str], rows: Sequence[int], standard: str | None) -> None:
        """Add texts, of which all are ``standard`` numbers: whole ones ("integer") or others ("decimal")."""
        plain = not (self.percent or self.currency)
        for mark, candidate in self.candidates.items():
            if standard is not None and not plain:
                candidate.rule_out(texts[0], rows[0])
            # A standard whole number has both marks, any other standard number a decimal point.
            elif standard is None or (standard == "decimal" and mark != "."):
                candidate.match(texts, rows)
        left = self.left
        if standard is not None and plain:
            if standard == "decimal":  # with the comma ruled out, all that matters is that there are fractions
                self.characters |= {*"\n".join(texts)} if "," in left else {"."}
            self.separators |= {0}
            self.parentheses |= {False}
        if not left or standard is not None:
            return
        joined = "\n".join(texts)
        self.characters |= {*joined}
        self.long = self.long or _LONG.search(joined) is not None
        self.separators |= set(map(len, joined.translate(_NOT_SEPARATORS).split("\n")))
        self.parentheses |= {"(" in text for text in texts} if "(" in joined else {False}
        if self.currency:
            matches = filter(None, map(self._pattern(left[0]).fullmatch, texts))
            self.currencies |= {next(filter(None, match.groupdict().values())) for match in matches}

    def _pattern(self, mark: str) -> re.Pattern[str]:
        return number_pattern(mark, percent=self.percent, currency=CURRENCY if self.currency else None)

    @property
    def left(self) -> list[str]:
        """The decimal marks with which every text is a number."""
        return [mark for mark, candidate in self.candidates.items() if candidate.miss is None]


class NumberGuess:
    """Finds out whether every text is a number, and its decimal mark; ``given`` is the user's."""

    def __init__(self, given: str | None) -> None:
        marks = (given,) if given is not None else tuple(_MARKS)
        self._given = given
        self._number_like = Candidate(_NUMBER_LIKE)
        self._sorts = (_Sort(marks), _Sort(marks, percent=True), _Sort(marks, currency=True))

    @property
    def misses(self) -> list[tuple[int, str] | None]:
        """The first text of each form that does not have it."""
        if self._number_like.miss is not None:
            return [self._number_like.miss]
        return [candidate.miss for sort in self._sorts for candidate in sort.candidates.values()]

    def add(self, texts: Sequence[str], rows: Sequence[int], standard: str | None) -> None:
        """Add texts and their rows (ascending); ``standard``: each is a standard "integer" or "decimal"."""
        if standard is None and not self._number_like.match(texts, rows):
            return
        for sort in self._sorts:
            sort.add(texts, rows, standard)

    @property
    def could_be_thousands(self) -> bool:
        """Whether what looks like standard numbers with a decimal point could all be thousands, as in ``1.234``."""
        return "," in self._sorts[0].left and "." in self._sorts[0].characters

    def result(self) -> GuessResult | None:
        """None if the texts are not all numbers of one sort."""
        for sort in self._sorts if self._number_like.miss is None else ():
            if sort.left:
                return self._decided(sort)
        return None

    def _decided(self, sort: _Sort) -> GuessResult | None:
        plain = not (sort.percent or sort.currency)
        word = "percentage" if sort.percent else "amount of money" if sort.currency else "number"
        if len(sort.currencies) > 1:
            names = ", ".join(sorted(sort.currencies))
            return GuessResult(reason=f"amounts in several currencies ({names})")
        if len(sort.left) == 2 and not sort.characters.isdisjoint(".,"):
            text = "1.234" if "." in sort.characters else "1,234"
            return GuessResult(
                reason=f"each could be a {word}, with a decimal point or a decimal comma",
                hint=f"could be numbers, but {text} can be a thousand or a fraction: --decimal-mark {{column=.}} or "
                "{column=,} says which",
            )
        mark = sort.left[0]
        fractions = mark in sort.characters or not sort.characters.isdisjoint("eE")
        marked = not sort.characters.isdisjoint(".,")
        how = f"with a decimal {_MARKS[mark]}" if marked else "without decimals"
        currency = next(iter(sort.currencies), None)
        if sort.percent:
            reading = f"percentages are read as hundredths, 12 % as 0.12{', with a decimal comma' * (mark == ',')}"
        elif sort.currency:
            reading = f"amounts in {currency} are read as numbers {how}"
        else:
            reading = f"numbers are read {how if fractions else 'with thousands marks'}"
        article = "an" if sort.currency else "a"
        found = GuessResult(
            _NUMERIC if sort.currency or sort.long else FLOAT if fractions or sort.percent else INTEGER,
            f"each is {article} {word} {how}",
            ColumnFormat(decimal_mark=mark, percent=sort.percent, currency=currency),  # type: ignore[arg-type]
            reading,
        )
        if self._given:
            return replace(found, reading=None) if plain else found
        if not plain or self._is_sure(sort, mark, fractions=fractions):
            return found
        return replace(
            found,
            type=TEXT,
            reason=f"each could be a number {how if fractions else 'with thousands marks'}",
            hint=f"could be numbers: --decimal-mark {{column={mark}}} reads them",
        )

    @staticmethod
    def _is_sure(sort: _Sort, mark: str, *, fractions: bool) -> bool:
        """Whether plain numbers can be nothing else."""
        if not fractions:
            # 123 456 789 may be a telephone number, (1) a reference: numbers differ in size.
            return len(sort.separators) > 1 and sort.parentheses != {True}
        # 1,5 may be two numbers: 1.234,5 is one.
        return mark == "." or not sort.characters.isdisjoint(f".{BLANKS}{APOSTROPHES}")
