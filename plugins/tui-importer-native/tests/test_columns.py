"""The columns keep the contract, and cast as Python's columns do."""

from __future__ import annotations

import datetime as dt
import pickle
from collections.abc import Sequence
from operator import length_hint
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tui_importer_native._native import STORE, Column

from tui_importer import Cell, CellError, ColumnType, EmptyText, Kind, ListColumn, UncalculatedFormula, common_store
from tui_importer.testing import check_column, check_columns

#: The kinds of cell that xlsx workbooks have.
KINDS = (str, float, bool, dt.datetime, dt.date, dt.time, dt.timedelta, CellError, UncalculatedFormula)
COPY = "postgresql-copy-text"

TEXTS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)
WHOLE = st.integers(-(2**70), 2**70).map(float)
AMOUNTS = st.integers(-(10**9), 10**9).map(lambda cents: cents / 100) | st.integers(1, 999).map(lambda n: n * 1.1)
#: Any, and some that lie halfway between two shortest texts.
FLOATS = st.floats(allow_nan=False, allow_infinity=False) | st.integers(2**50, 2**54).map(lambda eighths: eighths / 8)
DAYS = st.dates()
MOMENTS = st.datetimes().map(lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000, fold=0))
MIDNIGHTS = DAYS.map(lambda day: dt.datetime.combine(day, dt.time()))
TIMES = st.times().map(lambda time: time.replace(microsecond=time.microsecond // 1000 * 1000, fold=0))
SPANS = st.timedeltas(dt.timedelta(-(10**6)), dt.timedelta(10**6))
#: Texts that are numbers, dates and moments, most of them in standard forms.
DIGITS = st.text("0123456789", min_size=1, max_size=5)
WRITTEN = st.one_of(
    *(
        st.lists(st.none() | texts, max_size=8)
        for texts in (
            st.integers(-(2**70), 2**70).map(str) | st.integers(-999, 999).map(str),
            DIGITS | DIGITS.map("-{}".format),
            st.tuples(st.sampled_from(["", "-", "+"]), DIGITS, st.sampled_from(["", "."]), DIGITS).map("".join),
            st.decimals(-(10**9), 10**9, places=2).map(str),
            FLOATS.map(repr),
            st.text("0123456789-+.eE", min_size=1, max_size=6),
            DAYS.map(str) | st.text("0123456789-", min_size=10, max_size=10),
            st.datetimes().map(lambda moment: moment.replace(microsecond=0).isoformat(" ")),
            st.datetimes().map(lambda moment: moment.replace(microsecond=0).isoformat()),
            st.from_regex(r"\A[0-2]0[0-9]{2}-[01][0-9]-[0-3][0-9]([T ][0-2][0-9]:[0-6][0-9]:[0-6][0-9])?\Z"),
        )
    )
)
#: Columns of one kind and of the kinds that occur together, with blanks.
COLUMNS = st.one_of(
    WRITTEN,
    *(
        st.lists(st.none() | cells, max_size=12)
        for cells in (TEXTS, WHOLE, AMOUNTS, FLOATS, st.booleans(), DAYS, MOMENTS, MIDNIGHTS, TIMES, SPANS)
    ),
    st.lists(st.one_of(st.none(), DAYS, MOMENTS), max_size=12),
    st.lists(st.one_of(st.none(), DAYS, MIDNIGHTS), max_size=12),
    st.lists(st.one_of(st.none(), TEXTS, st.just(EmptyText())), max_size=12),
    st.lists(st.one_of(TEXTS, AMOUNTS, st.just(CellError("#N/A")), st.just(UncalculatedFormula("A1"))), max_size=12),
)
TYPES = [
    ColumnType.parse(text)
    for text in (
        *("text", "text(3)", "integer", "integer(32)", "integer(16)", "numeric", "numeric(6,2)", "numeric(30,2)"),
        *("numeric(12,0)", "float", "real", "boolean", "date", "time", "timestamp", "timestamptz", "interval"),
        "other(citext)",
    )
] + [ColumnType(Kind.FLOAT, bits=32)]


def exact(cells: Sequence[Cell]) -> list[tuple[type, str]]:
    return [(type(cell), repr(cell)) for cell in cells]


def test_they_keep_the_contract() -> None:
    check_columns(Column.from_cells, KINDS)


@settings(max_examples=300, deadline=None)
@given(cells=COLUMNS)
def test_they_keep_the_contract_with_any_cells(cells: list[Cell]) -> None:
    check_column(Column.from_cells(cells), cells)


@settings(max_examples=300, deadline=None)
@given(cells=COLUMNS)
def test_they_cast_whatever_lists_cast_and_to_the_same(cells: list[Cell]) -> None:
    for type_ in TYPES:
        wanted, found = ListColumn(cells).cast(type_), Column.from_cells(cells).cast(type_)
        if wanted is not None:
            assert found is not None
            assert exact(found.values()) == exact(wanted.values())
            check_column(found, found.values())


def test_dates_and_moments_are_cast_together() -> None:
    day, moment = dt.date(2024, 2, 29), dt.datetime(2024, 2, 29, 10, 30)
    cast = Column.from_cells([day, None, moment]).cast(ColumnType.parse("timestamp"))
    assert cast is not None
    assert cast.values() == [dt.datetime(2024, 2, 29), None, moment]


def test_a_cast_column_can_be_pickled() -> None:
    for type_ in TYPES:
        for cells in ([1.0, None, 2.0], [dt.datetime(2024, 1, 1), None], [1.25, -0.5]):
            cast = Column.from_cells(cells).cast(type_)
            if cast is not None:
                assert exact(pickle.loads(pickle.dumps(cast)).values()) == exact(cast.values())


@pytest.mark.parametrize("cell", [1, 2.5 + 1j, dt.datetime(2024, 1, 1, tzinfo=dt.UTC), b"x", [1]])
def test_other_cells_are_refused(cell: Any) -> None:
    with pytest.raises(TypeError, match="no workbook has cells like"):
        Column.from_cells([cell])


def encoded(*columns: Sequence[Cell]) -> bytes:
    batch = STORE.encode([Column.from_cells(cells) for cells in columns], COPY)
    assert batch is not None
    return b"".join(batch.chunks(0, len(batch)))


def test_rows_are_encoded_for_copy() -> None:
    assert encoded(["a", None, "b\\\n\r\x1f\t"], [1.5, -0.0, None]) == b"a\x1f1.5\n\x1f-0.0\nb\\\\\\n\\r\\\x1f\t\x1f\n"


def test_a_part_of_the_rows_can_be_encoded() -> None:
    columns = [Column.from_cells([str(number) for number in range(100_000)])]
    batch = STORE.encode(columns, COPY)
    assert batch is not None
    whole = list(batch.chunks(0, len(batch)))
    assert len(whole) > 1
    assert b"".join(whole).split() == [b"%d" % number for number in range(100_000)]
    assert b"".join(batch.chunks(17, 19)) == b"17\n18\n"
    assert list(batch.chunks(5, 5)) == []
    again = pickle.loads(pickle.dumps(batch))
    assert b"".join(again.chunks(99_998, 100_000)) == b"99998\n99999\n"
    kept = columns[0].keep([number % 2 == 1 for number in range(100_000)])
    assert b"".join(STORE.encode([kept], COPY).chunks(0, 2)) == b"1\n3\n"  # type: ignore[union-attr]


def test_what_cannot_be_copied_is_not_encoded() -> None:
    for cells in (["a\0"], [CellError("#N/A")], [UncalculatedFormula("A1")]):
        assert STORE.encode([Column.from_cells(["x"]), Column.from_cells(cells)], COPY) is None
    assert STORE.encode([], COPY) is None
    assert STORE.encode([Column.from_cells(["x"])], "another encoding") is None


@settings(max_examples=100, deadline=None)
@given(columns=st.lists(COLUMNS, min_size=1, max_size=4))
def test_rows_are_made_one_by_one(columns: list[list[Cell]]) -> None:
    rows = min(map(len, columns))
    columns = [cells[:rows] * 3 for cells in columns]  # repeated, as texts of sheets are
    records = STORE.records([Column.from_cells(cells) for cells in columns])
    assert length_hint(records) == 3 * rows
    for number, wanted in enumerate(zip(*columns, strict=True), start=1):
        assert exact(next(records)) == exact(wanted)
        assert length_hint(records) == 3 * rows - number
    assert next(records, None) is None


def test_all_columns_have_one_store() -> None:
    columns = [Column.from_cells(["x"]), pickle.loads(pickle.dumps(Column.from_cells(["y"])))]
    assert common_store(columns) is STORE
    assert pickle.loads(pickle.dumps(STORE)) is STORE


def test_slices_are_never_out_of_bounds() -> None:
    column = Column.from_cells(["a", "b", "c"])
    assert [column.slice(1, 99).values(), column.slice(2, 1).values(), column.slice(9, 12).values()] == [
        ["b", "c"],
        [],
        [],
    ]
    with pytest.raises(IndexError):
        column.take([3])
