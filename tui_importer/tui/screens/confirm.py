"""A question before something that changes or removes rows."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from tui_importer.tui.terminal import Glyphs


class ConfirmScreen(ModalScreen[bool]):
    """Asks a question; dismissed with whether the answer is yes. Enter does not say yes: it may be one too many."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", "Yes"),
        Binding("n,escape", "answer(False)", "No"),
    ]

    def __init__(self, question: str, glyphs: Glyphs) -> None:
        super().__init__()
        self._question = question
        self._glyphs = glyphs

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="confirm", can_focus=False) as box:
            box.border_subtitle = "y yes, n no"
            yield Static(self._glyphs.text(self._question, 400), markup=False)

    def action_answer(self, answer: bool) -> None:
        """Close with the answer."""
        self.dismiss(answer)
