"""Numbers as people write them: ``1.234,56``, ``1 234.5``, ``12 %``, ``€ 5``, ``(3.00)``, ``7-``.

With a decimal mark, every other usual mark separates thousands, so a text has one value only. Percentages are
hundredths, as a workbook stores them: ``12 %`` is 0.12.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

from tui_importer.core.model.patterns import pattern

#: Blanks between digits: ordinary, no-break, figure, thin and narrow no-break.
BLANKS = " \u00a0\u2007\u2009\u202f"
APOSTROPHES = "'\u2019"
_MINUS = "-\u2212"

#: Signs and codes of currencies. A code alone proves a currency only beside a number.
_SIGNS = r"(?:[A-Z]{1,3})?[$€£¥₹₽₩₺₴₫₱฿₪₦₡₲₸₾₵]"
_CODES = (
    r"AED|ARS|AUD|BGN|BRL|CAD|CHF|CLP|CNY|COP|CZK|DKK|EGP|EUR|GBP|HKD|HUF|IDR|ILS|INR|ISK|JPY|KRW|MXN|MYR|NGN|NOK|NZD"
    r"|PEN|PHP|PKR|PLN|RMB|RON|RSD|RUB|SAR|SEK|SGD|THB|TRY|TWD|UAH|USD|VND|ZAR"
)
_WORDS = r"zł|Kč|kr\.?|Ft|lei|Fr\.|руб\.?|Rs\.?"
CURRENCY = rf"(?:{_SIGNS}|{_CODES}|{_WORDS})"


class NumberForm:
    """Numbers with this decimal mark; each is a ``percent``, or in the ``currency``, if these are given."""

    exclusive = True

    def __init__(self, mark: str, *, percent: bool = False, currency: str | None = None) -> None:
        self._fullmatch = number_pattern(mark, percent=percent, currency=currency and re.escape(currency)).fullmatch
        self._table = _translation(mark)
        self._percent = percent
        self._currency = currency
        sort = "a percentage" if percent else f"an amount in {currency}" if currency else "a number"
        self.expected = f"{sort} with a decimal {'point' if mark == '.' else 'comma'} is expected (see --decimal-mark)"

    def matches(self, texts: Sequence[str]) -> bool:
        return all(map(self._fullmatch, texts))

    def rewrite(self, texts: Sequence[str]) -> list[str]:
        joined = "\n".join(texts)  # no number contains a line feed
        if self._currency is not None:
            joined = joined.replace(self._currency, "")
        joined = joined.translate(self._table)
        if "(" in joined:
            joined = _PARENTHESES.sub(r"-\1", joined)
        if "-\n" in f"{joined}\n":
            joined = _TRAILING_MINUS.sub(r"-\1", joined)
        if self._percent:
            joined = f"{joined}\n".replace("\n", "e-2\n").removesuffix("\n")
        return joined.split("\n")


_PARENTHESES = pattern(r"\(([^()\n]*)\)")
_TRAILING_MINUS = pattern(r"^([^\n]+)-$", re.MULTILINE)


@cache
def number_pattern(mark: str, *, percent: bool = False, currency: str | None = None) -> re.Pattern[str]:
    """The pattern of whole texts. ``currency`` is a pattern, too; the group of that name finds what matched."""
    number = _number(mark)
    blank = f"[{BLANKS}]?"
    if percent:
        amount = rf"{number}{blank}%|%{blank}{number}"
        return re.compile(rf"[{_MINUS}+]?{blank}(?:{amount})|\((?:{amount})\)")
    if currency is not None:
        sign = rf"[{_MINUS}+]?"
        before = rf"(?P<before>{currency}){blank}"
        after = rf"{blank}(?P<after>{currency})"
        inside = rf"(?P<first>{currency}){blank}{number}|{number}{blank}(?P<second>{currency})"
        return re.compile(
            rf"{sign}{blank}{before}{sign}{blank}{number}[{_MINUS}]?|{sign}{blank}{number}[{_MINUS}]?{after}"
            rf"|\({blank}(?:{inside}){blank}\)"
            rf"|(?P<outside>{currency}){blank}\({blank}{number}{blank}\)"
        )
    # "12E4" is a part number, and no double overflows.
    digits = r"(?:[0-9]{1,2}|[12][0-8][0-9])"
    exponent = rf"(?:[eE][+-]{digits}|(?<={re.escape(mark)}[0-9])[eE]{digits})?"
    return re.compile(rf"[{_MINUS}]?{blank}{number}{exponent}|{number}[{_MINUS}]|\({blank}{number}{blank}\)")


def _number(mark: str) -> str:
    """A number without a sign, of at most 15 digits before the decimal mark and 17 in all.

    The groups of its thousands have one mark throughout.
    """
    other = "," if mark == "." else "."
    decimal = re.escape(mark)
    separators = "|".join((f"[{BLANKS}]", f"[{APOSTROPHES}]", re.escape(other)))
    grouped = "|".join(rf"(?:{separator}[0-9]{{3}})+" for separator in separators.split("|"))
    whole = rf"(?:[1-9][0-9]{{0,2}}(?:{grouped})|0|[1-9][0-9]*)"
    limit = rf"(?!(?:[0-9][{BLANKS}{APOSTROPHES}{other}]?){{16}}|(?:[0-9][^0-9\n]?){{18}})"
    return rf"{limit}(?:{whole}(?:{decimal}[0-9]*)?|{decimal}[0-9]+)"


@cache
def _translation(mark: str) -> dict[int, str | None]:
    """What becomes of each character but digits."""
    table: dict[int, str | None] = dict.fromkeys(map(ord, f"{BLANKS}{APOSTROPHES}.,+"))
    return {**table, ord(mark): ".", ord("\u2212"): "-", ord("%"): None}
