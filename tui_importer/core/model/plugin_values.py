"""The options of plugins as a plan holds them: plain values, by plugin and option. Only the plugins know their types
(:mod:`tui_importer.plugins.options`)."""

from __future__ import annotations

from collections.abc import Mapping

PluginValue = bool | int | float | str
#: Values by the name of the plugin and of the option.
PluginValues = Mapping[str, Mapping[str, PluginValue]]


def merged(lower: PluginValues, upper: PluginValues) -> dict[str, dict[str, PluginValue]]:
    """All values of both; of an option that is in both, the upper one."""
    return {plugin: {**lower.get(plugin, {}), **upper.get(plugin, {})} for plugin in (*lower, *upper)}


def value_text(value: PluginValue) -> str:
    """The value as it is typed on the command line."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and float(f"{value:g}") == value:
        return f"{value:g}"  # 1, not 1.0
    return str(value)
