"""The fields for the options of plugins, built from what the plugins declare."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.reactive import reactive
from textual.widgets import Input, Label, Select, Static

from tui_importer.core.model.plugin_values import PluginValue, PluginValues, value_text
from tui_importer.plugins.options import OptionSet, PluginOption, ValueKind
from tui_importer.tui.terminal import Glyphs

#: Characters of an option's name that are shown.
_MAX_KEY = 30


class PluginOptionFields(VerticalScroll, can_focus=False):
    """A field for each option of the ``option_sets``, with its help text. What was typed is kept if a plugin leaves and
    comes back. An empty field means the default."""

    option_sets: reactive[tuple[OptionSet, ...]] = reactive((), recompose=True)

    def __init__(self, glyphs: Glyphs, given: PluginValues, id: str) -> None:  # noqa: A002  # as in textual
        super().__init__(id=id)
        self._glyphs = glyphs
        self._given = given
        self._texts: dict[str, str] = {}
        self.display = False

    def compose(self) -> ComposeResult:
        for _, option in self._options():
            yield self._line(option, self._texts[option.key])

    def show(self, option_sets: Sequence[OptionSet]) -> None:
        """Show the fields of these options; without any, take no room."""
        if tuple(option_sets) == self.option_sets:
            return
        for options in option_sets:
            given = options.own(self._given)
            for option in options.options:
                text = value_text(given[option.name]) if option.name in given else _unset(option)
                self._texts.setdefault(option.key, text)
        self.option_sets = tuple(option_sets)
        self.display = bool(option_sets)

    def kind_of(self, field_name: str | None) -> str | None:
        """The kind of plugin (reader, strategy ...) that a field belongs to; None for any other field."""
        return next((options.kind for options, option in self._options() if option.key == field_name), None)

    def keep(self, field_name: str | None, text: str) -> bool:
        """Note what was typed into a field; False if there is nothing new in it."""
        if field_name not in self._texts or self._texts[field_name] == text:
            return False
        self._texts[field_name] = text
        return True

    def values(self) -> dict[str, dict[str, PluginValue]]:
        """The options of a plan with what the fields say. Raises :class:`PlanError` for a text that is not a value."""
        shown = {options.plugin for options in self.option_sets}
        values = {plugin: dict(own) for plugin, own in self._given.items() if plugin not in shown}
        for options, option in self._options():
            text = self._texts[option.key].strip()
            if text and (text != _unset(option) or option.name in options.own(self._given)):
                values.setdefault(options.plugin, {})[option.name] = option.parse(text)
        return values

    def _options(self) -> Iterator[tuple[OptionSet, PluginOption]]:
        return ((options, option) for options in self.option_sets for option in options.options)

    def _line(self, option: PluginOption, text: str) -> Horizontal:
        label = Label(self._glyphs.text(option.key, _MAX_KEY), markup=False)
        label.styles.width = min(_MAX_KEY, max(len(each.key) for _, each in self._options()))
        help_ = Static(self._glyphs.text(option.description, 300), markup=False, classes="setup-option-help")
        return Horizontal(label, self._field(option, text), help_, classes="setup-line setup-option")

    def _field(self, option: PluginOption, text: str) -> Input | Select[str]:
        words = _words(option)
        if not words:
            placeholder = self._glyphs.text(_default(option) or "none", 30)
            return Input(text, placeholder=placeholder, compact=True, name=option.key)
        return Select(
            [(Content(self._glyphs.text(word)), word) for word in words],
            prompt="none",
            value=text or Select.NULL,
            allow_blank=option.default is None,
            compact=True,
            name=option.key,
        )


def _words(option: PluginOption) -> tuple[str, ...]:
    """The texts that can be chosen; empty if any can be typed."""
    return ("true", "false") if option.kind is ValueKind.BOOLEAN else option.choices


def _default(option: PluginOption) -> str:
    return "" if option.default is None else value_text(option.default)


def _unset(option: PluginOption) -> str:
    """What the field of an option holds that was not given: a list of choices has no other way to show the default."""
    return _default(option) if _words(option) else ""
