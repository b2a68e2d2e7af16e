"""A layout grows by what rows far down hold, and never beyond what the user named."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tui_importer.core.model.ranges import CellRange
from tui_importer.core.source.layout import Layout

HEADERS = st.lists(st.none() | st.just("h"), max_size=5).map(tuple)
FILLED = st.sets(st.integers(0, 12), max_size=6)


@given(first=st.integers(0, 6), headers=HEADERS, filled=FILLED, last=st.none() | st.integers(6, 12))
def test_stretched_layout_covers_filled_columns_within_bounds(
    first: int, headers: tuple[str | None, ...], filled: set[int], last: int | None
) -> None:
    bounds = CellRange(
        first_column=min(first, 3), last_column=None if last is None else max(last, first + len(headers))
    )
    layout = Layout(1, 2, None, first, headers, bounds=bounds)
    grown = layout.stretched(filled)
    inside = {c for c in filled if c >= bounds.first_column and (bounds.last_column is None or c <= bounds.last_column)}
    known = set(range(first, first + len(headers)))
    extent = range(grown.first_column, grown.first_column + len(grown.headers))
    wanted = inside | known
    # Just as wide as what is there.
    assert (min(extent), max(extent)) == (min(wanted), max(wanted)) if wanted else not extent
    # Headers stay above their columns.
    for column, header in enumerate(headers, start=first):
        assert grown.headers[column - grown.first_column] == header
    assert grown.stretched(filled) == grown


def test_columns_have_a_header_or_cells() -> None:
    layout = Layout(1, 2, None, 2, ("a", None, None, "b"))
    assert layout.columns({3, 9}) == (2, 3, 5)
    assert layout.columns(()) == (2, 5)
