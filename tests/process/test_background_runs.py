"""Runs that are processes of their own."""

from __future__ import annotations

import time
from pathlib import Path

from tui_importer.core.model.plan import Options, Plan, Source, Target
from tui_importer.process.messages import ImportRequest
from tui_importer.process.start import start_run
from tui_importer.recording.control import Stop, give_order
from tui_importer.recording.recordings import Recording, recordings_folder


def begin(folder: Path, **options: float) -> Recording:
    (folder / "rows.csv").write_text("n\n" + "\n".join(map(str, range(200))))
    plan = Plan(
        source=Source(file="rows.csv"),
        target=Target(database="rows.db"),
        options=Options(batch_size=1, **options),  # type: ignore[arg-type]
    )
    return start_run(ImportRequest(plans=(plan,), command="tui-importer rows.csv"), recordings_folder(), folder)


def wait_for_end(recording: Recording) -> None:
    until = time.monotonic() + 60
    while recording.alive and time.monotonic() < until:
        time.sleep(0.02)
    assert not recording.alive


def test_started_run_continues_independently_and_accepts_commands(tmp_path: Path) -> None:
    recording = begin(tmp_path, max_rate=5)
    assert recording.alive
    while recording.latest("batch_committed") is None:
        time.sleep(0.02)
    give_order(recording.folder, Stop())
    wait_for_end(recording)
    report = recording.report()
    assert report is not None
    assert report.outcome == "stopped"


def test_run_uses_the_given_working_directory(tmp_path: Path) -> None:
    recording = begin(tmp_path)
    wait_for_end(recording)
    report = recording.report()
    assert report is not None
    assert (report.outcome, report.source.file) == ("complete", "rows.csv")
    assert (tmp_path / "rows.db").exists()
