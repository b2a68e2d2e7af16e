"""Rejected rows: cell, reason and value of each fault, a filter, and the workbook for correcting them."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import DataTable, Footer, Input, Static

from tui_importer.errors import ImporterError
from tui_importer.events import Reject, RowRejected
from tui_importer.recording.follow import rejected_rows, sources_with_rejects
from tui_importer.recording.recordings import Recording
from tui_importer.text.numbers import plural
from tui_importer.tui.cells import cell
from tui_importer.tui.messages import RejectsFound, RejectsWritten
from tui_importer.tui.terminal import Glyphs

#: Maximum number of rejects that are listed; the filter searches all of them, and the workbook has all.
MAX_LISTED = 1_000
#: Characters of each table column; the workbook has the full texts. The source is shown if there are several.
_SOURCE = "source"
_WIDTHS = {"cell": 20, "column": 16, "reason": 60, "value": 32, "SQLSTATE": 8}


#: Makes a screen.
MakeScreen = Callable[[], Screen[None]]


class RejectsScreen(Screen[None]):
    """Lists the rejects of a run from its recording; ``/`` filters, ``w`` writes the workbook, and ``m`` imports it
    once it is mended."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "Back", key_display="esc"),
        Binding("q,r", "back", "Back", show=False),
        Binding("slash", "filter", "Filter"),
        Binding("w", "write", "Write workbook"),
        Binding("m", "mend", "Import mended"),
        Binding("u", "search", "Update"),
    ]

    def __init__(self, recording: Recording, glyphs: Glyphs, mend: MakeScreen | None = None) -> None:
        """``mend`` returns the screen that imports mended rejects, if runs can be begun here."""
        super().__init__()
        self._mend = mend
        self._recording = recording
        self._glyphs = glyphs
        self._search = 0
        self._several = (recording.first("run_started") or {}).get("sources", 1) > 1

    def compose(self) -> ComposeResult:
        yield Static("reading rejected rows", id="rejects-count", markup=False)
        yield Input(placeholder="filter: a cell, a column, a reason, a value", id="rejects-filter", classes="hidden")
        yield DataTable(id="rejects-table", cursor_type="row", zebra_stripes=True)
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        table = self._table
        table.add_columns(*([_SOURCE] if self._several else []), *_WIDTHS)
        table.focus()
        self.action_search()

    @property
    def _table(self) -> DataTable[Text]:
        return self.query_one("#rejects-table", DataTable)

    def on_input_changed(self, event: Input.Changed) -> None:
        self.action_search()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        self._table.focus()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return self._mend is not None if action == "mend" else super().check_action(action, parameters)

    def action_mend(self) -> None:
        """Import a workbook of rejects that was mended."""
        if self._mend is not None:
            self.app.push_screen(self._mend())

    def action_back(self) -> None:
        """Close the filter if it is open, else the screen."""
        given = self.query_one(Input)
        if given.has_focus or not given.has_class("hidden"):
            given.value = ""
            given.add_class("hidden")
            self._table.focus()
        else:
            self.app.pop_screen()

    def action_filter(self) -> None:
        """Open the filter."""
        given = self.query_one(Input)
        given.remove_class("hidden")
        given.focus()

    def action_search(self) -> None:
        """Search for matching rejects, in a thread: there may be a million."""
        self._search += 1
        search, wanted = self._search, self.query_one(Input).value.casefold()

        def find() -> None:
            found, count = list[RowRejected](), 0
            for event in rejected_rows(self._recording):
                if search != self._search:
                    return  # another filter was typed meanwhile
                if not wanted or _fits(event.reject, wanted):
                    count += 1
                    if count <= MAX_LISTED:
                        found.append(event)
            found.sort(key=lambda event: (event.source, event.reject.row))
            self.post_message(RejectsFound(search, found, count))

        self.run_worker(find, thread=True, group="search")

    def on_rejects_found(self, message: RejectsFound) -> None:
        if message.search != self._search:
            return
        table, text = self._table, self._glyphs.text
        table.clear()
        for event in message.rejects:
            source = [str(event.source)] if self._several else []
            for fault in event.reject.faults:
                facts = (fault.cell, fault.column, fault.reason, fault.value, fault.sqlstate)
                cells = [text(fact or "", width) for fact, width in zip(facts, _WIDTHS.values(), strict=True)]
                cells = [*source, *cells]
                table.add_row(*(cell(self.app, each) for each in cells))
        summary = f"{plural(message.count, 'row')} rejected"
        if self.query_one(Input).value:
            summary = f"{plural(message.count, 'row')} of the rejected fit"
        if message.count > MAX_LISTED:
            summary += f", the first {MAX_LISTED:,} are listed; w writes all"
        self.query_one("#rejects-count", Static).update(summary)

    def action_write(self) -> None:
        """Write a workbook of the rejects of each source, in a thread."""

        def write() -> None:
            from tui_importer.rejects.rebuilt import write_rejects_of  # the workbook writer takes a while to import

            try:
                sources: list[int | None] = [*sources_with_rejects(self._recording)] or [None]
                written = [write_rejects_of(self._recording, source=source) for source in sources]
            except ImporterError as error:
                self.post_message(RejectsWritten((), 0, str(error)))
            else:
                paths, counts = zip(*written, strict=True)
                self.post_message(RejectsWritten(paths, sum(counts)))

        self.run_worker(write, thread=True, group="write", exclusive=True)

    def on_rejects_written(self, message: RejectsWritten) -> None:
        if message.error is not None:
            self.notify(self._glyphs.text(message.error, 400), severity="error", markup=False)
        else:
            written = f"{plural(message.count, 'row')} written to {', '.join(map(str, message.paths))}"
            self.notify(self._glyphs.text(written, 400), markup=False)


def _fits(reject: Reject, wanted: str) -> bool:
    """Return whether any text about the row contains ``wanted``."""
    return any(
        wanted in (text or "").casefold()
        for fault in reject.faults
        for text in (fault.cell, fault.column, fault.value, fault.reason, fault.sqlstate)
    )
