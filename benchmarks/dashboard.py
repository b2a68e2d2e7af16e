"""What the dashboard costs.

``python -m benchmarks.dashboard [--rows N] [--pairs N]`` prints, each as a median:

- the import of 100,000 business rows into PostgreSQL with a dashboard in front of it, in pairs with headless ones: the
  run's own time, first to last row, indexes included (the budget is 1.03 of it);
- the share of a core that a viewer of a paused run takes (the budget is 2 %);
- the time from the command to the picture when attaching to a run with a million events (the budget is 1 s).
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from benchmarks.measuring import fresh
from benchmarks.server import postgres
from tests.support.business_data import business_rows, write_workbook
from tests.support.scenes import Scene, write
from tests.support.terminal import Terminal
from tui_importer.recording.recordings import find_recording, recordings_folder

#: Seconds for which an idle viewer is measured.
IDLE_SECONDS = 10.0
#: Events of the long run.
EVENTS = 1_000_000


def main() -> None:
    """Measure everything and print the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--pairs", type=int, default=7)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tui_importer-benchmark-") as name:
        folder = Path(name)
        os.environ["XDG_STATE_HOME"] = str(folder / "state")
        workbook = folder / "rows.xlsx"
        write_workbook(workbook, business_rows(arguments.rows))
        with postgres() as server:
            if arguments.pairs:
                pairs(server, workbook, arguments.pairs)
            idle(server, workbook)
        million(folder)


def pairs(server: str, workbook: Path, count: int) -> None:
    """Run the same import with and without a dashboard, alternately."""
    ratios, shown, headless = list[float](), list[float](), list[float]()
    for number in range(count + 1):
        taken = {}
        for measure in (headless_run, shown_run) if number % 2 else (shown_run, headless_run):
            fresh(server, plain=False, indexed=False)
            taken[measure] = measure(server, workbook)
        if number:  # the first pair is a warm-up
            shown.append(taken[shown_run])
            headless.append(taken[headless_run])
            ratios.append(taken[shown_run] / taken[headless_run])
    print(f"run with a dashboard {statistics.median(shown):.2f} s, headless {statistics.median(headless):.2f} s")
    print(f"median of {count} ratios: {statistics.median(ratios):.3f}  ({min(ratios):.3f} to {max(ratios):.3f})")


def headless_run(url: str, workbook: Path) -> float:
    """Return the seconds of a headless run, from its report."""
    command = [sys.executable, "-m", "tui_importer", str(workbook), "--db", url, "--no-ui", "-q"]
    subprocess.run(command, cwd=workbook.parent, check=True)
    return seconds_of_latest()


def shown_run(url: str, workbook: Path) -> float:
    """Return the seconds of a run with a dashboard, from its report."""
    with Terminal([str(workbook), "--db", url, "--yes"], workbook.parent, blind=True) as terminal:
        terminal.until("DONE")
        terminal.type("q")
        terminal.wait()
    return seconds_of_latest()


def seconds_of_latest() -> float:
    """Return the seconds of the latest run."""
    report = find_recording(recordings_folder(), None).report()
    assert report is not None
    return report.stats.duration_seconds


def idle(server: str, workbook: Path) -> None:
    """Measure a viewer of a paused run."""
    fresh(server, plain=False, indexed=False)
    arguments = [str(workbook), "--db", server, "--max-rate", "1000", "--yes"]
    with Terminal(arguments, workbook.parent) as terminal:
        terminal.until("LOADING")
        terminal.type("p")
        terminal.until("PAUSED")
        viewer = psutil.Process(terminal.pid)
        rest(terminal, 2.0)
        before, began, written = viewer.cpu_times(), time.monotonic(), len(terminal.output)
        rest(terminal, IDLE_SECONDS)
        after, seconds = viewer.cpu_times(), time.monotonic() - began
        used = after.user + after.system - before.user - before.system
        output = len(terminal.output) - written
        print(f"viewer of a paused run: {used / seconds:.1%} of a core, {output / seconds:.0f} bytes/s to the terminal")
        terminal.type("s")
        terminal.until("STOPPED")
        terminal.type("q")
        terminal.wait()


def rest(terminal: Terminal, seconds: float) -> None:
    """Read output for this time, without sending anything."""
    until = time.monotonic() + seconds
    terminal.until(lambda shown: time.monotonic() > until)


def million(folder: Path) -> None:
    """Attach to a recording with a million events."""
    os.environ["XDG_STATE_HOME"] = str(folder / "long")
    scene = Scene(rows=10_000_000).begin().load().go(600, 200)
    recording = write(scene.finish(), recordings_folder())
    lines = recording.events_file.read_bytes().splitlines(keepends=True)
    middle = lines[len(lines) // 4 : len(lines) // 2]
    with recording.events_file.open("wb") as file:
        file.writelines(lines[: len(lines) // 2])
        for _ in range((EVENTS - len(lines)) // len(middle)):
            file.writelines(middle)
        file.writelines(lines[len(lines) // 2 :])
    size = recording.events_file.stat().st_size
    seconds = []
    for _ in range(5):
        began = time.monotonic()
        with Terminal(["attach"], folder) as terminal:
            terminal.until("DONE WITH REJECTS")
            seconds.append(time.monotonic() - began)
            terminal.type("q")
            terminal.wait()
    print(f"attaching to a run of {EVENTS:,} events ({size / 1e6:,.0f} MB): {statistics.median(seconds):.2f} s")


if __name__ == "__main__":
    main()
