"""Two rows that are one header, and two that are not."""

from __future__ import annotations

import pytest

from tui_importer.core.source.two_row_headers import join_headers
from tui_importer.core.source.value_headers import Cells


def test_group_headers_are_prefixed_to_duplicate_names() -> None:
    upper: Cells = {0: "Region", 1: 2022.0, 3: 2023.0}
    lower: Cells = {1: "male", 2: "female", 3: "male", 4: "female"}
    assert join_headers(upper, lower, range(5)) == {
        0: "Region",
        1: "2022 male",
        2: "2022 female",
        3: "2023 male",
        4: "2023 female",
    }


def test_unique_names_get_no_group_prefix() -> None:
    assert join_headers({0: "Person", 2: "Note"}, {0: "First", 1: "Last"}, range(3)) == {
        0: "First",
        1: "Last",
        2: "Note",
    }


@pytest.mark.parametrize(
    ("upper", "lower"),
    [
        ({0: "Title"}, {0: "a", 1: "b", 2: "c"}),
        ({0: "Name", 1: "City", 2: "Phone"}, {0: "Ann", 1: "Oslo", 2: "12"}),
        ({0: "Name", 2: "Q1"}, {0: "Ann", 1: "n/a", 2: "n/a"}),
        ({0: "a", 1: "b"}, {0: "c", 1: "d"}),
        ({0: "a", 1: "a"}, {0: "c", 1: "c", 2: "c"}),
        ({0: "a", 3: "b"}, {0: "c", 1: "d"}),
    ],
)
def test_other_pairs_of_rows_are_not_a_two_row_header(upper: Cells, lower: Cells) -> None:
    assert join_headers(upper, lower, range(3)) is None
