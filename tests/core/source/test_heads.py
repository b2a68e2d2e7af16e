"""A source that is opened for its header has the header that the whole one has."""

from __future__ import annotations

import datetime as dt
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import Workbook

from tui_importer.core.model.plan import Source
from tui_importer.core.source.heads import open_head
from tui_importer.core.source.open_source import open_source
from tui_importer.errors import ImporterError
from tui_importer.readers.calamine import CalamineReader
from tui_importer.readers.heads import HeadWorkbook

SAMPLE = Path(__file__).parents[3] / "sample_data.xlsx"


def written(path: Path, *sheets: Sequence[Sequence[object]]) -> Path:
    book = Workbook()
    book.remove(book.active)
    for rows in sheets:
        page = book.create_sheet()
        for row in rows:
            page.append(row)
    book.save(path)
    return path


def is_head(path: Path, **described: object) -> bool:
    """Whether less than the whole sheet was parsed; what is found must be the same."""
    source = Source(file=path, **described)  # type: ignore[arg-type]
    with open_head(path, CalamineReader(), source) as head, open_source(path, CalamineReader(), source) as whole:
        names = [each.layout.headers[: len(whole.layout.headers)] for each in (head, whole)]
        assert names[0] == names[1]
        assert (head.name, head.layout.header_row, head.layout.first_column) == (
            whole.name,
            whole.layout.header_row,
            whole.layout.first_column,
        )
        return isinstance(head.workbook, HeadWorkbook)


def test_head_of_a_row_of_texts_is_enough(tmp_path: Path) -> None:
    assert is_head(SAMPLE)
    below: list[list[object]] = [["Mon", dt.datetime(2026, 1, 5), 1, True], ["Tue", None, 2.5, None]]
    assert is_head(written(tmp_path / "a.xlsx", [["day", "date", "_x0041_ & b", "ok"], *below]))
    titled: list[list[object]] = [["Sales of 2026"], [], ["day", "date", "n", "ok"], *below]
    assert is_head(written(tmp_path / "b.xlsx", [["cover"]], titled), sheet=2)
    assert is_head(written(tmp_path / "c.xlsx", [["Our company"]], titled))


@pytest.mark.parametrize(
    ("rows", "described"),
    [
        ([["a", dt.datetime(2026, 1, 1), dt.datetime(2026, 2, 1)], ["x", 1, 2]], {}),
        ([["a", 2025, 2026], ["x", 1, 2]], {}),
        ([[1, 2], [3, 4]], {}),
        ([["a", "b"], ["x", "#N/A"], ["=1/0", 2]], {"header_row": 1}),
        ([["a", "b"], ["x", 1]], {"range": "A1:B2"}),
        ([["a", "b"], ["x", 1]], {"header_row": 0}),
    ],
)
def test_whole_sheet_decides_where_more_than_texts_matters(
    tmp_path: Path, rows: list[list[object]], described: dict[str, object]
) -> None:
    assert not is_head(written(tmp_path / "a.xlsx", rows), **described)


def test_merged_header_is_found_as_in_the_whole_sheet(tmp_path: Path) -> None:
    path = tmp_path / "merged.xlsx"
    book = Workbook()
    for row in (
        ["Town", None, "Sales", None],
        ["name", "code", "2025", "2026"],
        ["Rome", "R", 1, 2],
        ["Oslo", "O", 3, 4],
    ):
        book.active.append(row)
    book.active.merge_cells("A1:B1")
    book.active.merge_cells("C1:D1")
    book.save(path)
    assert not is_head(path)


def test_errors_are_those_of_the_whole_sheet(tmp_path: Path) -> None:
    empty = written(tmp_path / "empty.xlsx", [])
    broken = tmp_path / "broken.xlsx"
    broken.write_bytes(SAMPLE.read_bytes()[:5000])
    for path in (empty, broken):
        errors = []
        for opened in (open_head, open_source):
            with pytest.raises(ImporterError) as caught:
                opened(path, CalamineReader(), Source(file=path))
            errors.append(str(caught.value))
        assert errors[0] == errors[1]


CELLS = st.one_of(
    st.none(),
    st.sampled_from(["a", "b", "Name", "2026", "Total", "x y"]),
    st.integers(-5, 3000),
    st.floats(-9, 9),
    st.booleans(),
    st.dates(dt.date(1990, 1, 1), dt.date(2050, 1, 1)),
)


@given(st.lists(st.lists(CELLS, max_size=4), min_size=1, max_size=6))
def test_head_of_random_rows_is_that_of_the_whole_sheet(rows: list[list[object]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = written(Path(folder) / "a.xlsx", rows)
        try:
            open_source(path, CalamineReader(), Source(file=path)).workbook.close()
        except ImporterError:
            return
        is_head(path)
