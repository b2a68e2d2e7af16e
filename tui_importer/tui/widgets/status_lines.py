"""What is known of the file and of the table, below what it is about."""

from __future__ import annotations

from textual.widgets import Static

from tui_importer.process.messages import Inspected
from tui_importer.text.numbers import plural
from tui_importer.tui.draft import about
from tui_importer.tui.target_status import Level
from tui_importer.tui.terminal import Glyphs


class SourceStatus(Static):
    """What was found in the file, or why it cannot be read."""

    def __init__(self, text: str, glyphs: Glyphs, id: str) -> None:  # noqa: A002  # as in textual
        super().__init__(text, id=id, markup=False)
        self._glyphs = glyphs

    def say(self, text: str, *, bad: bool = False) -> None:
        """Show a sentence."""
        self.set_class(bad, "-error")
        self.update(self._glyphs.text(text, 1_000))

    def show(self, inspected: Inspected) -> None:
        """Show what was found. Notes about a single column are shown beside it."""
        plan, layout = inspected.plan, inspected.layout
        columns = plan.columns or ()
        rows = "" if inspected.rows is None else f"{plural(inspected.rows, 'row')}, "
        header_row = plan.source.header_row if layout is None else layout.header_row
        header = f"header in row {header_row}" if header_row else "no header"
        notes = [note for note in inspected.notes if not any(note.startswith(about(column)) for column in columns)]
        self.say("; ".join([f"{rows}{plural(len(columns), 'column')}, {header}", *notes]))


class TargetStatus(Static):
    """What is known of the table, and what will become of it. ``words`` is what it says now."""

    def __init__(self, glyphs: Glyphs, id: str) -> None:  # noqa: A002  # as in textual
        super().__init__("", id=id, markup=False)
        self._glyphs = glyphs
        self.words = ""

    def say(self, text: str, level: Level) -> None:
        """Show a sentence with the mark and the colour of its level."""
        for each in ("info", "warning", "error"):
            self.set_class(each == level, f"-{each}")
        mark = f"{self._glyphs.marks[level]} " if text else ""
        self.words = mark + self._glyphs.text(text, 400)
        self.update(self.words)
