"""A run's recording: private, complete, and never in the way."""

from __future__ import annotations

import json
import os
import stat
import time
from pathlib import Path

import pytest

from tui_importer import Options, Plan, Source, Target, run_import
from tui_importer.core.model.counters import Snapshot
from tui_importer.events import AnyEvent, BatchCommitted, Noticed
from tui_importer.recording.lines import LINE_VERSION
from tui_importer.recording.recorder import Recorder
from tui_importer.recording.recordings import Recording, prune, recordings, recordings_folder


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return recordings_folder()


def run(tmp_path: Path, heard: list[AnyEvent]) -> Recording:
    path = tmp_path / "rows.csv"
    path.write_text("n\n" + "\n".join(map(str, range(300))) + "\nx\n")
    plan = Plan(
        source=Source(file=str(path)),
        target=Target(database=str(tmp_path / "t.db")),
        options=Options(batch_size=50, types={"n": "integer"}),
    )
    report = run_import(plan, listener=heard.append, rejects_file=tmp_path / "r.xlsx")
    [recording] = recordings(recordings_folder())
    assert recording.run_id == report.run_id
    assert recording.report() == report
    return recording


def test_every_event_is_one_line_in_the_same_format(tmp_path: Path, folder: Path) -> None:
    heard: list[AnyEvent] = []
    lines = [line for line in run(tmp_path, heard).lines() if line["event"] not in ("progress", "reject_groups")]
    assert [line["event"] for line in lines] == [event.__struct_config__.tag for event in heard]
    for line in lines:
        assert line["v"] == LINE_VERSION
        assert line["level"] in ("info", "warning", "error")
        assert line["ts"].endswith("Z")
    assert len({line["run_id"] for line in lines}) == 1


def test_recording_is_readable_only_by_its_owner(tmp_path: Path, folder: Path) -> None:
    old = os.umask(0)
    try:
        recording = run(tmp_path, [])
    finally:
        os.umask(old)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in [recording.folder, *recording.folder.iterdir()]}
    assert modes == {recording.run_id: 0o700, "events.jsonl": 0o600, "plans.json": 0o600, "report.json": 0o600}


def test_recording_can_be_disabled(tmp_path: Path, folder: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("n\n1\n")
    plan = Plan(source=Source(file=str(path)), target=Target(database=str(tmp_path / "t.db")))
    assert run_import(plan, record=False).outcome == "complete"
    assert recordings(folder) == []


def test_full_disk_for_recordings_does_not_affect_the_import(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.write

    def full(file: int, data: bytes) -> int:
        if b'"batch_committed"' in data:
            raise OSError(28, "No space left on device")
        return real(file, data)

    monkeypatch.setattr(os, "write", full)
    heard: list[AnyEvent] = []
    recording = run(tmp_path, heard)
    assert sum(isinstance(event, BatchCommitted) for event in heard) == 7
    assert recording.latest("batch_committed") is None


@pytest.mark.parametrize("place", ["a file is in the way", "read-only"])
def test_unwritable_recording_folder_does_not_affect_the_import(tmp_path: Path, place: str) -> None:
    root = tmp_path / "state"
    root.write_text("in the way")
    recorder = Recorder(root / "runs", "run-1")
    recorder.start(lambda: Snapshot(at=0.0))
    recorder.on_event(Noticed(message=place))
    recorder.close(None)
    assert recorder.trouble


def test_run_is_alive_while_its_process_holds_the_recording(folder: Path) -> None:
    recorder = Recorder(folder, "run-1", "tui-importer x.csv")
    [recording] = recordings(folder)
    assert recording.alive is True
    assert recording.command == "tui-importer x.csv"
    assert prune(folder, 0.0) == 0
    recorder.close(None)
    assert Recording(recording.folder).alive is False
    assert prune(folder, 3600.0) == 0
    assert prune(folder, 0.0) == 1
    assert recordings(folder) == []


def test_incomplete_line_is_skipped(folder: Path) -> None:
    recorder = Recorder(folder, "run-1")
    recorder.on_event(Noticed(message="\x1b[2J é \ud800"))
    recorder.close(None)
    [recording] = recordings(folder)
    with recording.events_file.open("ab") as file:
        file.write(b'{"v": 1, "event": "noti')
    [line] = recording.lines()
    assert line["message"] == "\x1b[2J é \ud800"
    assert recording.events_file.read_bytes().isascii()


def test_counters_are_recorded_during_the_run(folder: Path) -> None:
    recorder = Recorder(folder, "run-1")
    recorder.start(lambda: Snapshot(at=time.monotonic(), read=5, inserted=3))
    [recording] = recordings(folder)
    until = time.monotonic() + 60
    while recording.latest("progress") is None and time.monotonic() < until:
        time.sleep(0.05)
    recorder.close(None)
    line = recording.latest("progress")
    assert line is not None
    assert (line["read"], line["inserted"]) == (5, 3)
    assert json.dumps(line)
