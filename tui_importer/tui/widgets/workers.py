"""The workers: a pane each, as many side by side as there is room for."""

from __future__ import annotations

from collections import Counter

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.reactive import reactive

from tui_importer.core.model.counters import WorkerState
from tui_importer.core.model.plan import WORKERS
from tui_importer.tui.drawing import Piece, between, fitted, lines, short, spark
from tui_importer.tui.terminal import UNICODE, Glyphs
from tui_importer.tui.view import View, WorkerView, word_of
from tui_importer.tui.widgets.picture import Picture

#: Minimum width of a pane in cells, including its frame.
PANE_WIDTH = 19

STYLES = {
    WorkerState.CONNECTING: "$accent",
    WorkerState.IDLE: "$muted",
    WorkerState.WRITING: "$success",
    WorkerState.COMMITTING: "$accent",
    WorkerState.PAUSED: "$warning",
    WorkerState.RETRYING: "$warning",
    WorkerState.BLOCKED: "$warning",
    WorkerState.ISOLATING: "$warning",
    WorkerState.DONE: "$success",
    WorkerState.FAILED: "$error",
}


class WorkerPane(Picture):
    """One worker: its state, its current rows, how many it has done and how fast, and its problem if it has one.

    ``number`` is the pane's, from 1; of several imports, one after another has its workers in the same panes.
    """

    def __init__(self, number: int, glyphs: Glyphs) -> None:
        super().__init__(glyphs, id=f"worker-{number}")
        self.number = number

    def titles(self, view: View) -> tuple[Content, Content]:
        worker = self._worker(view)
        if worker is None:
            return Content.styled(f"{self.number}", "$muted"), Content("")
        counted = [(worker.rejected, "rejected"), (worker.retries, "retried")]
        below = " ".join(f"{count:,} {word}" for count, word in counted if count)
        above = f"{worker.name} {self.glyphs.marks[worker.state.value]} {word_of(worker.state, dry_run=view.dry_run)}"
        return Content.styled(above, STYLES[worker.state]), Content(below)

    def decorate(self, view: View) -> None:
        worker = self._worker(view)
        style = STYLES[worker.state] if worker is not None else ""
        # Only for workers that need attention: setting a class costs more than drawing, and flickering frames do not
        # help.
        for level in ("warning", "error"):
            self.set_class(style == f"${level}", f"-{level}")

    def draw(self, view: View, width: int, height: int) -> Content:
        worker = self._worker(view)
        if worker is None:
            return Content.styled(fitted("not at work yet", width, self.glyphs.ellipsis), "$muted")
        return lines([self._current_rows(worker, width), self._done(worker, width), self._activity(worker, width)])

    def _worker(self, view: View) -> WorkerView | None:
        return view.workers[self.number - 1] if self.number <= len(view.workers) else None

    def _current_rows(self, worker: WorkerView, width: int) -> list[Piece]:
        glyphs = self.glyphs
        if worker.retry_in is not None:
            return [(fitted(f"try {worker.attempt + 1} in {worker.retry_in:.0f} s", width, ""), "bold $warning")]
        if worker.trouble is not None:
            return [(fitted(glyphs.text(worker.trouble), width, glyphs.ellipsis), STYLES[worker.state])]
        if worker.first_row is None or worker.last_row is None:
            return [("no rows in hand", "$muted")]
        rows = f"rows {worker.first_row:,}{glyphs.dash}{worker.last_row:,}"
        return [(fitted(rows if len(rows) <= width else rows.removeprefix("rows "), width, ""), "")]

    def _done(self, worker: WorkerView, width: int) -> list[Piece]:
        done = f"{worker.done:,} done" if width >= 24 else short(worker.done)
        return between([(done, "bold")], [(f"{short(worker.rate)}/s", STYLES[worker.state])], width)

    def _activity(self, worker: WorkerView, width: int) -> list[Piece]:
        if worker.trouble is not None and worker.retry_in is not None:
            text = self.glyphs.text(worker.trouble)
            return [(fitted(text, width, self.glyphs.ellipsis), "$warning")]
        took = f" {worker.batch_seconds * 1000:,.0f} ms" if worker.batch_seconds else ""
        return [(spark(worker.spark, max(0, width - len(took)), self.glyphs), "$chart"), (took, "$muted")]


class WorkerGrid(VerticalScroll):
    """A pane for each worker that was ever active; scrolls if there are many."""

    view: reactive[View] = reactive(View, layout=False, repaint=False)

    def __init__(self, glyphs: Glyphs = UNICODE, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.glyphs = glyphs

    def compose(self) -> ComposeResult:
        # Create panes for the usual number of workers up front: adding them during a run would cost as much as three
        # pictures.
        for number in range(1, WORKERS + 1):
            yield WorkerPane(number, self.glyphs)

    def watch_view(self, view: View) -> None:
        panes = {pane.number: pane for pane in self.query(WorkerPane)}
        wanted = range(1, len(view.workers) + 1)
        if not wanted and not view.state.over:
            return
        fresh = [WorkerPane(number, self.glyphs) for number in wanted if number not in panes]
        for number, pane in panes.items():
            if number not in wanted:
                pane.remove()
        if fresh:
            self._arrange(len(wanted))
            self.mount_all(fresh)
        for pane in [*panes.values(), *fresh]:
            pane.view = view

    def on_resize(self) -> None:
        self._arrange(len(self.query(WorkerPane)))

    def _arrange(self, panes: int) -> None:
        width = self.size.width - 1  # the scrollbar takes a cell
        columns = max(1, min(panes, width // PANE_WIDTH))
        if panes > columns:  # spread evenly: six as two rows of three, not as five and one
            rows = -(-panes // columns)
            columns = -(-panes // rows)
        self.styles.grid_size_columns = columns


class WorkerLine(Picture):
    """The workers in one line, if there is no room for panes."""

    def draw(self, view: View, width: int, height: int) -> Content:
        states = Counter(word_of(worker.state, dry_run=view.dry_run) for worker in view.workers)
        words = ", ".join(f"{count} {word}" for word, count in states.items()) or "none yet"
        text = f"workers: {words}  {short(view.now)} rows/s"
        return Content(fitted(text, width, self.glyphs.ellipsis))
