"""The file that is set up, and where its table is."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Input, Label, Select, Static

from tui_importer.core.model.count_or_auto import format_count
from tui_importer.core.model.plan import Plan
from tui_importer.core.model.standard_input import source_path
from tui_importer.process.messages import Previewed
from tui_importer.text.numbers import size
from tui_importer.tui.terminal import Glyphs
from tui_importer.tui.widgets.top import DRY_RUN


class SourceLine(Horizontal):
    """The file's name with fields for the sheet and the header row. ``place`` is which file it is of how many."""

    def __init__(self, plan: Plan, glyphs: Glyphs, place: tuple[int, int], id: str) -> None:  # noqa: A002  # as in textual
        super().__init__(id=id)
        self._plan = plan
        self._glyphs = glyphs
        self._place = place

    def compose(self) -> ComposeResult:
        yield Static(self._file_label(), id="setup-file", markup=False)
        yield Label("sheet")
        yield Select[str]([], prompt="...", allow_blank=True, compact=True, id="setup-sheet")
        yield Label("header row")
        header = format_count(self._plan.source.header_row)
        yield Input(header, compact=True, id="setup-header", max_length=7)

    def show_sheets(self, previewed: Previewed) -> None:
        """Offer the sheets of the workbook, with the one of the preview chosen."""
        sheets = self.query_one("#setup-sheet", Select)
        with sheets.prevent(Select.Changed):
            sheets.set_options((Content(self._glyphs.text(name, 40)), name) for name in previewed.sheets)
            sheets.value = previewed.sheet

    def show_plan(self, plan: Plan) -> None:
        """Show whether another plan for the file is a dry run."""
        self._plan = plan
        self.query_one("#setup-file", Static).update(self._file_label())

    def _file_label(self) -> str:
        path = source_path(self._plan.source.file)
        try:
            held = f" ({size(path.stat().st_size)})"
        except OSError:
            held = ""
        dry = f"{DRY_RUN}  " if self._plan.options.dry_run else ""
        number, of = self._place
        which = f"{number} of {of}: " if of > 1 else ""
        return dry + which + self._glyphs.text(path.name) + held
