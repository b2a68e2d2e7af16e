from __future__ import annotations

import datetime as dt
import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable

import msgspec
import pytest

from tests.support.snapshots import snapshot_of
from tui_importer.console.choice import choose_progress
from tui_importer.console.lines import SafeStream
from tui_importer.console.progress import (
    MAX_REJECT_LINES,
    JsonProgress,
    LineProgress,
    PlainProgress,
    Progress,
    QuietProgress,
    SourceName,
)
from tui_importer.core.model.counters import Snapshot
from tui_importer.events import (
    AnyEvent,
    BatchCommitted,
    Fault,
    ImportStarted,
    Noticed,
    Reject,
    RowRejected,
    RunFinished,
    RunStarted,
    SourceOpened,
    WorkerFailed,
)
from tui_importer.recording.sampler import Sampler

STARTED = RunStarted(run_id="r1", file="a.xlsx", target="a.db", strategy="batched")
OPENED = SourceOpened(sheet="Sheet1", header_row=1, columns=9, rows=100_000, seconds=0.4)
COMMITTED = BatchCommitted(worker=1, first_row=2, last_row=3, inserted=2, skipped=0, rejected=0, seconds=0.1)
FAILED = WorkerFailed(worker=1, first_row=2, last_row=9, error="gone")
DAY = 86_400.0


def rejected(row: int, value: str = "x") -> RowRejected:
    fault = Fault(cell=f"Sheet1!A{row}", column="Name", value=value, reason="blank")
    return RowRejected(worker=1, reject=Reject(sheet="Sheet1", row=row, faults=(fault,), values=(value,)))


def finished(outcome: str, exit_code: int) -> RunFinished:
    return RunFinished(
        outcome=outcome, exit_code=exit_code, read=1, inserted=1, updated=0, skipped=0, rejected=0, blank=0, seconds=1.0
    )


def at(seconds: float, done: int = 0) -> Snapshot:
    return snapshot_of(seconds, read=done, inserted=done, source_rows=1000)


class BrokenPipe(io.StringIO):
    """A stream whose reader has gone."""

    def __init__(self, error: OSError | ValueError) -> None:
        super().__init__()
        self.error = error
        self.tries = 0

    def write(self, text: str) -> int:
        self.tries += 1
        raise self.error


def test_lines_are_printed_without_a_terminal() -> None:
    out = io.StringIO()
    progress = LineProgress(out, period=DAY)
    progress.start(lambda: at(0))
    for event in (STARTED, OPENED, COMMITTED):
        progress.on_event(event)
    progress.sample(at(30, 300))
    progress.stop()
    assert out.getvalue().splitlines() == [
        "importing a.xlsx into a.db (batched, run r1)",
        "opened Sheet1 in 0.40 s: 9 columns, header in row 1, 100,000 rows",
        "Sheet1: 300 of 1,000 rows (30 %), 10 rows/s, 0 rejected, 01:10 left",
    ]
    assert "\x1b" not in out.getvalue()
    assert "\r" not in out.getvalue()


def test_many_rejects_are_summarised_unless_verbose() -> None:
    out, loud = io.StringIO(), io.StringIO()
    quiet_one, verbose_one = PlainProgress(out), PlainProgress(loud, verbose=True)
    for row in range(100):
        quiet_one.on_event(rejected(row))
        verbose_one.on_event(rejected(row))
    verbose_one.on_event(COMMITTED)
    told = out.getvalue().splitlines()
    assert len(told) == MAX_REJECT_LINES + 1
    assert told[-1] == "Rejected: more rows; the summary counts them by reason."
    assert len(loud.getvalue().splitlines()) == 101


def test_plain_output_is_one_sentence_per_event_without_progress_lines() -> None:
    out = io.StringIO()
    progress = PlainProgress(out)
    progress.start(lambda: at(0))
    progress.on_event(STARTED)
    progress.on_event(COMMITTED)
    progress.on_event(Noticed(message="a note"))
    progress.stop()
    assert out.getvalue() == "Importing a.xlsx into a.db (batched, run r1).\nNote: a note.\n"


def test_quiet_progress_prints_nothing() -> None:
    progress = QuietProgress()
    progress.start(lambda: at(0))
    for event in (STARTED, FAILED, finished("failed", 1)):
        progress.on_event(event)
    progress.stop()


def test_json_lines_have_time_level_and_the_fields_of_the_event() -> None:
    out = io.StringIO()
    moment = dt.datetime(2026, 1, 2, 4, 4, 5, 678_900, tzinfo=dt.timezone(dt.timedelta(hours=1)))
    progress = JsonProgress(out, period=DAY, now=lambda: moment)
    progress.start(lambda: at(0))
    events: list[AnyEvent] = [STARTED, rejected(217, "\x1b\x9b\u202e\ud800é"), finished("complete", 0), FAILED]
    for event in events:
        progress.on_event(event)
    progress.sample(at(2, 500))
    progress.stop()
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert {line["ts"] for line in lines} == {"2026-01-02T03:04:05.678Z"}
    assert {line["run_id"] for line in lines} == {"r1"}
    assert [line["level"] for line in lines] == ["info", "warning", "info", "error", "info"]
    assert [line["event"] for line in lines[:2]] == ["run_started", "row_rejected"]
    assert lines[1]["reject"]["faults"][0]["value"] == "\x1b\x9b\u202e\ud800é"
    assert out.getvalue().isascii()
    assert "\x1b" not in out.getvalue()
    last = lines[-1]
    assert (last["event"], last["inserted"], last["finished"], last["phase"]) == ("progress", 500, 500, "reading")
    assert (last["progress"], last["rows_per_second"], last["eta_seconds"]) == (0.5, 250.0, 2.0)


def test_unknown_values_are_null_in_json() -> None:
    out = io.StringIO()
    progress = JsonProgress(out, period=DAY)
    progress.sample(Snapshot(at=0.0))
    line = json.loads(out.getvalue())
    assert (line["progress"], line["eta_seconds"], line["source_rows"]) == (None, None, None)


@pytest.mark.parametrize(
    "error", [BrokenPipeError(), OSError(5, "Input/output error"), ValueError("I/O operation on closed file")]
)
@pytest.mark.parametrize("style", [LineProgress, PlainProgress, JsonProgress])
def test_closed_stream_does_not_affect_the_run(
    style: Callable[[io.StringIO], Progress], error: OSError | ValueError
) -> None:
    out = BrokenPipe(error)
    progress = style(out)
    progress.start(lambda: at(0))
    for event in (FAILED, finished("failed", 1)):
        progress.on_event(event)
    progress.stop()
    assert out.tries == 1  # and nobody tries again


def test_full_nonblocking_pipe_is_retried() -> None:
    out = BrokenPipe(BlockingIOError())
    stream = SafeStream(out)
    stream.line("lost")
    stream.line("lost, too")
    assert out.tries == 2


def test_unencodable_text_is_escaped() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    SafeStream(stream).line("Zoë › 1")
    assert raw.getvalue() == b"Zo\\xeb > 1\n"


def test_sampler_runs_until_stopped_and_leaves_no_thread() -> None:
    seen: list[Snapshot] = []
    enough = threading.Event()

    def callback(snapshot: Snapshot) -> None:
        seen.append(snapshot)
        if len(seen) == 3:
            enough.set()

    sampler = Sampler(lambda: at(len(seen)), 0.001, callback)
    assert enough.wait(60)
    sampler.stop()
    count = len(seen)
    sampler.stop()
    assert "sampler" not in {thread.name for thread in threading.enumerate()}
    assert len(seen) == count
    assert [snapshot.at for snapshot in seen[:3]] == [0, 1, 2]


def test_failing_callback_does_not_stop_the_sampler() -> None:
    calls = 0
    enough = threading.Event()

    def callback(snapshot: Snapshot) -> None:
        nonlocal calls
        calls += 1
        if calls == 3:
            enough.set()
        raise RuntimeError("a defect of the view")

    sampler = Sampler(lambda: at(0), 0.001, callback)
    assert enough.wait(60)
    sampler.stop()


def test_periodic_line_is_printed() -> None:
    told = threading.Event()

    class Out(io.StringIO):
        def write(self, text: str) -> int:
            told.set()
            return super().write(text)

    out = Out()
    progress = LineProgress(out, period=0.001)
    progress.start(lambda: at(0, 5))
    assert told.wait(60)
    progress.stop()
    assert out.getvalue().startswith("import: 5 of 1,000 rows")


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("terminal", "environment", "options", "style"),
    [
        (True, {"TERM": "xterm"}, {}, "BarProgress"),
        (True, {"TERM": "dumb"}, {}, "LineProgress"),
        (True, {}, {}, "LineProgress"),
        (True, {"TERM": "xterm", "CI": "true"}, {}, "LineProgress"),
        (False, {"TERM": "xterm"}, {}, "LineProgress"),
        (True, {"TERM": "xterm"}, {"plain": True}, "PlainProgress"),
        (True, {"TERM": "xterm"}, {"quiet": True, "plain": True}, "QuietProgress"),
        (True, {"TERM": "xterm"}, {"json": True, "quiet": True}, "JsonProgress"),
    ],
)
def test_progress_style_follows_from_terminal_and_options(
    *, terminal: bool, environment: dict[str, str], options: dict[str, bool], style: str
) -> None:
    stream = Terminal() if terminal else io.StringIO()
    assert type(choose_progress(stream, environment, **options)).__name__ == style


def test_rich_is_imported_only_for_a_terminal() -> None:
    program = (
        "import io, sys\n"
        "from tui_importer.console.choice import choose_progress\n"
        "import tui_importer.text.summary\n"
        "for options in ({}, {'plain': True}, {'json': True}, {'quiet': True}):\n"
        "    choose_progress(io.StringIO(), {'TERM': 'xterm'}, **options)\n"
        "print([name for name in ('rich', 'textual', 'openpyxl', 'sqlalchemy') if name in sys.modules])\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True, env=dict(os.environ)
    )
    assert result.stdout == "[]\n"


def test_progress_names_the_sheet_or_the_current_source() -> None:
    one, several = SourceName(), SourceName()
    sheet = SourceOpened(sheet="S", header_row=1, columns=1, rows=1, seconds=0.1)
    names = []
    for event in (STARTED, sheet, COMMITTED):
        one.on_event(event)
        names.append(one.text)
    assert names == ["a.xlsx", "S", "S"]
    names = []
    of_three = msgspec.structs.replace(STARTED, sources=3)
    second = ImportStarted(source=2, file="x/b.csv", target="t", strategy="batched")
    for heard in (of_three, second, sheet):
        several.on_event(heard)
        names.append(several.text)
    assert names == ["3 sources", "2 of 3, b.csv", "2 of 3, b.csv"]


def test_lines_of_a_run_of_several_sources_name_the_source() -> None:
    out = io.StringIO()
    progress = LineProgress(out)
    progress.on_event(msgspec.structs.replace(STARTED, sources=2))
    progress.on_event(Noticed(source=2, message="a note"))
    assert out.getvalue().splitlines()[1] == "source 2: note: a note"
