"""Lists in sentences."""

from __future__ import annotations

import pytest

from tui_importer.core.model.lists import listed


@pytest.mark.parametrize(
    ("items", "text"),
    [("", ""), ("a", "a"), ("ab", "a and b"), ("abc", "a, b and c"), ("abcdefghi", "a, b, c, d, e, f, g, h and i")],
)
def test_short_lists_are_written_completely(items: str, text: str) -> None:
    assert listed([*items]) == text


def test_long_list_ends_with_the_number_of_omitted_items() -> None:
    assert listed([*"abcdefghij"]) == "a, b, c, d, e, f, g, h and 2 more"
