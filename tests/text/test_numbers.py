from __future__ import annotations

import math

import pytest

from tui_importer.text.numbers import clock, format_eta


@pytest.mark.parametrize(("seconds", "said"), [(0, "00:00"), (61.9, "01:01"), (3_723, "1:02:03")])
def test_seconds_are_formatted_as_a_clock(seconds: float, said: str) -> None:
    assert clock(seconds) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "00:00 left"), (6.1, "00:07 left"), (3_722.5, "1:02:03 left"), (None, "time left unknown")],
)
def test_remaining_time_is_rounded_up(seconds: float | None, said: str) -> None:
    assert format_eta(seconds) == said
    assert format_eta(math.inf) == "time left unknown"
