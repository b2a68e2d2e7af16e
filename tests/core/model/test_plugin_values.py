"""The values of plugins' options in a plan."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tui_importer.core.model.plugin_values import PluginValue, merged, value_text


def test_merged_plugin_options_override_individually() -> None:
    lower: dict[str, dict[str, PluginValue]] = {"a": {"x": 1, "y": 2}, "b": {"z": 3}}
    upper: dict[str, dict[str, PluginValue]] = {"a": {"y": 5}, "c": {"w": True}}
    assert merged(lower, upper) == {"a": {"x": 1, "y": 5}, "b": {"z": 3}, "c": {"w": True}}
    assert lower["a"] == {"x": 1, "y": 2}


def test_value_text_is_as_on_the_command_line() -> None:
    values: list[PluginValue] = [True, False, 3, 1.0, 0.5, 1e300, "a b", ""]
    assert [value_text(value) for value in values] == ["true", "false", "3", "1", "0.5", "1e+300", "a b", ""]


@given(number=st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_round_trip_as_text(number: float) -> None:
    assert float(value_text(number)) == number
