"""How the texts of a column are written: date format and decimal mark, and the words for NULL of all columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import msgspec
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Input, Label, OptionList, Select, Static

from tui_importer.core.model.formats import ColumnFormat, Formats
from tui_importer.core.model.types import ColumnType
from tui_importer.errors import PlanError
from tui_importer.tui.column_formats import GivenFormat, effect, own_format
from tui_importer.tui.draft import DraftColumn
from tui_importer.tui.terminal import Glyphs

#: How many cells show what becomes of them.
_SAMPLES = 5
#: Characters of a text and of what it becomes.
_TEXT = 30

_MARKS = (("detected", ""), ("point", "."), ("comma", ","))


class FormatScreen(ModalScreen[GivenFormat | None]):
    """Asks for the format of a column; dismissed with None if it is to stay as it was.

    ``texts`` are the first cells of the column, to show what becomes of them.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "take", "Apply", priority=True),
        Binding("escape", "leave", "Cancel", key_display="esc"),
    ]

    def __init__(self, column: DraftColumn, formats: Formats, texts: Sequence[str], glyphs: Glyphs) -> None:
        super().__init__()
        self._column = column
        self._formats = formats
        self._own = own_format(formats, column.header, column.target)
        self._texts = texts[:_SAMPLES]
        self._glyphs = glyphs

    def compose(self) -> ComposeResult:
        own, general = self._own, self._formats.all
        with VerticalScroll(id="format", can_focus=False) as box:
            box.border_title = self._glyphs.text(f"format of {self._column.header or self._column.letter}", 60)
            box.border_subtitle = "enter applies, esc cancels"
            with Horizontal(classes="format-line"):
                yield Label("date format")
                placeholder = general.date_format or "detected"
                yield Input(own.date_format or "", placeholder=placeholder, compact=True, id="format-date")
            yield Static("such as DD.MM.YYYY, %d/%m/%Y, or the order: dmy, mdy, ymd", classes="format-help")
            yield Static("", id="format-error", markup=False)
            with Horizontal(classes="format-line"):
                yield Label("decimal mark")
                mark = own.decimal_mark or ""
                yield Select[str](_MARKS, value=mark, allow_blank=False, compact=True, id="format-mark")
            with Horizontal(classes="format-line"):
                yield Label("NULL words")
                words = self._glyphs.text(", ".join(general.null_if), 1_000)
                yield Input(words, placeholder="none", compact=True, id="format-null")
            yield Static("in every column, with commas between them", classes="format-help")
            yield Static("", id="format-effect", markup=False)

    def on_mount(self) -> None:
        self.query_one("#format-error", Static).display = False
        self.query_one("#format-date", Input).focus()
        self._show_effect()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave an open list the keys that it needs."""
        return not isinstance(self.focused, OptionList) if action in ("take", "leave") else True

    def on_input_changed(self, event: Input.Changed) -> None:
        self.query_one("#format-error", Static).display = False
        self._show_effect()

    def on_select_changed(self, event: Select.Changed) -> None:
        self._show_effect()

    def action_take(self) -> None:
        """Close with what the fields say, unless one of them is wrong."""
        try:
            given = self._given()
        except PlanError as error:
            said = self.query_one("#format-error", Static)
            said.update(self._glyphs.text(str(error), 300))
            said.display = True
            self.query_one("#format-date", Input).focus()
        else:
            self.dismiss(given)

    def action_leave(self) -> None:
        """Close without a change."""
        self.dismiss(None)

    def _given(self) -> GivenFormat:
        """What the fields say. Raises :class:`PlanError` for an invalid date format, the only text that can be
        wrong."""
        own = ColumnFormat(
            **msgspec.structs.asdict(self._own)
            | {
                "date_format": self.query_one("#format-date", Input).value.strip() or None,
                "decimal_mark": self.query_one("#format-mark", Select).value or None,
            }
        )
        words = self.query_one("#format-null", Input).value
        if words == self._glyphs.text(", ".join(self._formats.all.null_if), 1_000):
            return GivenFormat(own, self._formats.all.null_if)  # a word may have a comma in it
        return GivenFormat(own, tuple(filter(None, map(str.strip, words.split(",")))))

    def _show_effect(self) -> None:
        """Show what becomes of some cells; of a format that is not complete, leave the last ones."""
        try:
            given = self._given()
        except PlanError:
            return
        general = msgspec.structs.replace(self._formats.all, null_if=given.null_if)
        chosen = None if self._column.type == self._column.found else ColumnType.parse(self._column.type)
        type_, values = effect(self._texts, general.merged(given.own), chosen)
        text, arrow = self._glyphs.text, self._glyphs.to
        width = min(_TEXT, max((len(text(each, _TEXT)) for each in self._texts), default=0))
        lines = [
            f"{text(each, _TEXT):<{width}} {arrow} {text(value, 80)}"
            for each, value in zip(self._texts, values, strict=True)
        ]
        shown = self.query_one("#format-effect", Static)
        shown.update("\n".join([f"the first rows as {type_}:", *lines]) if lines else "")
