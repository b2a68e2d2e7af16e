"""The report of an ended run: outcome, counts, throughput, workers, files, and the command that repeats it."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Footer, Static

from tui_importer.core.model.report import Report, reports_of_imports
from tui_importer.recording.recordings import Recording
from tui_importer.text.ending import GOES_ON, paths_and_commands
from tui_importer.text.numbers import format_duration, format_rate, plural
from tui_importer.text.resources import memory, shown_stages, stages_of
from tui_importer.text.sentences import equation, verified
from tui_importer.text.summary import outcome, route
from tui_importer.tui.drawing import Piece, bar, chart, chart_columns, fitted, lines
from tui_importer.tui.terminal import Glyphs
from tui_importer.tui.view import View
from tui_importer.tui.widgets.lists import group_line
from tui_importer.tui.widgets.top import state_pieces

_CHART_HEIGHT = 8
_BAR_WIDTH = 40
#: Cells at both sides of the page: padding and scrollbar.
_AROUND = 8


class ReportScreen(Screen[None]):
    """The report of an ended run, on one page that scrolls."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "app.pop_screen", "Back", key_display="esc"),
        Binding("q,e,enter", "app.pop_screen", "Back", show=False),
    ]

    def __init__(self, view: View, recording: Recording, glyphs: Glyphs) -> None:
        super().__init__()
        self._view = view
        self._recording = recording
        self._glyphs = glyphs

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="report-scroll"):
            yield Static(id="report-text", markup=False)
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        self.query_one("#report-scroll").focus()

    def on_resize(self) -> None:
        width = max(20, self.app.size.width - _AROUND)
        for text in self.query("#report-text").results(Static):
            text.update(self._text(width))

    def _text(self, width: int) -> Content:
        view, glyphs, report = self._view, self._glyphs, self._view.report
        counts = view.counters
        numbers = (counts.finished, counts.inserted, counts.updated, counts.skipped, counts.rejected)
        equals = equation(*numbers, dry_run=view.dry_run)
        blank = f", {plural(counts.blank, 'blank row')} passed over" if counts.blank else ""
        rows: list[list[Piece]] = [
            state_pieces(view),
            *([(fitted(glyphs.text(line, 400), 4 * width, glyphs.ellipsis), "")] for line in self._outcome(report)),
            [],
            [(equals, "bold"), (blank, "$muted")],
            [(self._throughput(report), "$muted")],
            *self._stages(report, width),
            [],
        ]
        rates = view.history.rates(chart_columns(width))
        picture = chart(rates, view.history.seconds, (width, _CHART_HEIGHT), glyphs)
        rest = [*self._groups(width), *self._workers()]
        for name, text in paths_and_commands(report, self._recording):
            rest += [[(name, "$muted")], [(glyphs.text(text, 2_000), "")]]
        return Content("\n").join([lines(rows), Content.assemble(("rows/s", "$muted")), picture, lines([[], *rest])])

    def _outcome(self, report: Report | None) -> list[str]:
        if report is None:
            gone = "the run's process is gone without a report"
            return [f"{gone}; nothing was written" if self._view.dry_run else f"{gone}; {GOES_ON}"]
        found = list[str]()
        for each in reports_of_imports(report):
            ended = each.error or "failed" if each.outcome == "failed" else outcome(each)
            found += [route(each), ended, *([verified(each.verified)] if each.verified is not None else [])]
        return found

    def _throughput(self, report: Report | None) -> str:
        if report is None:
            return f"mean {format_rate(self._view.mean)}"
        stats = report.stats
        mean, peak = format_rate(stats.records_per_second), format_rate(self._view.peak)
        words = f"{format_duration(stats.duration_seconds)}, {mean}, peak {peak}"
        words += f", {plural(stats.retries, 'retry')}" if stats.retries else ""
        return words if report.peak_memory is None else f"{words}, {memory(report.peak_memory)}"

    def _stages(self, report: Report | None, width: int) -> list[list[Piece]]:
        """Where the time went, as bars."""
        stages = None if report is None else stages_of(report)
        if stages is None:
            return []
        rows: list[list[Piece]] = [[]]
        for name, seconds, share in shown_stages(stages):
            words = f"{name:<9}{format_duration(seconds):>10} {100 * share:>4.0f} % "
            drawn = bar(share, min(_BAR_WIDTH, width - len(words)), self._glyphs, "$chart", "$muted")
            rows.append([(words, ""), *drawn])
        return rows

    def _groups(self, width: int) -> list[list[Piece]]:
        groups = self._view.groups
        if not groups:
            return []
        digits = max(len(f"{group.count:,}") for group in groups)
        drawn = [group_line(group, digits, width, self._glyphs, several=self._view.sources > 1) for group in groups]
        return [[("would be rejected" if self._view.dry_run else "rejected", "$muted")], *drawn, []]

    def _workers(self) -> list[list[Piece]]:
        rows: list[list[Piece]] = []
        for worker in self._view.workers:
            mark = self._glyphs.marks[worker.state.value]
            words = f"worker {worker.name} {mark} {worker.state.value}: {worker.done:,} rows"
            words += f", {worker.rejected:,} rejected" if worker.rejected else ""
            words += f", {plural(worker.retries, 'retry')}" if worker.retries else ""
            rows.append([(words, "")])
        return [*rows, []] if rows else []
