"""A progress bar on a terminal. This module draws with rich, and is imported only if there is a terminal."""

from __future__ import annotations

from collections.abc import Callable
from logging import LogRecord
from typing import TextIO, cast

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn
from rich.table import Column

from tui_importer.console.lines import SafeStream
from tui_importer.console.progress import Narrator, SourceName, record_sentence
from tui_importer.core.model.counters import Phase, Snapshot, progress, total
from tui_importer.core.model.rates import RateWindow
from tui_importer.events import AnyEvent
from tui_importer.recording.sampler import Sampler, SnapshotSource
from tui_importer.text.numbers import format_eta, format_rate
from tui_importer.text.safe import encodable, shortened

#: Seconds between two redraws: fast enough to look alive, slow enough for a slow connection.
DRAW_PERIOD = 0.25
#: Terminal widths below which there is no bar, and below which only the share is shown.
_NARROW, _TINY = 80, 50
_BAR_WIDTH = 12
_NAME_WIDTH = 18


class BarProgress:
    """Sheet, bar, rows, rate and time left in one line that is redrawn; events scroll by above it."""

    def __init__(
        self,
        stream: TextIO,
        *,
        period: float = DRAW_PERIOD,
        verbose: bool = False,
        console: Callable[[TextIO], Console] | None = None,
    ) -> None:
        """``console`` creates rich's console for a stream; by default one that detects what the terminal can do."""
        self._out = SafeStream(stream)
        self._period = period
        self._narrator = Narrator(verbose=verbose)
        self._rates = RateWindow()
        self._name = SourceName()
        self._console = (console or _console)(cast("TextIO", self._out))
        width = self._console.width
        columns: list[ProgressColumn] = [_text("{task.description}")]
        if width >= _NARROW:
            columns.append(BarColumn(bar_width=_BAR_WIDTH))
        columns.append(_text("{task.fields[status_line]}"))
        # Neither stdout nor stderr is redirected, and only the sampler draws.
        self._display = Progress(
            *columns,
            console=self._console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._task = self._display.add_task("", total=None, status_line="")
        self._sampler: Sampler | None = None

    def start(self, snapshot: SnapshotSource) -> None:
        self._show(snapshot())
        self._display.start()
        self._sampler = Sampler(snapshot, self._period, self.sample)

    def on_event(self, event: AnyEvent) -> None:
        self._name.on_event(event)
        sentence = self._narrator.sentence(event)
        if sentence is not None:
            self._print(sentence)

    def on_record(self, record: LogRecord) -> None:
        self._print(self._narrator.prefix + record_sentence(record))

    def _print(self, sentence: str) -> None:
        self._console.print(
            encodable(sentence, self._out.encoding), markup=False, highlight=False, emoji=False, soft_wrap=True
        )

    def sample(self, snapshot: Snapshot) -> None:
        """Redraw the line."""
        self._show(snapshot)
        self._display.refresh()

    def stop(self) -> None:
        if self._sampler is not None:
            self._sampler.stop()
        self._display.stop()  # shows the cursor again

    def _show(self, snapshot: Snapshot) -> None:
        self._rates.add(snapshot)
        self._display.update(
            self._task,
            description=self._narrator.prefix + encodable(shortened(self._name.text, _NAME_WIDTH), self._out.encoding),
            total=total(snapshot) if snapshot.read else None,
            completed=snapshot.finished,
            status_line=_status_line(snapshot, self._rates.rate(), self._rates.eta(), self._console.width),
        )


def _status_line(snapshot: Snapshot, rows_per_second: float, seconds_left: float | None, width: int) -> str:
    """Return the words beside the bar, as many as there is room for."""
    if snapshot.phase is Phase.INDEXING:
        return "making indexes"
    if not snapshot.read and not snapshot.all_read:
        return "reading, size unknown"
    share, rows = progress(snapshot), total(snapshot)
    percent = [] if share is None else [f"{int(share * 100)} %"]
    done = f"{snapshot.finished:,}" if rows is None else f"{snapshot.finished:,}/{rows:,}"
    ending = "stopping" if snapshot.phase is Phase.STOPPING else format_eta(seconds_left)
    rejected = [f"{snapshot.rejected:,} rejected"] if snapshot.rejected else []
    if width < _TINY:
        return "  ".join([*(percent or [done]), *rejected])
    return "  ".join([*percent, done, format_rate(rows_per_second), *rejected, ending])


def _text(template: str) -> TextColumn:
    return TextColumn(template, markup=False, table_column=Column(no_wrap=True, overflow="ellipsis"))


def _console(stream: TextIO) -> Console:
    return Console(file=stream, markup=False, highlight=False, emoji=False)
