"""Reading recordings back: while they grow, late, and at another pace."""

from __future__ import annotations

import fcntl
import io
import itertools
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import BinaryIO

import msgspec
import pytest

from tests.support.once import once
from tests.support.scenes import BEGAN, HEADERS, RUN_ID, Scene, reject, text, write
from tui_importer import UsageError
from tui_importer.core.model.counters import Snapshot
from tui_importer.core.model.reject_groups import MAX_GROUPS, OTHERS, RejectGroups
from tui_importer.core.model.report import CELLS_PER_REASON, ReasonGroup
from tui_importer.events import (
    BatchCommitted,
    Fault,
    ImportStarted,
    Noticed,
    Reject,
    RowRejected,
    RunFinished,
    RunStarted,
)
from tui_importer.recording import follow, recorder
from tui_importer.recording.follow import Follower, Replay, headers, rejected_rows
from tui_importer.recording.lines import LINE_VERSION, Line, decode_line
from tui_importer.recording.recorder import Recorder
from tui_importer.recording.recordings import EVENTS_FILE, Recording, find_recording, recordings


def finished(rejects: int = 12) -> Scene:
    return Scene().begin().load().go(8, rejects).finish()


def followed(recording: Recording) -> list[Line]:
    """Everything that is told of an ended recording."""
    follower, lines = Follower(recording), []
    try:
        while not follower.ended:
            lines += follower.poll()
    finally:
        follower.close()
    return lines


def expected_lines(scene: Scene) -> list[Line]:
    """What a viewer is to hear of the scene."""
    return [line for line in scene.lines if not isinstance(line.what, RowRejected)]


@pytest.fixture
def growing(tmp_path: Path) -> Iterator[tuple[Recorder, Recording]]:
    """A live run's recording."""
    recorder = Recorder(tmp_path, RUN_ID)
    try:
        yield recorder, Recording(tmp_path / RUN_ID)
    finally:
        recorder.close(None)


def test_recording_round_trips_events(tmp_path: Path) -> None:
    scene = finished()
    recording = write(scene, tmp_path)
    assert followed(recording) == expected_lines(scene)
    assert [event.reject for event in rejected_rows(recording)] == scene.rejects
    assert headers(recording) == HEADERS


def test_only_complete_lines_are_returned(tmp_path: Path, growing: tuple[Recorder, Recording]) -> None:
    """For any position of the writer: every prefix of some lines is tried."""
    _, recording = growing
    lines = expected_lines(Scene().begin().load())
    data = "".join(f"{text(line)}\n" for line in lines).encode()
    follower, heard = Follower(recording), list[Line]()
    try:
        with recording.events_file.open("ab", buffering=0) as file:
            for place in range(0, len(data), 7):
                file.write(data[place : place + 7])
                heard += follower.poll()
                assert heard == lines[: data[: place + 7].count(b"\n")]
                assert not follower.ended
    finally:
        follower.close()
    assert heard == lines


def test_follower_ends_after_the_last_line(
    growing: tuple[Recorder, Recording], monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder, recording = growing
    monkeypatch.setattr(follow, "_CHUNK", 1_000)
    for number in range(50):
        recorder.on_event(Noticed(message=f"{number} {'x' * 100}"))
    follower = Follower(recording)
    try:
        heard = follower.poll()
        recorder.on_event(Noticed(message="the last word"))
        recorder.close(None)
        assert not recording.alive
        while not follower.ended:
            heard += follower.poll()
    finally:
        follower.close()
    assert [line.what for line in heard][-1] == Noticed(message="the last word")
    assert len(heard) == 51


def test_truncated_last_line_ends_the_follower(tmp_path: Path) -> None:
    scene = finished()
    recording = write(scene, tmp_path)
    with recording.events_file.open("ab") as file:
        file.write(text(scene.lines[0]).encode()[:-20])
    assert followed(recording) == expected_lines(scene)


STRANGE = [
    b"",
    b"no json",
    b"\xff\xfe\x00",
    b"[]",
    b"3",
    b"{}",
    b"[" * 100_000,
    b'{"v":2,"ts":"yesterday","event":"paused"}',
    b'{"v":2,"ts":7,"event":"paused"}',
    b'{"v":2,"ts":"2026-11-24T20:15:00.000Z","event":"a_later_invention","x":1}',
    b'{"v":2,"ts":"2026-11-24T20:15:00.000Z","event":["paused"]}',
    b'{"v":2,"ts":"2026-11-24T20:15:00.000Z","event":"progress","phase":"dancing"}',
    b'{"v":2,"ts":"2026-11-24T20:15:00.000Z","event":"reject_groups","groups":[[1]]}',
    b'{"v":2,"ts":"2026-11-24T20:15:00.000Z","event":"worker_started"}',
    b'{"v":3,"ts":"2026-11-24T20:15:00.000Z","event":"paused"}',
    b'{"v":"1","ts":"2026-11-24T20:15:00.000Z","event":"paused"}',
    b'{"ts":"2026-11-24T20:15:00.000Z","event":"paused"}',
]


@pytest.mark.parametrize("strange", STRANGE, ids=range(len(STRANGE)))
def test_unknown_lines_are_ignored(tmp_path: Path, strange: bytes) -> None:
    assert LINE_VERSION == 2
    assert decode_line(strange) is None
    scene = Scene().begin().load()
    recording = write(scene, tmp_path)
    lines = recording.events_file.read_bytes().splitlines(keepends=True)
    recording.events_file.write_bytes(b"".join([*lines[:3], strange, b"\n", *lines[3:]]))
    assert followed(recording) == expected_lines(scene)


def test_unknown_fields_are_ignored(tmp_path: Path) -> None:
    for line in expected_lines(finished()):
        assert decode_line(json.dumps({**json.loads(text(line)), "later": [1]}).encode()) == line


# Long recordings.


class CountingFile(io.RawIOBase):
    """A file that knows how much of it was read."""

    def __init__(self, inner: BinaryIO) -> None:
        self.inner, self.bytes_read = inner, 0

    def read(self, size: int = -1) -> bytes:
        data = self.inner.read(size)
        self.bytes_read += len(data)
        return data

    def seek(self, place: int, whence: int = 0) -> int:
        return self.inner.seek(place, whence)

    def tell(self) -> int:
        return self.inner.tell()

    def fileno(self) -> int:
        return self.inner.fileno()

    def close(self) -> None:
        self.inner.close()


def samples(lines: list[Line]) -> list[Snapshot]:
    return [line.what for line in lines if isinstance(line.what, Snapshot)]


def long_recording(folder: Path, scene: Scene, factor: int) -> tuple[Recording, int]:
    """The scene's recording with everything that was said while rows were written said ``factor`` times, the same
    moment again each time; and how many lines that makes."""
    recording = write(scene, folder)
    lines = recording.events_file.read_text().splitlines(keepends=True)
    quiet = [line for line in lines if '"row_rejected"' not in line[:200] and '"reject_groups"' not in line[:200]]
    middle = "".join("".join([line] * factor) for line in quiet[10:-10])
    rest = [line for line in lines if line not in quiet]
    recording.events_file.write_text("".join(quiet[:10]) + middle + "".join([*rest, *quiet[-10:]]))
    return recording, len(quiet[10:-10]) * factor + 20 + len(rest)


def first_read(recording: Recording, monkeypatch: pytest.MonkeyPatch) -> tuple[list[Line], int, int]:
    """What is told at first, how many bytes were read for that, and how many lines decoded."""
    decoded: list[bytes] = []

    def decode(data: bytes) -> Line | None:
        decoded.append(data)
        return decode_line(data)

    monkeypatch.setattr(follow, "decode_line", decode)
    follower = Follower(recording)
    file = CountingFile(follower._file)
    follower._file = file  # type: ignore[assignment]
    try:
        lines = follower.poll()
        return lines, file.bytes_read, len(decoded)
    finally:
        follower.close()


def test_only_counters_of_active_sources_are_recorded(tmp_path: Path) -> None:
    scene = Scene().begin().load().go(1).second_of_three()
    before, after = samples(expected_lines(scene))[-1], samples(followed(write(scene, tmp_path)))[-1]
    assert [source.source for source in before.sources] == [1, 2, 3]
    assert after == msgspec.structs.replace(before, sources=before.sources[1:2])


def test_current_source_of_a_long_recording_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is announced in the middle of the recording, which is skipped."""
    scene = finished().second_of_three()
    recording, _ = long_recording(tmp_path, scene, 400)
    lines = recording.events_file.read_text().splitlines(keepends=True)
    for number in (3, 4):
        begun = ImportStarted(source=number, file=f"{number}.csv", target="t", strategy="batched")
        lines.insert(number * len(lines) // 6, f"{text(Line(BEGAN, begun))}\n")
    recording.events_file.write_text("".join(lines))
    caught, _, _ = first_read(recording, monkeypatch)
    files = [line.what.file for line in caught if isinstance(line.what, ImportStarted)]
    assert files == ["sales/february.xlsx", "4.csv"]


def test_long_recording_is_read_partially_with_correct_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = finished()
    recording, count = long_recording(tmp_path, scene, 400)
    size = recording.events_file.stat().st_size
    assert size > 9 * follow.WHOLE_SIZE
    lines, read, decoded = first_read(recording, monkeypatch)
    assert read <= follow._HEAD + follow._TAIL + follow._PLACES * (follow._WINDOW + follow._WIDER_WINDOW)
    assert read < size / 2, read
    assert decoded < count / 10
    # The beginning, the end, and what lies between in the order in which it was.
    assert isinstance(lines[0].what, RunStarted)
    assert isinstance(lines[-1].what, RunFinished)
    assert samples(lines) == sorted(samples(lines), key=lambda sample: sample.at)
    assert samples(lines)[-1] == samples(expected_lines(scene))[-1]
    written = [sample.inserted for sample in samples(lines)]
    assert written == sorted(written)
    moments = {sample.at for sample in samples(expected_lines(scene))}
    assert {sample.at for sample in samples(lines)} >= set(sorted(moments)[5:-5]), "every quarter second is there"
    assert [line.what for line in lines if isinstance(line.what, tuple)][-1] == next(
        line.what for line in reversed(scene.lines) if isinstance(line.what, tuple)
    )
    assert sum(1 for _ in rejected_rows(recording)) == len(scene.rejects)


@pytest.mark.parametrize("workers", [1, *once(32, 64)])
def test_history_is_complete_for_any_number_of_workers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    """A line with the counters of 64 workers is about 18,000 bytes long."""
    scene = Scene(workers=workers).begin().load().go(400 if workers == 1 else 120).finish()
    recording, _ = long_recording(tmp_path, scene, 20 if workers == 1 else 2)
    size = recording.events_file.stat().st_size
    assert size > follow.WHOLE_SIZE
    lines, _, _ = first_read(recording, monkeypatch)
    moments = [sample.at for sample in samples(lines)]
    assert moments == sorted(moments)
    gaps = [later - earlier for earlier, later in itertools.pairwise(moments)]
    whole = scene.at - BEGAN
    assert max(gaps) < whole / 20, "no part of the run is without a sample"


def test_counters_are_not_repeated_between_samples_and_tail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each moment is recorded only once here, so it must be returned only once."""
    scene = Scene().begin().load().go(900).finish()
    recording = write(scene, tmp_path)
    size = recording.events_file.stat().st_size
    assert size > follow.WHOLE_SIZE
    for tail in range(600_000, 600_000 + 9_000, 700):
        monkeypatch.setattr(follow, "_TAIL", tail)
        moments = [sample.at for sample in samples(first_read(recording, monkeypatch)[0])]
        assert moments == sorted(set(moments))


def test_line_longer_than_the_tail_is_handled(tmp_path: Path) -> None:
    """A row of maximum-length cells, whose characters take six bytes each."""
    scene = finished()
    recording = write(scene, tmp_path)
    monster = Reject(sheet="S", row=2, faults=(), values=("é" * 32_767,) * 9)
    line = f"{text(Line(BEGAN, RowRejected(worker=1, reject=monster)))}\n".encode()
    assert len(line) > follow._TAIL
    data = recording.events_file.read_bytes()
    recording.events_file.write_bytes(data + line + line)
    heard = followed(recording)
    assert heard[0] == expected_lines(scene)[0]
    assert samples(heard)
    recording.events_file.write_bytes(data + line[:-1])
    assert followed(recording)[0] == heard[0], "nor does one that is not even whole"
    recording.events_file.write_bytes(data + line + line)
    with recording.events_file.open("ab") as file:
        file.write(f"{text(scene.lines[-1])}\n".encode())
    assert followed(recording)[-1] == scene.lines[-1]


def test_lines_after_catching_up_are_returned_once(growing: tuple[Recorder, Recording]) -> None:
    recorder, recording = growing
    while recording.events_file.stat().st_size <= follow.WHOLE_SIZE:
        recorder.on_event(Noticed(message="x" * 10_000))
    follower = Follower(recording)
    try:
        assert follower.poll()
        assert not follower.ended
        recorder.on_event(Noticed(message="new"))
        assert [line.what for line in follower.poll()] == [Noticed(message="new")]
        assert follower.poll() == []
        assert not follower.ended
        recorder.close(None)
        assert follower.poll() == []
        assert follower.ended
    finally:
        follower.close()


def test_late_viewer_gets_early_rejects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A few rejects at the beginning, then megabytes of other events; for a live run and an ended one."""
    monkeypatch.setattr(recorder, "SAMPLE_PERIOD", 0.01)
    sampled = threading.Semaphore(0)

    def snapshot() -> Snapshot:
        sampled.release()
        return Snapshot(at=0.0, rejected=3)

    one = Recorder(tmp_path, RUN_ID)
    recording = Recording(tmp_path / RUN_ID)
    bad = [reject(number, 0) for number in range(3)]
    try:
        for each in bad:
            one.on_event(RowRejected(worker=1, reject=each))
        one.start(snapshot)
        good = BatchCommitted(worker=1, first_row=2, last_row=3, inserted=2, skipped=0, rejected=0, seconds=0.1)
        while recording.events_file.stat().st_size < 2 * follow.WHOLE_SIZE:
            for _ in range(1_000):
                one.on_event(good)
            # Twice: the first may have begun before these were written.
            assert sampled.acquire(timeout=60)
            assert sampled.acquire(timeout=60)
        follower = Follower(recording)
        try:
            lines = follower.poll()
        finally:
            follower.close()
        assert counted(lines) == {("Name", "value required but blank"): 3}
    finally:
        one.close(None)
    assert counted(followed(recording)) == {("Name", "value required but blank"): 3}


def counted(lines: list[Line]) -> dict[tuple[str | None, str], int]:
    """The groups as they were told last."""
    groups = [line.what for line in lines if isinstance(line.what, tuple)]
    return {(group.column, group.reason): group.count for group in groups[-1]}


def test_final_counters_and_reject_groups_are_recorded(growing: tuple[Recorder, Recording]) -> None:
    one, recording = growing
    snapshots = iter([Snapshot(at=0.0, read=1)] * 10_000)
    final = Snapshot(at=9.0, read=30, inserted=28, rejected=2)
    ended = threading.Event()
    one.start(lambda: final if ended.is_set() else next(snapshots))
    one.on_event(RowRejected(worker=1, reject=reject(0)))
    one.on_event(RowRejected(worker=1, reject=reject(1)))
    ended.set()
    one.close(None)
    lines = followed(recording)
    last = lines[-1].what
    assert isinstance(last, Snapshot)
    assert msgspec.structs.replace(last, at=9.0) == final
    assert sum(counted(lines).values()) == 2


# Other ways to read.


class Clock:
    """Goes when it is told to."""

    def __init__(self) -> None:
        self.time = 1_000.0

    def __call__(self) -> float:
        return self.time


@pytest.mark.parametrize("speed", [0.5, 1.0, 10.0])
def test_replay_keeps_the_original_timing(tmp_path: Path, speed: float) -> None:
    scene = finished()
    recording, clock = write(scene, tmp_path), Clock()
    replay = Replay(recording, speed, clock)
    heard: list[Line] = []
    try:
        while not replay.ended:
            assert replay.report() is None
            passed = (clock.time - 1_000.0) * speed
            assert replay.now() == pytest.approx(BEGAN + passed)
            heard += replay.poll()
            due = [line for line in expected_lines(scene) if line.at <= replay.now()]
            assert heard == due
            clock.time += 0.3 / speed
        assert replay.report() == scene.report
    finally:
        replay.close()
    assert heard == expected_lines(scene)


def test_replay_of_an_empty_recording_ends_immediately(tmp_path: Path) -> None:
    recording = write(Scene(), tmp_path)
    replay = Replay(recording, 1.0, Clock())
    assert replay.ended
    assert (replay.poll(), replay.report()) == ([], None)
    replay.close()
    assert headers(recording) == ()
    assert list(rejected_rows(recording)) == []


def test_recording_is_found_by_its_id_or_a_prefix(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no run is recorded yet"):
        find_recording(tmp_path, None)
    ids = ["20261123-101010-aaa1111", "20261124-101010-bbb2222", "20261124-101010-bbb2222x", "20261124-202020-ccc3333"]
    for run_id in ids:
        (tmp_path / run_id).mkdir()
        (tmp_path / run_id / EVENTS_FILE).touch()
    (tmp_path / "20261125-no-recording").mkdir()
    assert find_recording(tmp_path, "20261123").run_id == ids[0]
    assert find_recording(tmp_path, ids[1]).run_id == ids[1], "the whole id is no beginning of another"
    assert find_recording(tmp_path, f"{ids[3]}.2").run_id == ids[3], "the second import of a run"
    assert find_recording(tmp_path, None).run_id == ids[3]
    with pytest.raises(UsageError, match="3 runs begin with '20261124'"):
        find_recording(tmp_path, "20261124")
    for unknown in ("2027", "../x", "no"):
        with pytest.raises(UsageError, match="there is no run"):
            find_recording(tmp_path, unknown)
    alive = Recorder(tmp_path, "20261122-alive")
    try:
        assert find_recording(tmp_path, None).run_id == "20261122-alive"
    finally:
        alive.close(None)
    assert find_recording(tmp_path, None).run_id == ids[3]


def test_visible_recording_is_alive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even to a reader that checks just before the run locks it, and thereby locks it for a moment."""
    real, seen = fcntl.flock, list[bool]()

    def look_and_lock(file: int, operation: int) -> None:
        seen.extend(recording.alive for recording in recordings(tmp_path))
        real(file, operation)

    with monkeypatch.context() as patch:
        locking = SimpleNamespace(flock=look_and_lock, LOCK_EX=fcntl.LOCK_EX, LOCK_NB=fcntl.LOCK_NB)
        patch.setattr(recorder, "fcntl", locking)
        one = Recorder(tmp_path, RUN_ID)
    try:
        assert one.trouble is None
        assert all(seen)
        [recording] = recordings(tmp_path)
        assert recording.alive
        assert [path.name for path in recording.folder.iterdir()] == [EVENTS_FILE]
    finally:
        one.close(None)


def fault(column: str | None, reason: str, number: int) -> Fault:
    return Fault(cell=f"S!A{number}", column=column, value=None, reason=reason)


def one_reject(*faults: Fault) -> Reject:
    return Reject(sheet="S", row=1, faults=faults, values=())


def test_rejects_are_grouped_by_column_and_reason() -> None:
    groups = RejectGroups()
    assert groups.take() == []
    for number in range(5):
        groups.add(one_reject(fault("a", "blank", number), fault("b", "blank", number)))
    groups.add(one_reject(fault("a", "text", 9)))
    assert groups.changed
    cells = tuple(f"S!A{number}" for number in range(CELLS_PER_REASON))
    assert groups.take() == [
        ReasonGroup("a", "blank", 5, cells),
        ReasonGroup("b", "blank", 5, cells),
        ReasonGroup("a", "text", 1, ("S!A9",)),
    ]
    assert not groups.changed


def test_reasons_over_the_limit_are_counted_together() -> None:
    groups = RejectGroups()
    for number in range(MAX_GROUPS + 50):
        groups.add(one_reject(fault(f"column {number}", "reason", number)))
        groups.add(one_reject(fault("column 0", "reason", number)))
    taken = groups.take()
    assert len(taken) == MAX_GROUPS + 1
    assert sum(group.count for group in taken) == 2 * (MAX_GROUPS + 50)
    assert taken[0].count == MAX_GROUPS + 51
    assert (taken[1].reason, taken[1].column, taken[1].count) == (OTHERS, None, 50)
    assert taken[1].cells == ("S!A100", "S!A101", "S!A102")
