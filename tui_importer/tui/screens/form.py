"""A form over the setup screen: a line for each field, and what the values will do."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Input, Label, OptionList, Select, Static

from tui_importer.core.model.plan import Plan
from tui_importer.errors import PlanError
from tui_importer.tui.forms import Form, FormField
from tui_importer.tui.terminal import Glyphs


class FormScreen(ModalScreen[Plan | None]):
    """Asks for the values of a form; dismissed with the plan that they make, or None if it is to stay as it was."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "take", "Apply", priority=True),
        Binding("escape", "leave", "Cancel", key_display="esc"),
    ]

    def __init__(self, form: Form, glyphs: Glyphs) -> None:
        super().__init__()
        self._form = form
        self._glyphs = glyphs
        #: What the text fields show of the given values: one that was not changed stays what it was.
        self._shown = {field.name: glyphs.text(field.value, 1_000) for field in form.fields if not field.choices}

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="form", can_focus=False) as box:
            box.border_title = self._form.title
            box.border_subtitle = "enter applies, esc cancels"
            for field in self._form.fields:
                with Horizontal(classes="form-line"):
                    yield Label(field.label)
                    yield self._widget(field)
                if field.help:
                    yield Static(field.help, classes="form-help", markup=False)
            yield Static("", id="form-error", markup=False)
            yield Static("", id="form-effect", markup=False)

    def _widget(self, field: FormField) -> Input | Select[str]:
        id_ = f"form-{field.name}"
        if field.choices:
            choices = [(label, value) for value, label in field.choices]
            return Select[str](choices, value=field.value, allow_blank=False, compact=True, id=id_)
        return Input(self._shown[field.name], placeholder=field.empty, compact=True, id=id_)

    def on_mount(self) -> None:
        self.query_one(f"#form-{self._form.fields[0].name}").focus()
        self._show()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave an open list the keys that it needs."""
        return not isinstance(self.focused, OptionList) if action in ("take", "leave") else True

    def on_input_changed(self) -> None:
        self._show()

    def on_select_changed(self) -> None:
        self._show()

    def action_take(self) -> None:
        """Close with the plan that the values make, unless one of them is wrong."""
        try:
            self.dismiss(self._form.apply(self._values()))
        except PlanError:
            self._show()

    def action_leave(self) -> None:
        """Close without a change."""
        self.dismiss(None)

    def _values(self) -> dict[str, str]:
        values = {}
        for field in self._form.fields:
            widget = self.query_one(f"#form-{field.name}")
            assert isinstance(widget, (Input, Select))
            value = str(widget.value)
            values[field.name] = field.value if value == self._shown.get(field.name) else value
        return values

    def _show(self) -> None:
        """Show what is wrong with the values, or else what they will do."""
        error = effect = ""
        try:
            effect = self._form.effect(self._form.apply(self._values()))
        except PlanError as raised:
            error = str(raised)
        for name, said in (("error", error), ("effect", effect)):
            widget = self.query_one(f"#form-{name}", Static)
            widget.update(self._glyphs.text(said, 300))
            widget.display = bool(said)
