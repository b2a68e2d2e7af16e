"""Lists in sentences."""

from __future__ import annotations

import pytest

from tui_importer.core.model.lists import listed


@pytest.mark.parametrize(
    ("items", "text"),
    [("", ""), ("a", "a"), ("ab", "a and b"), ("abc", "a, b and c"), ("abcdefghi", "a, b, c, d, e, f, g, h and i")],
)
def test_short_lists_are_whole(items: str, text: str) -> None:
    assert listed([*items]) == text


def test_of_a_long_list_the_rest_is_counted() -> None:
    assert listed([*"abcdefghij"]) == "a, b, c, d, e, f, g, h and 2 more"
