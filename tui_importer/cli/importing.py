"""``tui-importer [import] FILE...``"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import click

from tui_importer.api import Run
from tui_importer.cli.options import CountOrAuto, build_plan, source_options, target_options
from tui_importer.console.choice import choose_progress
from tui_importer.console.lines import Enduring
from tui_importer.console.summary import summary_lines
from tui_importer.core.report import Report, to_json
from tui_importer.errors import ExitCode, ImporterError, UsageError

#: After a second signal, how long what is left may take before the process leaves without it, in seconds.
LEAVE_WITHIN = 2.0

_SIGNALS = {signal.SIGINT: ExitCode.SIGINT, signal.SIGTERM: ExitCode.SIGTERM}


@click.command("import", context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80})
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@source_options
@target_options
@click.option("--strategy", metavar="NAME", help="sequential, threaded, batched (default), async, or a plugin's.")
@click.option("--workers", type=CountOrAuto(), help="Connections that write side by side.")
@click.option("--batch-size", type=CountOrAuto(), help="Rows of a batch.")
@click.option("--max-rejects", metavar="N|P%", help="Stop when more rows than that are rejected.")
@click.option("--max-rate", type=click.FloatRange(0, min_open=True), metavar="ROWS/S", help="Spare a busy database.")
@click.option("--timeout", type=click.FloatRange(0, min_open=True), metavar="S", help="Stop after so many seconds.")
@click.option("--dry-run", is_flag=True, default=None, help="Read and check everything, write nothing.")
@click.option("--rejects", metavar="FILE", help="Workbook for rejected rows (default: NAME.rejects.xlsx).")
@click.option("--report", metavar="FILE|-", help="Write the report as JSON.")
@click.option("--no-ui", is_flag=True, help="Lines on stderr instead of a dashboard.")
@click.option("--plain", is_flag=True, help="One sentence per change, for screen readers and logs.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors.")
@click.option("-v", "--verbose", is_flag=True, help="Say every batch.")
@click.option("--log-format", type=click.Choice(["text", "json"]), help="json: one object a line on stderr.")
def command(files: tuple[str, ...], **given: Any) -> int:
    """Import spreadsheets into a database.

    FILE is a workbook (xlsx, xlsm, xlsb, xls, ods) or delimited text (csv, tsv).
    """
    if len(files) > 1 and given["rejects"]:
        raise UsageError("--rejects names one file: import the workbooks one by one, or leave it out")
    reports, codes = [], []
    for file in files:
        try:
            report = import_file(file, given)
        except ImporterError as error:
            if len(files) == 1:
                raise
            Enduring(sys.stderr).line(f"tui-importer: {error}")
            codes.append(error.exit_code)
            continue
        reports.append(report)
        codes.append(ExitCode(report.exit_code))
        if report.exit_code in _SIGNALS.values():
            break
    if given["report"]:
        write_reports(given["report"], reports)
    return worst(codes)


def import_file(file: str, given: dict[str, Any]) -> Report:
    """Import one file, narrated as the options say."""
    plan = build_plan(file, given)
    quiet, json = given["quiet"], given["log_format"] == "json"
    progress = choose_progress(
        sys.stderr, os.environ, quiet=quiet, plain=given["plain"], json=json, verbose=given["verbose"]
    )
    run = Run(plan, listener=progress.on_event, rejects_file=given["rejects"])
    with signals_stop(run):
        progress.start(run.snapshot)
        try:
            report = run.execute()
        finally:
            progress.stop()
    err = Enduring(sys.stderr)
    if report.outcome == "failed":
        err.line(f"tui-importer: {report.error}")
    if not quiet and not json and report.source.sheet is not None:
        for line in summary_lines(report, run.reasons, err.encoding):
            err.line(line)
    return report


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


def worst(codes: list[ExitCode]) -> int:
    """The exit code of several files: that of a signal, else of the gravest failure, else of rejects."""
    gravity = (130, 143, 1, 5, 2, 6, 4, 3, 0)
    return min((int(code) for code in codes), key=gravity.index, default=0)
