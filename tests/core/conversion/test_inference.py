"""Inference: the type of a column by all of its cells, with evidence."""

from __future__ import annotations

import datetime as dt
import gc
import sys
from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise
from types import FrameType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_importer.core.conversion.convert import Conversion
from tui_importer.core.conversion.inference import FIRST_TEXTS, ColumnInference, Inferred
from tui_importer.core.model.cells import Cell, CellError, UncalculatedFormula
from tui_importer.core.model.list_column import ListColumn

DAY = dt.date(2024, 2, 29)
MIDNIGHT = dt.datetime(2024, 2, 29)
NOON = dt.datetime(2024, 2, 29, 12)


def infer(cells: Sequence[Cell], *, typed: bool = True, first_row: int = 2) -> Inferred:
    inference = ColumnInference(typed=typed)
    inference.add(ListColumn(cells), first_row)
    return inference.result()


@pytest.mark.parametrize(
    ("cells", "type_"),
    [
        ([], "text"),
        ([None, None], "text"),
        ([CellError("#N/A"), UncalculatedFormula()], "text"),
        (["0042", "1"], "text"),
        (["12", "2024-01-01"], "text"),
        ([1.0, 2.0, None], "integer"),
        ([1.0, 2.5], "float"),
        ([1.0, 7], "integer"),
        ([0.5, 7], "float"),
        ([0.5, 2**53 + 1], "text"),
        ([1e15], "text"),
        ([999_999_999_999_999.0], "integer"),
        ([1e300, 0.5], "float"),
        ([float("nan"), 1.0], "float"),
        ([2**63 - 1, -(2**63)], "integer"),
        ([2**63], "text"),
        ([Decimal("1.10"), 3], "numeric"),
        ([Decimal("NaN")], "text"),
        ([True, False, None], "boolean"),
        ([True, 1.0], "text"),
        ([MIDNIGHT], "date"),
        ([MIDNIGHT, DAY], "date"),
        ([NOON, DAY], "timestamp"),
        ([NOON.replace(tzinfo=dt.UTC)], "timestamptz"),
        ([NOON.replace(tzinfo=dt.UTC), NOON], "text"),
        ([NOON.replace(tzinfo=dt.UTC), DAY], "text"),
        ([dt.time(12)], "time"),
        ([dt.timedelta(hours=30)], "interval"),
        ([dt.time(12), dt.timedelta(hours=30)], "interval"),
        ([DAY, 1.0], "text"),
        (["n/a", 1.0], "text"),
        ([CellError("#N/A"), 1.0], "integer"),
    ],
)
def test_type_is_inferred_from_typed_cells(cells: list[Cell], type_: str) -> None:
    assert str(infer(cells).type) == type_


@pytest.mark.parametrize(
    ("cells", "type_"),
    [
        (["0", "-12", "999999999999999", None], "integer"),
        (["1000000000000000"], "text"),
        (["007", "1"], "text"),
        (["+1"], "text"),
        (["-0"], "float"),
        (["1", "2.5"], "float"),
        (["1.50", "2.25"], "float"),
        (["1.0", "2.25"], "float"),
        (["1.9", "1.10"], "text"),
        (["0.0000000000000001"], "float"),
        (["0.1234567890123456"], "numeric"),
        (["1.5e3", "2.0E-10"], "float"),
        (["1.5e300"], "text"),
        (["12E4"], "text"),
        (["1."], "float"),
        (["1,5"], "text"),
        ([" 1"], "integer"),
        (["1\n2"], "text"),
        (["١"], "text"),
        (["true", "FALSE"], "boolean"),
        (["yes"], "text"),
        (["2024-02-29"], "date"),
        (["2023-02-29"], "text"),
        (["20240229"], "integer"),
        (["2024-02-29 12:00", "2024-02-29T12:00:01.5", "2024-02-29"], "timestamp"),
        (["2024-02-29T24:00:00"], "text"),
        (["2024-02-29T12:00:00Z"], "timestamptz"),
        (["2024-02-29T12:00:00+02:00"], "timestamptz"),
        (["12:30", "12:30:59.25"], "time"),
        (["12:60"], "text"),
        (["25:00"], "text"),
        (["nan"], "text"),
    ],
)
def test_type_is_inferred_from_untyped_texts(cells: list[Cell], type_: str) -> None:
    assert str(infer(cells, typed=False).type) == type_


def test_evidence_describes_texts() -> None:
    result = infer(["a", None, "ccc"])
    assert result.evidence == "2 texts, longest 3 characters; 1 blank"
    assert (result.cells, result.blanks, result.nullable) == (3, 1, True)
    assert infer(["a"]).evidence == "1 text, longest 1 character"
    assert infer([None]).evidence == "no values; 1 blank"


def test_evidence_describes_values() -> None:
    assert infer([3.0, 1.0]).evidence == "2 whole numbers from 1 to 3"
    assert infer([0.5, -2]).evidence == "2 numbers from -2 to 0.5"
    assert infer([NOON, DAY]).evidence == "2 dates from 2024-02-29 to 2024-02-29, with a time of day"
    assert infer([True]).evidence == "1 true or false"
    assert infer([dt.time(1), dt.timedelta(1)]).evidence == "1 span of time and 1 time of day"


@pytest.mark.parametrize(
    ("cells", "evidence"),
    [
        (["1", "22"], "2 texts, each is a whole number"),
        (["1", None, "0042"], "text: leading zeros, first in row 4 ('0042'); 1 blank"),
        (["0042", "x"], "text: leading zeros, first in row 2 ('0042')"),
        (["1", "n/a", "3"], "text: each is a whole number but for 1 × 'n/a'"),
        (["2024-01-01", "soon"], "text: not a date in row 3 ('soon')"),
        (["1" * 16], f"text: more than 15 digits, first in row 2 ('{'1' * 16}')"),
        (["+1"], "text: a plus sign, first in row 2 ('+1')"),
        (["1.9", "1.10"], "text: zeros at the end that a number loses, first in row 3 ('1.10')"),
        (["Ann", "1"], "2 texts, longest 3 characters"),
    ],
)
def test_evidence_describes_untyped_texts(cells: list[Cell], evidence: str) -> None:
    assert infer(cells, typed=False).evidence == evidence


def test_mixed_content_finding_names_the_first_cell_of_the_minority() -> None:
    result = infer([1.0, 2.0, None, "n/a", 5, "x"])
    assert result.evidence == "text: 3 numbers and 2 texts; 1 blank"
    (finding,) = result.findings
    assert (finding.cells, finding.first_row) == (2, 5)
    assert str(finding) == "mixed content: 2 texts among 3 numbers, first in row 5"


def test_error_cells_and_uncalculated_formulas_do_not_affect_the_type() -> None:
    result = infer([1.0, CellError("#N/A"), UncalculatedFormula(), CellError("#DIV/0!")])
    assert str(result.type) == "integer"
    assert result.nullable
    assert list(map(str, result.findings)) == [
        "error cells (#DIV/0!, #N/A), first in row 3",
        "formulas that were never calculated, in row 4",
    ]


def test_long_numbers_are_found() -> None:
    result = infer([1.0, 1234567890123456.0])
    assert result.evidence.startswith("text: numbers of 16 and more digits, of which Excel keeps only 15, in row 3")
    assert infer([1, 2**63]).findings[0].first_row == 3


def test_nul_characters_are_found() -> None:
    (finding,) = infer(["a", "b\0", "\0"]).findings
    assert (finding.cells, finding.first_row) == (2, 3)


def test_evidence_uses_given_row_numbers() -> None:
    inference = ColumnInference(typed=False)
    inference.add(ListColumn(["1", "x"]), 2, rows=[2, 9])
    assert inference.result().evidence == "text: not a whole number in row 9 ('x')"


def _calls(cells: list[Cell], *, typed: bool) -> int:
    calls = 0

    def count(frame: FrameType, event: str, argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    column = ListColumn(cells)
    inference = ColumnInference(typed=typed)
    gc.disable()  # its callbacks are calls too
    sys.setprofile(count)
    try:
        inference.add(column, 2)
    finally:
        sys.setprofile(None)
        gc.enable()
    inference.result()
    return calls


@pytest.mark.parametrize("typed", [True, False])
@pytest.mark.parametrize(
    "sample", [["some text"], ["a", None], [1.5], [7.0, None], [NOON], ["12", "34"], ["2.5", "3.5"]]
)
def test_clean_columns_are_inferred_without_a_call_per_cell(sample: list[Cell], typed: bool) -> None:
    _calls(sample, typed=typed)  # regular expressions are compiled once, whichever test comes first
    few, many = 2 * FIRST_TEXTS, 200 * FIRST_TEXTS
    assert _calls(sample * many, typed=typed) == _calls(sample * few, typed=typed)


class Watched(ListColumn):
    """A column that notes how many of its cells are requested."""

    def __init__(self, cells: Sequence[Cell], requested: list[int]) -> None:
        super().__init__(cells)
        self.requested = requested

    def values(self) -> Sequence[Cell]:
        found = super().values()
        self.requested.append(len(found))
        return found

    def slice(self, start: int, stop: int) -> Watched:
        return Watched(super().values()[start:stop], self.requested)


@pytest.mark.parametrize("cells", [["some text", "2"], [None, "some text"]])
@pytest.mark.parametrize("typed", [True, False])
def test_texts_after_the_first_ones_are_not_looked_at_where_these_rule_out_every_type(
    cells: list[Cell], typed: bool
) -> None:
    requested: list[int] = []
    inference = ColumnInference(typed=typed)
    inference.add(Watched(cells * 5_000, requested), 2)
    inference.add(Watched(cells * 5_000, requested), 10_002)
    assert requested
    assert sum(requested) < 1_000
    assert str(inference.result().type) == "text"


@pytest.mark.parametrize("zone", [None, dt.UTC])
@pytest.mark.parametrize("kept", [0, 1, 2])
def test_the_only_time_of_day_is_found_wherever_it_is(zone: dt.tzinfo | None, kept: int) -> None:
    days = [dt.datetime(2024, 5, day, tzinfo=zone) for day in (3, 1, 2)]
    assert str(infer([*days, None]).type) == ("date" if zone is None else "timestamptz")
    days[kept] += dt.timedelta(hours=7)
    assert str(infer([*days, None]).type) == ("timestamp" if zone is None else "timestamptz")


NUMBERS = st.integers() | st.floats() | st.decimals(allow_nan=False, allow_infinity=False)
MOMENTS = st.datetimes() | st.dates() | st.sampled_from([MIDNIGHT, DAY, NOON.replace(tzinfo=dt.UTC)])
SPANS = st.times() | st.timedeltas()
CELLS = st.none() | st.text(max_size=4) | NUMBERS | st.booleans() | MOMENTS | SPANS
FAULTS = st.sampled_from([CellError("#N/A"), CellError("#REF!"), UncalculatedFormula("A1")])
COLUMNS = st.one_of(
    *(st.lists(st.none() | cells, max_size=30) for cells in (NUMBERS, MOMENTS, SPANS, st.integers().map(float))),
    st.lists(CELLS | FAULTS, max_size=30),
)
LOOKALIKES = st.one_of(
    st.integers(-200, 10**17).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.decimals(-99, 99, places=2).map(str),
    st.from_regex(r"[+-]?[0-9]{1,17}(\.[0-9]{1,17})?([eE][+-]?[0-9]{1,3})?", fullmatch=True),
)
ISO = st.one_of(
    st.dates().map(str),
    st.datetimes().map(str),
    st.datetimes().map(dt.datetime.isoformat),
    st.times().map(str),
    st.from_regex(r"[0-9]{4}-[01][0-9]-[0-3][0-9]([T ][0-2][0-9]:[0-6][0-9](Z|\+0000)?)?", fullmatch=True),
)
FILLED = st.text(min_size=1, max_size=4)
TEXTS = st.one_of(
    *(
        st.lists(st.none() | texts, max_size=30)
        for texts in (LOOKALIKES, ISO, st.sampled_from(["true", "False", "no"]), LOOKALIKES | ISO | FILLED)
    )
)


def _cut(cells: Sequence[Cell], cuts: list[int]) -> list[tuple[int, Sequence[Cell]]]:
    """The cells in pieces, each with its first row."""
    edges = sorted({0, len(cells), *(cut % (len(cells) + 1) for cut in cuts)})
    return [(start + 2, cells[start:stop]) for start, stop in pairwise(edges)]


def _check_blocks(cells: Sequence[Cell], cuts: list[int], order: list[float], *, typed: bool) -> None:
    whole = infer(cells, typed=typed)
    pieces = _cut(cells, cuts)
    forward, shuffled = ColumnInference(typed=typed), ColumnInference(typed=typed)
    for row, piece in pieces:
        forward.add(ListColumn(piece), row)
    for _, (row, piece) in sorted(zip(order, pieces, strict=False), key=lambda item: item[0]):
        shuffled.add(ListColumn(piece), row)
    assert forward.result() == whole
    if len(order) >= len(pieces):
        assert shuffled.result() == whole


@given(COLUMNS, st.lists(st.integers(0, 99), max_size=5), st.lists(st.floats(0, 1), min_size=7, max_size=7))
def test_typed_inference_does_not_depend_on_blocks(cells: list[Cell], cuts: list[int], order: list[float]) -> None:
    _check_blocks(cells, cuts, order, typed=True)


@given(TEXTS, st.lists(st.integers(0, 99), max_size=5), st.lists(st.floats(0, 1), min_size=7, max_size=7))
def test_untyped_inference_does_not_depend_on_blocks(cells: list[Cell], cuts: list[int], order: list[float]) -> None:
    _check_blocks(cells, cuts, order, typed=False)


def _refused(cells: Sequence[Cell], inferred: Inferred) -> set[Cell]:
    """The cells that do not fit their inferred type, without those that cannot go anywhere."""
    _, reasons = Conversion(inferred.type).apply(ListColumn(cells))
    return {
        cell
        for cell in (cells[offset] for offset in reasons)
        if not isinstance(cell, CellError | UncalculatedFormula) and "\0" not in str(cell)
    }


@given(COLUMNS)
def test_every_typed_cell_fits_the_inferred_type(cells: list[Cell]) -> None:
    assert _refused(cells, infer(cells)) == set()


@given(TEXTS)
def test_every_text_fits_the_inferred_type(cells: list[Cell]) -> None:
    assert _refused(cells, infer(cells, typed=False)) == set()


@given(st.lists(LOOKALIKES, min_size=1, max_size=30))
def test_texts_read_as_numbers_lose_nothing(texts: list[str]) -> None:
    inferred = infer(texts, typed=False)
    column, _ = Conversion(inferred.type).apply(ListColumn(texts))
    for text, value in zip(texts, column.values(), strict=True):
        if isinstance(value, str | int):
            assert str(value) == text
        else:
            assert Decimal(text) == (Decimal(f"{value:.15g}") if isinstance(value, float) else value)
