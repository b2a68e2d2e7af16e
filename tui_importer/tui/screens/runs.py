"""Past and live runs: open one, or replay it."""

from __future__ import annotations

from pathlib import PurePath
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import DataTable, Footer, Static

from tui_importer.recording.listing import ListedRun, columns_of, listed
from tui_importer.recording.recordings import Recording, recordings_folder
from tui_importer.tui.cells import cell
from tui_importer.tui.messages import OpenRun
from tui_importer.tui.open_run import attached, replayed
from tui_importer.tui.terminal import Glyphs

MAX_RUNS = 200
REPLAY_SPEED = 10.0


class RunsScreen(Screen[OpenRun | None]):
    """Lists the recorded runs of this user; dismissed with the run to show."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "Back", key_display="esc"),
        Binding("q", "back", "Back", show=False),
        Binding("enter", "open", "Open", priority=True),
        Binding("y", "replay", f"Replay x{REPLAY_SPEED:.0f}"),
        Binding("u", "list", "Update"),
    ]

    def __init__(self, glyphs: Glyphs) -> None:
        super().__init__()
        self._glyphs = glyphs
        self._runs: list[ListedRun] = []

    def compose(self) -> ComposeResult:
        yield Static("runs of this user, the latest first", id="runs-title", markup=False)
        yield DataTable(id="runs-table", cursor_type="row", zebra_stripes=True)
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        self._table.focus()
        self.action_list()

    @property
    def _table(self) -> DataTable[Text]:
        return self.query_one("#runs-table", DataTable)

    def action_list(self) -> None:
        """Reload the list of runs."""
        self._runs = listed(recordings_folder(), MAX_RUNS)
        table, text = self._table, self._glyphs.text
        counts = columns_of(self._runs)
        table.clear(columns=True)
        table.add_columns("state", "begun", *(name for name, _ in counts), "what", "run")
        for run, *numbers in zip(self._runs, *(texts for _, texts in counts), strict=True):
            begun = run.started_at[:19].replace("T", " ")
            where = f" {self._glyphs.dot} ".join(filter(None, (run.database, run.table)))
            what = f"{PurePath(run.file).name} {self._glyphs.to} {where}"
            cells = (run.state, begun, *numbers, what, run.run_id)
            table.add_row(*(cell(self.app, text(row_cell)) for row_cell in cells))
        if not self._runs:
            self.query_one("#runs-title", Static).update("no run is recorded yet")

    def action_open(self) -> None:
        """Show the selected run."""
        recording = self._chosen()
        if recording is not None:
            self.dismiss(attached(recording))

    def action_replay(self) -> None:
        """Replay the selected run."""
        recording = self._chosen()
        if recording is None:
            return
        if recording.alive:
            self.notify("the run goes on: it can be played again once it has ended", markup=False)
            return
        self.dismiss(replayed(recording, REPLAY_SPEED))

    def action_back(self) -> None:
        """Return to the screen before."""
        self.dismiss(None)

    def _chosen(self) -> Recording | None:
        row = self._table.cursor_row
        return Recording(recordings_folder() / self._runs[row].run_id) if row < len(self._runs) else None
