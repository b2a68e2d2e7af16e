"""Carrying out imports from the command line: narrated, stoppable by signals, reported."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from tui_importer.api import Run, target_address
from tui_importer.console.choice import choose_progress
from tui_importer.console.command import command_of
from tui_importer.console.complaint import complain
from tui_importer.console.lines import Enduring
from tui_importer.console.summary import summary_lines
from tui_importer.core.opening import Opening
from tui_importer.core.plan import Plan
from tui_importer.core.report import Report, to_json
from tui_importer.errors import ExitCode, UsageError
from tui_importer.plugins.registry import Registry
from tui_importer.recording.folders import recordings_folder

#: After a second signal, how long what is left may take before the process leaves without it, in seconds.
LEAVE_WITHIN = 2.0

#: Cells hold no references to each other, so looking for cycles among them by the hundred thousand finds nothing
#: and takes a fifth of the time of a load; seldom is enough for everything else.
_GARBAGE_THRESHOLDS = (200_000, 20, 20)

_SIGNALS = {signal.SIGINT: ExitCode.SIGINT, signal.SIGTERM: ExitCode.SIGTERM}


def import_file(plan: Plan, given: Mapping[str, Any], registry: Registry, opening: Opening) -> Report:
    """Import one file, narrated as the options say."""
    gc.freeze()
    gc.set_threshold(*_GARBAGE_THRESHOLDS)
    quiet, json = given["quiet"], given["log_format"] == "json"
    progress = choose_progress(
        sys.stderr, os.environ, quiet=quiet, plain=given["plain"], json=json, verbose=given["verbose"]
    )
    run = Run(
        plan,
        listener=progress.on_event,
        rejects_file=given["rejects"],
        registry=registry,
        opening=opening,
        command=command_of(plan, target_address(plan).display, _plan_file(given)),
        recordings=recordings_folder(),
    )
    with signals_stop(run):
        progress.start(run.snapshot)
        try:
            report = run.execute()
        finally:
            progress.stop()
    err = Enduring(sys.stderr)
    if run.recording_trouble is not None and not quiet and not json:
        err.line(f"note: not all of this run is recorded: {run.recording_trouble}")
    if not quiet and not json and report.source.sheet is not None:
        width = shutil.get_terminal_size().columns if err.isatty() else None
        for line in summary_lines(report, run.reasons, err.encoding, width):
            err.line(line)
    if report.outcome == "failed" or (quiet and report.outcome == "stopped"):
        complain(report.error or "the run failed")
    return report


def _plan_file(given: Mapping[str, Any]) -> str | None:
    schema: str | None = given.get("schema")
    return schema if schema is not None and schema.endswith(".toml") else None


@contextmanager
def signals_stop(run: Run) -> Iterator[None]:
    """The first SIGINT or SIGTERM drains the run, the second cancels it; SIGHUP never ends it."""
    received: list[int] = []

    def on_signal(number: int, frame: FrameType | None) -> None:
        received.append(number)
        name, code = signal.Signals(number).name, _SIGNALS[signal.Signals(number)]
        if len(received) == 1:
            # In a thread: a handler runs between two instructions of the very code whose locks it would need.
            threading.Thread(target=run.stop, args=(f"stopped by {name}", code), name="signal").start()
        else:
            threading.Thread(target=run.cancel, args=(f"cancelled by {name}", code), name="signal").start()
            leave = threading.Timer(LEAVE_WITHIN, os._exit, [int(code)])
            leave.daemon = True
            leave.start()

    before = {number: signal.signal(number, on_signal) for number in _SIGNALS}
    before_hangup = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.signal(signal.SIGHUP, before_hangup)


def write_reports(where: str, reports: list[Report]) -> None:
    """One report as an object, several as a list; ``-`` is stdout."""
    texts = [to_json(report) for report in reports]
    data = texts[0] if len(texts) == 1 else b"[\n" + b",\n".join(text.rstrip() for text in texts) + b"\n]\n"
    if where == "-":
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return
    try:
        # Reports hold values of rejected cells: for their owner only.
        with os.fdopen(os.open(where, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(data)
    except OSError as error:
        raise UsageError(f"{Path(where)}: cannot write the report: {error.strerror}") from error
