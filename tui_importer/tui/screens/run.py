"""The run screen: progress, speed, time left, the state of each worker, and what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.reactive import reactive
from textual.screen import Screen
from textual.widgets import Footer

from tui_importer.errors import ExitCode, UsageError
from tui_importer.recording.control import Abort, AnyOrder, ChangeWorkers, Pause, Stop, Unpause, give_order
from tui_importer.tui.messages import (
    DashboardResult,
    OpenRun,
    OrderRefused,
    RunOpened,
    RunRefused,
    ShownRun,
    ViewChanged,
)
from tui_importer.tui.run_follower import PERIOD, RunFollower
from tui_importer.tui.screens.log import LogScreen
from tui_importer.tui.screens.rejects import MakeScreen, RejectsScreen
from tui_importer.tui.screens.report import ReportScreen
from tui_importer.tui.terminal import Glyphs
from tui_importer.tui.view import State, View
from tui_importer.tui.widgets.lists import LogPanel, RejectsPanel
from tui_importer.tui.widgets.rates import BoundGauge, ThroughputChart
from tui_importer.tui.widgets.top import Equation, Heading, ProgressLine
from tui_importer.tui.widgets.workers import WorkerGrid, WorkerLine


class RunScreen(Screen[None]):
    """Shows a live, ended or replayed run, and takes orders for a live one."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("p", "pause", "Pause"),
        Binding("s", "stop", "Stop"),
        Binding("c", "stop", "Stop", show=False),  # the key of version 0.1
        Binding("plus,equals_sign", "workers(1)", "Workers", key_display="+/-"),
        Binding("minus,underscore", "workers(-1)", "One worker less", show=False),
        Binding("r", "rejects", "Rejects"),
        Binding("l", "log", "Log"),
        Binding("enter,e", "report", "Report", key_display="e"),
        Binding("d", "detach", "Detach"),
        Binding("q", "leave", "Quit"),
        Binding("escape", "leave_replay", "Quit", show=False),
    ]

    view: reactive[View] = reactive(View, layout=False, repaint=False)

    def __init__(
        self,
        open_run: OpenRun,
        glyphs: Glyphs,
        period: float = PERIOD,
        refused: Callable[[str], None] | None = None,
        mend: MakeScreen | None = None,
    ) -> None:
        """``refused`` is called with the reason if there is no run to show; without it the application exits. ``mend``
        returns the screen that imports mended rejects, if runs can be begun here."""
        super().__init__()
        self._mend = mend
        self._refused = refused
        self.shown: ShownRun | None = None
        self._open_run = open_run
        self._glyphs = glyphs
        self._period = period
        self._follower: RunFollower | None = None
        self._log: LogScreen | None = None

    def compose(self) -> ComposeResult:
        glyphs = self._glyphs
        yield Heading(glyphs, id="heading").data_bind(RunScreen.view)
        yield ProgressLine(glyphs, id="progress").data_bind(RunScreen.view)
        yield Equation(glyphs, id="equation").data_bind(RunScreen.view)
        with Horizontal(id="rates"):
            yield ThroughputChart(glyphs, id="chart").data_bind(RunScreen.view)
            yield BoundGauge(glyphs, id="bound").data_bind(RunScreen.view)
        yield WorkerLine(glyphs, id="worker-line").data_bind(RunScreen.view)
        yield WorkerGrid(glyphs, id="workers").data_bind(RunScreen.view)
        with Horizontal(id="words"):
            yield RejectsPanel(glyphs, id="rejects").data_bind(RunScreen.view)
            yield LogPanel(glyphs, id="log").data_bind(RunScreen.view)
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        # Draw the first picture before the run starts: drawing it later would cost the run more than it delays the
        # user.
        self.call_after_refresh(self._follow)

    def _follow(self) -> None:
        self._follower = RunFollower(self._open_run, self.post_message, self._period)

    def on_unmount(self) -> None:
        if self._follower is not None:
            self._follower.close()

    def on_run_opened(self, message: RunOpened) -> None:
        self.shown = message.shown
        if not self.shown.orders:  # the footer already shows the keys of a live run
            self.refresh_bindings()

    def on_run_refused(self, message: RunRefused) -> None:
        if self._refused is not None:
            self._refused(message.error)
        else:
            self.app.exit(DashboardResult(error=message.error, exit_code=message.exit_code))

    def on_view_changed(self, message: ViewChanged) -> None:
        over = self.view.state.over
        with self.app.batch_update():
            self.view = message.view
            if self._log is not None and self._log.is_current:
                self._log.view = message.view
        if over is not self.view.state.over:
            self.refresh_bindings()  # redraws the footer, which costs as much as three pictures

    def on_order_refused(self, message: OrderRefused) -> None:
        self.notify(self._glyphs.text(message.error), severity="warning", markup=False)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Show only the keys that apply now."""
        over, live = self.view.state.over, self.shown is None or self.shown.orders
        match action:
            case "pause" | "stop" | "workers" | "detach":
                return live and not over
            case "report":
                return over
            case "leave_replay":
                return not live
            case _:
                return True

    def action_pause(self) -> None:
        """Pause the run, or unpause it."""
        self._order(Unpause() if self.view.state is State.PAUSED else Pause())

    def action_stop(self) -> None:
        """Stop the run; a second time, abort it."""
        stopping = self.view.state in (State.STOPPING, State.ABORTING)
        self._order(Abort() if stopping else Stop())

    def action_workers(self, more: int) -> None:
        """Change the number of workers by ``more``."""
        self._order(ChangeWorkers(workers=self.view.counters.workers_wanted + more))

    def action_rejects(self) -> None:
        """Show rejected rows."""
        if self.shown is not None:
            self.app.push_screen(RejectsScreen(self.shown.recording, self._glyphs, self._mend))

    def action_log(self) -> None:
        """Show the whole log."""
        self._log = LogScreen(self._glyphs)
        self._log.view = self.view
        self.app.push_screen(self._log)

    def action_report(self) -> None:
        """Show the report of an ended run."""
        if self.view.state.over and self.shown is not None:
            self.app.push_screen(ReportScreen(self.view, self.shown.recording, self._glyphs))

    def action_detach(self) -> None:
        """Leave a live run running."""
        self.action_leave()

    def action_leave(self) -> None:
        """Leave the screen; a live run continues."""
        shown, view = self.shown, self.view
        if shown is None and self._follower is not None:  # the run may be about to begin: it does, and continues
            self._follower.close()
            shown = self._follower.shown
        if shown is None:
            self.app.exit(DashboardResult(exit_code=int(ExitCode.STOPPED), error="left before the run was begun"))
            return
        if not shown.orders:  # leaving a replay is never a failure
            recording = shown.recording
            self.app.exit(DashboardResult(recording=recording, report=recording.report(), live=recording.alive))
            return
        live = not view.state.over
        code = view.report.exit_code if view.report else int(ExitCode.OK if live else ExitCode.STOPPED)
        self.app.exit(DashboardResult(recording=shown.recording, report=view.report, live=live, exit_code=code))

    def action_leave_replay(self) -> None:
        """Leave a replay; a live run is not left by the key that closes other screens."""
        self.action_leave()

    def _order(self, order: AnyOrder) -> None:
        """Send an order to the run, in a thread: the answer may take a while."""
        if self.shown is None:
            return
        folder = self.shown.recording.folder

        def send() -> None:
            try:
                give_order(folder, order)
            except UsageError as error:
                self.post_message(OrderRefused(str(error)))

        self.run_worker(send, thread=True, group="orders")
