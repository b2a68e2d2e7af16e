"""The keys of a reject workbook that was mended."""

from __future__ import annotations

from pathlib import Path

import pytest

from tui_importer import Block, Layout, ListColumn, SourceError
from tui_importer.core.model.mending import KEY_HEADER, REASON_HEADERS, RejectKey, parse_key, source_width
from tui_importer.core.source.mended_rows import mended_rows, without_reasons

RUN = "20261127-155715-00ab03a"
LAYOUT = Layout(header_row=1, first_row=2, last_row=None, first_column=1, headers=("a", *REASON_HEADERS, KEY_HEADER))
KEY_COLUMN = 7


def block(keys: list[str | None], first_row: int = 2) -> Block:
    cells = ListColumn(["x" if key is None or key else None for key in keys])
    others = [ListColumn([None] * len(keys)) for _ in REASON_HEADERS]
    return Block(
        first_row=first_row, columns=(cells, *others, ListColumn([key or None for key in keys])), first_column=1
    )


def test_layout_is_cut_to_the_columns_of_the_user() -> None:
    layout, column = without_reasons(Path("r.xlsx"), "Rejects", LAYOUT)
    assert (layout.headers, column) == (("a",), KEY_COLUMN)
    with pytest.raises(SourceError, match="has no column 'tui_importer row'"):
        without_reasons(Path("r.xlsx"), "Rejects", layout)


def test_keys_are_read_by_row_and_blank_rows_need_none() -> None:
    blocks = [block([f"{RUN}:7", ""]), block([f"{RUN}.2:9"], first_row=4)]
    layout, column = without_reasons(Path("r.xlsx"), "Rejects", LAYOUT)
    found = mended_rows(Path("r.xlsx"), "Rejects", blocks, layout, column)
    assert found == {2: RejectKey(RUN, 7), 4: RejectKey(f"{RUN}.2", 9)}


@pytest.mark.parametrize("key", [None, "7", f"{RUN}:0", f"{RUN}:07", "=1:2", f"{RUN}: 7"])
def test_row_without_a_valid_key_is_refused(key: str | None) -> None:
    layout, column = without_reasons(Path("r.xlsx"), "Rejects", LAYOUT)
    with pytest.raises(SourceError, match="row 2 of sheet 'Rejects' has no key"):
        mended_rows(Path("r.xlsx"), "Rejects", [block([key])], layout, column)


def test_key_reads_back() -> None:
    key = RejectKey(RUN, 1_048_576)
    assert parse_key(str(key)) == key


def test_source_width_ends_where_the_reasons_begin() -> None:
    assert source_width(["a", "b", *REASON_HEADERS, KEY_HEADER, None]) == 2
    assert source_width(["a", *REASON_HEADERS]) == 1
    assert source_width(["a", "b"]) == 2
