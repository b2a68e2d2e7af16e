"""Numbers as people write them, and when a column proves their form."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_importer.core.conversion.candidate import Candidate
from tui_importer.core.conversion.guess_result import GuessResult
from tui_importer.core.conversion.number_guess import NumberGuess
from tui_importer.core.conversion.numbers import NumberForm
from tui_importer.core.model.formats import ColumnFormat
from tui_importer.core.model.types import FLOAT, INTEGER, TEXT, ColumnType, Kind

NUMERIC = ColumnType(Kind.NUMERIC)


def guess(*texts: str, given: str | None = None) -> GuessResult | None:
    found = NumberGuess(given)
    found.add(texts, range(2, 2 + len(texts)), None)
    return found.result()


@pytest.mark.parametrize(
    ("form", "text", "number"),
    [
        (NumberForm(","), "1.234,56", "1234.56"),
        (NumberForm(","), "1 234,5", "1234.5"),
        (NumberForm(","), "1\u00a0234\u00a0567", "1234567"),
        (NumberForm(","), "1\u202f234,5", "1234.5"),
        (NumberForm(","), "-1.234.567", "-1234567"),
        (NumberForm(","), "\u22125,0", "-5"),
        (NumberForm(","), ",5", "0.5"),
        (NumberForm(","), "1,5E+03", "1500"),
        (NumberForm(","), "1.234,50-", "-1234.5"),
        (NumberForm("."), "1'234.56", "1234.56"),
        (NumberForm("."), "1\u2019234\u2019567.8", "1234567.8"),
        (NumberForm("."), "(1,234.50)", "-1234.5"),
        (NumberForm("."), "12", "12"),
        (NumberForm(".", percent=True), "12 %", "0.12"),
        (NumberForm(".", percent=True), "-0.5%", "-0.005"),
        (NumberForm(".", percent=True), "+3\u00a0%", "0.03"),
        (NumberForm(",", percent=True), "1.234,5 %", "12.345"),
        (NumberForm(".", percent=True), "(5%)", "-0.05"),
        (NumberForm(".", percent=True), "%5", "0.05"),
        (NumberForm(",", currency="€"), "€ 1.234,50", "1234.5"),
        (NumberForm(",", currency="€"), "-5 €", "-5"),
        (NumberForm(",", currency="€"), "€-5,00", "-5"),
        (NumberForm(".", currency="$"), "$1,234.50", "1234.5"),
        (NumberForm(".", currency="$"), "($1,234.50)", "-1234.5"),
        (NumberForm(".", currency="$"), "$(5)", "-5"),
        (NumberForm(".", currency="$"), "-$5", "-5"),
        (NumberForm(".", currency="CHF"), "CHF 1'234.50", "1234.5"),
        (NumberForm(",", currency="zł"), "12,50 zł", "12.5"),
    ],
)
def test_numbers_are_rewritten_as_plain_decimals(form: NumberForm, text: str, number: str) -> None:
    assert form.matches([text])
    assert Decimal(form.rewrite([text])[0]) == Decimal(number)
    assert form.rewrite([text, text]) == form.rewrite([text]) * 2


@pytest.mark.parametrize(
    ("form", "text"),
    [
        (NumberForm(","), "1.5"),
        (NumberForm(","), "1.23.456"),
        (NumberForm(","), "1.234 567"),
        (NumberForm(","), "1.234.56"),
        (NumberForm(","), "0.123"),
        (NumberForm(","), "007"),
        (NumberForm(","), "1,2,3"),
        (NumberForm(","), "12 %"),
        (NumberForm("."), "1,23"),
        (NumberForm("."), "12E4"),
        (NumberForm("."), "+5"),
        (NumberForm("."), "1234567890123456"),
        (NumberForm("."), "1,234,567,890,123,456"),
        (NumberForm("."), "1\n"),
        (NumberForm("."), ""),
        (NumberForm("."), "."),
        (NumberForm("."), "١"),
        (NumberForm(".", percent=True), "12"),
        (NumberForm(".", currency="$"), "€5"),
        (NumberForm(".", currency="$"), "5"),
    ],
)
def test_text_in_another_form_does_not_match(form: NumberForm, text: str) -> None:
    assert not form.matches([text])


@pytest.mark.parametrize(
    ("texts", "type_", "format_"),
    [
        (["1.234,56", "12"], FLOAT, ColumnFormat(decimal_mark=",")),
        (["1 234,56", "0,5"], FLOAT, ColumnFormat(decimal_mark=",")),
        (["1\u00a0234", "12"], INTEGER, ColumnFormat(decimal_mark=".")),
        (["1,234.5", "12"], FLOAT, ColumnFormat(decimal_mark=".")),
        (["1'234.5"], FLOAT, ColumnFormat(decimal_mark=".")),
        (["1.234.567", "12"], INTEGER, ColumnFormat(decimal_mark=",")),
        (["1,234,567", "12"], INTEGER, ColumnFormat(decimal_mark=".")),
        (["12 %", "5%"], FLOAT, ColumnFormat(decimal_mark=".", percent=True)),
        (["12,5 %", "5%"], FLOAT, ColumnFormat(decimal_mark=",", percent=True)),
        (["€ 1.234,50", "€ 3"], NUMERIC, ColumnFormat(decimal_mark=",", currency="€")),
        (["$5", "-$3"], NUMERIC, ColumnFormat(decimal_mark=".", currency="$")),
        (["USD 5.00", "USD 3.50"], NUMERIC, ColumnFormat(decimal_mark=".", currency="USD")),
        (["(1,234.50)", "2.00"], FLOAT, ColumnFormat(decimal_mark=".")),
        (["1.234,0000000000001"], NUMERIC, ColumnFormat(decimal_mark=",")),
    ],
)
def test_unambiguous_column_determines_its_form(texts: Sequence[str], type_: ColumnType, format_: ColumnFormat) -> None:
    found = guess(*texts)
    assert found is not None
    assert (found.type, found.format) == (type_, format_)
    assert found.reading


@pytest.mark.parametrize(
    ("texts", "hint"),
    [
        (["1,234", "5,678"], "1,234 can be a thousand or a fraction"),
        (["1,234", "12"], "1,234 can be a thousand or a fraction"),
        (["€ 1.234"], "1.234 can be a thousand or a fraction"),
        (["1,5", "0,25"], "could be numbers: --decimal-mark {column=,}"),
        (["123 456 789", "987 654 321"], "could be numbers: --decimal-mark {column=.}"),
        (["(1)", "(2)"], "could be numbers"),
    ],
)
def test_ambiguous_numbers_stay_text_with_a_hint(texts: Sequence[str], hint: str) -> None:
    found = guess(*texts)
    assert found is not None
    assert found.type == TEXT
    assert hint in (found.hint or "")


@pytest.mark.parametrize(
    "texts",
    [
        ["1,5", "2.5"],
        ["12 %", "12"],
        ["€ 5", "5"],
        ["1.234,5", "1,234.5"],
        ["12", "x"],
        ["5 %", "€ 5"],
        ["1 234", "007"],
    ],
)
def test_contradictory_texts_have_no_form(texts: Sequence[str]) -> None:
    assert guess(*texts) is None


def test_column_with_several_currencies_stays_text() -> None:
    found = guess("€ 5", "$ 6")
    assert found is not None
    assert (found.type, found.reason) == (TEXT, "amounts in several currencies ($, €)")


def test_given_decimal_mark_resolves_ambiguous_numbers() -> None:
    point, comma = guess("1,234", given="."), guess("1,234", given=",")
    assert point is not None
    assert comma is not None
    assert (point.type, comma.type) == (INTEGER, FLOAT)
    assert point.hint is comma.hint is None


def test_a_candidate_keeps_the_first_text_that_does_not_match() -> None:
    candidate = Candidate("[0-9]+")
    assert candidate.match(["1", "2"], [5, 6])
    assert not candidate.match(["3", "x", "y"], [7, 8, 9])
    assert not candidate.match(["4"], [10])
    assert candidate.miss == (8, "x")


def written(number: Decimal, mark: str, group: str) -> str:
    """A number with groups of three digits."""
    whole, _, fraction = f"{abs(number):,f}".partition(".")
    return f"{'-' * (number < 0)}{whole.replace(',', group)}{mark * bool(fraction)}{fraction}"


AMOUNTS = st.decimals(-(10**11), 10**11, places=2, allow_nan=False, allow_infinity=False).filter(
    lambda amount: not (amount == 0 and amount.is_signed())
)


@given(
    numbers=st.lists(AMOUNTS, min_size=1, max_size=9),
    style=st.sampled_from([(",", "."), (",", " "), (",", "\u202f"), (".", ","), (".", "'"), (".", " "), (",", "'")]),
    sort=st.sampled_from([("", ""), ("€ ", ""), ("", " €"), ("", " %"), ("", "%")]),
)
def test_numbers_written_in_a_form_round_trip(
    numbers: list[Decimal], style: tuple[str, str], sort: tuple[str, str]
) -> None:
    texts = [f"{sort[0]}{written(number, *style)}{sort[1]}" for number in numbers]
    percent, currency = "%" in sort[1], "€" if "€" in "".join(sort) else None
    form = NumberForm(style[0], percent=percent, currency=currency)
    assert form.matches(texts)
    rewritten = form.rewrite(texts)
    assert [Decimal(text) * (100 if percent else 1) for text in rewritten] == numbers
    assert [form.rewrite([text])[0] for text in texts] == rewritten
    found = guess(*texts)
    assert found is not None
    assert found.format == ColumnFormat(decimal_mark=style[0], percent=percent, currency=currency)  # type: ignore[arg-type]
