"""What the keys do, and what the words mean."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from tui_importer.tui.drawing import Piece, lines
from tui_importer.tui.terminal import Glyphs

KEYS = (
    ("p", "pause the run; again: unpause"),
    ("s", "stop: finish what is in flight; again: abort and roll it back"),
    ("+, -", "one worker more, one less"),
    ("r", "rejected rows: filter them, write the workbook"),
    ("l", "the whole log"),
    ("e", "the report of an ended run"),
    ("u", "past and live runs"),
    ("d, q", "leave; a live run goes on, and attach shows it again"),
    ("^p", "every command by name, colours too"),
    ("?", "this"),
)
WORDS = (
    ("in flight", "rows read and not yet completed"),
    ("bound by", "reader: parsing is the limit; database: more workers may help"),
    ("STOPPING", "what is in flight is being finished, nothing more is taken"),
    ("isolating", "a worker looks for the rows that the database refuses"),
    ("retrying", "waiting for the next try after a transient error"),
)


class HelpScreen(ModalScreen[None]):
    """Explains keys and words."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,q,enter", "app.pop_screen", "Close", key_display="esc")
    ]

    def __init__(self, glyphs: Glyphs) -> None:
        super().__init__()
        self._glyphs = glyphs

    def compose(self) -> ComposeResult:
        rows: list[list[Piece]] = [[("keys", "$muted")]]
        rows += [[(f"{key:<11}", "bold $accent"), (what, "")] for key, what in KEYS]
        rows += [[], [("words", "$muted")]]
        rows += [[(f"{word:<11}", "bold"), (what, "")] for word, what in WORDS]
        states = ("connecting", "idle", "writing", "committing", "paused", "retrying", "isolating", "done", "failed")
        rows += [[], [("workers", "$muted")]]
        rows += [[("  ".join(f"{self._glyphs.marks[state]} {state}" for state in states), "")]]
        with VerticalScroll(id="help") as scroll:
            scroll.border_title = "help"
            scroll.border_subtitle = "esc closes"
            yield Static(lines(rows), markup=False)

    def on_mount(self) -> None:
        self.query_one("#help").focus()
