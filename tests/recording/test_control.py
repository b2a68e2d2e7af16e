"""Orders to a live run, through its real socket."""

from __future__ import annotations

import os
import socket
import stat
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.core.run.test_pause_and_workers import prepared
from tests.exactly_once.test_fencing import wait_for
from tests.support.examples import examples
from tui_importer import Run, UsageError
from tui_importer.errors import ExitCode
from tui_importer.events import AnyEvent, Paused, Stopping, Unpaused, WorkersChanged, WorkerStarted
from tui_importer.recording import control
from tui_importer.recording.control import (
    CONTROL_SOCKET,
    Abort,
    AnyOrder,
    ChangeWorkers,
    ControlServer,
    Pause,
    Stop,
    Unpause,
    give_order,
)
from tui_importer.recording.recordings import recordings

if TYPE_CHECKING:
    from tests.conftest import Database


class FakeRun:
    """A run that writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def pause(self) -> None:
        self.told.append("pause")

    def unpause(self) -> None:
        self.told.append("unpause")

    def stop(self, reason: str = "", exit_code: ExitCode = ExitCode.STOPPED) -> None:
        self.told.append("stop")

    def abort(self, reason: str = "", exit_code: ExitCode = ExitCode.STOPPED) -> None:
        self.told.append("abort")

    def change_workers(self, workers: int) -> None:
        if workers < 1:
            raise UsageError(f"{workers} workers cannot be \N{EM DASH} \x1b[2J")
        self.told.append(f"{workers} workers")


@contextmanager
def served(folder: Path) -> Iterator[FakeRun]:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    puppet = FakeRun()
    server = ControlServer(folder, puppet)
    try:
        yield puppet
    finally:
        server.close()


@contextmanager
def client(folder: Path) -> Iterator[socket.socket]:
    """Somebody who may say anything."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(60)
        connection.connect(str(folder / CONTROL_SOCKET))
        yield connection


def received(connection: socket.socket) -> bytes:
    """All that is answered, until the other side hangs up."""
    said = b""
    while piece := connection.recv(4096):
        said += piece
    return said


ORDERS: list[tuple[AnyOrder, str]] = [
    (Pause(), "pause"),
    (Unpause(), "unpause"),
    (Stop(), "stop"),
    (Abort(), "abort"),
    (ChangeWorkers(workers=7), "7 workers"),
]


@pytest.mark.parametrize(("order", "told"), ORDERS, ids=lambda one: type(one).__name__)
def test_each_order_is_executed(tmp_path: Path, order: AnyOrder, told: str) -> None:
    with served(tmp_path) as puppet:
        give_order(tmp_path, order)
        assert puppet.told == [told]


def test_refusal_has_the_error_message_of_the_run(tmp_path: Path) -> None:
    with served(tmp_path) as puppet:
        with pytest.raises(UsageError) as caught:
            give_order(tmp_path, ChangeWorkers(workers=0))
        assert str(caught.value) == "0 workers cannot be \N{EM DASH} \x1b[2J"
        assert puppet.told == []


def test_control_socket_is_private_and_removed_at_the_end(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with served(tmp_path):
            mode = (tmp_path / CONTROL_SOCKET).stat().st_mode
    finally:
        os.umask(before)
    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o600
    assert list(tmp_path.iterdir()) == []


ENDED = "the run does not answer: it has ended, or cannot be spoken to"


@pytest.mark.parametrize("left", ["nothing", "no folder", "a socket that nobody has", "a file"])
def test_order_to_an_ended_run_is_refused(tmp_path: Path, left: str) -> None:
    folder = tmp_path / "run"
    if left != "no folder":
        folder.mkdir()
    if left == "a file":
        (folder / CONTROL_SOCKET).touch()
    if left == "a socket that nobody has":
        with socket.socket(socket.AF_UNIX) as died:
            died.bind(str(folder / CONTROL_SOCKET))
    with pytest.raises(UsageError) as caught:
        give_order(folder, Pause())
    assert str(caught.value) == ENDED


@pytest.mark.parametrize("answer", [b"", b"{", b"\xff\n", b'{"refused":"\xff"}\n', b"[]\n", b"x" * 100_000])
def test_invalid_answers_are_refused(tmp_path: Path, answer: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as listening, ThreadPoolExecutor(1) as pool:
        listening.bind(str(tmp_path / CONTROL_SOCKET))
        listening.listen()

        def speak() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(answer)

        speaking = pool.submit(speak)
        with pytest.raises(UsageError) as caught:
            give_order(tmp_path, Pause())
        speaking.exception(10)  # it may not have got rid of all it had to say
    assert str(caught.value) == ENDED


GARBAGE = [
    b"\n",
    b"\x00\xff\xfe\n",
    b"pause\n",
    b"[]\n",
    b"null\n",
    b'{"order":"dance"}\n',
    b'{"order":"\xff"}\n',
    b'{"order":"change_workers"}\n',
    b'{"order":"change_workers","workers":"2"}\n',
    b'{"order":"change_workers","workers":1e999}\n',
    b'{"order":"pause","x":' + b"[" * 60_000 + b"\n",
    b'{"order":"pause"' + b" " * 200_000 + b"\n",
]


@pytest.mark.parametrize("garbage", GARBAGE, ids=range(len(GARBAGE)))
def test_garbage_on_the_control_socket_is_refused(tmp_path: Path, garbage: bytes) -> None:
    with served(tmp_path) as puppet:
        with client(tmp_path) as connection:
            try:
                connection.sendall(garbage)
                answer = received(connection)
            except (BrokenPipeError, ConnectionResetError):
                answer = b""  # it has hung up on so many words
        assert not answer or msgspec.json.decode(answer) == {"refused": "the run does not understand that"}
        assert puppet.told == []
        give_order(tmp_path, Pause())
        assert puppet.told == ["pause"]


@settings(max_examples=examples(60), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(said=st.binary(max_size=60).filter(lambda said: b'"order"' not in said))
def test_random_bytes_are_not_executed(tmp_path: Path, said: bytes) -> None:
    with served(tmp_path) as puppet:
        with client(tmp_path) as connection:
            connection.sendall(said)
            connection.shutdown(socket.SHUT_WR)
            received(connection)
        give_order(tmp_path, Unpause())
        assert puppet.told == ["unpause"]


def test_order_may_arrive_in_pieces(tmp_path: Path) -> None:
    with served(tmp_path) as puppet, client(tmp_path) as connection:
        for letter in b'{"order": "pause"}\n':
            connection.sendall(bytes([letter]))
        assert msgspec.json.decode(received(connection)) == {"refused": None}
        assert puppet.told == ["pause"]


def test_silent_connection_does_not_block_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither other clients nor the end of the run, however long the timeout for silent connections is."""
    monkeypatch.setattr(control, "_TIMEOUT", 3_600.0)
    with served(tmp_path) as puppet, client(tmp_path) as silent, client(tmp_path) as slow:
        slow.sendall(b'{"order":')
        for _ in range(3):
            give_order(tmp_path, Pause())
        slow.sendall(b'"unpause"}\n')
        assert msgspec.json.decode(received(slow)) == {"refused": None}
        assert puppet.told == ["pause", "pause", "pause", "unpause"]
        assert silent.fileno() > 0
    assert not (tmp_path / CONTROL_SOCKET).exists()


def test_silent_connection_times_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "_TIMEOUT", 0.05)
    with served(tmp_path), client(tmp_path) as silent, client(tmp_path) as slow:
        slow.sendall(b"{")
        assert received(silent) == received(slow) == b""


def test_too_many_connections_close_the_oldest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "_TIMEOUT", 3_600.0)
    monkeypatch.setattr(control, "_MAX_CLIENTS", 2)
    with served(tmp_path) as puppet, client(tmp_path) as first, client(tmp_path), client(tmp_path):
        assert received(first) == b""
        give_order(tmp_path, Pause())
        assert puppet.told == ["pause"]


def test_immediate_disconnect_is_harmless(tmp_path: Path) -> None:
    with served(tmp_path) as puppet:
        for said in (b"", b'{"order"', b'{"order":"pause"}\n'):
            with client(tmp_path) as connection:
                connection.sendall(said)
        give_order(tmp_path, Unpause())
        assert puppet.told in (["unpause"], ["pause", "unpause"])


def test_concurrent_orders_are_all_answered(tmp_path: Path) -> None:
    barrier = threading.Barrier(8)

    def speak(number: int) -> None:
        barrier.wait(60)
        for count in range(10):
            give_order(tmp_path, ChangeWorkers(workers=1 + number * 10 + count))

    with served(tmp_path) as puppet, ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(speak, number) for number in range(8)]:
            done.result(60)
        assert sorted(puppet.told, key=lambda told: int(told.split()[0])) == [f"{n} workers" for n in range(1, 81)]


@pytest.mark.parametrize("length", [90, 103, 104, 108, 250, 3_000])
def test_folder_path_may_have_any_length(tmp_path: Path, length: int) -> None:
    """A socket address has room for 108 bytes at most."""
    folder = tmp_path
    while (missing := length - len(os.fsencode(folder))) > 1:
        folder /= "é" * (min(200, missing - 1) // 2) or "e"
    with served(folder) as puppet:
        assert (folder / CONTROL_SOCKET).is_socket()
        give_order(folder, Pause())
        assert puppet.told == ["pause"]
    assert list(folder.iterdir()) == []


def test_failed_socket_leaks_no_descriptor(tmp_path: Path) -> None:
    (tmp_path / CONTROL_SOCKET).touch()
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(OSError, match="in use"):
        ControlServer(tmp_path, FakeRun())
    assert len(os.listdir("/proc/self/fd")) == before


# With real runs.


class RecordedRun:
    """A run that is recorded and rests once it has begun."""

    def __init__(self, tmp_path: Path, database: Database) -> None:
        self.events: list[AnyEvent] = []
        self.began = threading.Event()
        self.runs = tmp_path / "runs"
        oracle = prepared(tmp_path, database, 400)
        self.run = Run(
            oracle.plan(database.url, batch_size=5, workers=1),
            listener=self._hear,
            rejects_file=tmp_path / "r.xlsx",
            recordings=self.runs,
        )
        self.oracle = oracle

    def _hear(self, event: AnyEvent) -> None:
        self.events.append(event)
        if isinstance(event, WorkerStarted) and event.worker == 1:
            self.run.pause()
            self.began.set()

    @property
    def folder(self) -> Path:
        return self.runs / self.run.run_id


def ended_by(recorded: RecordedRun, act: Callable[[], None]) -> tuple[str, int]:
    with ThreadPoolExecutor(1) as pool:
        executing = pool.submit(recorded.run.execute)
        try:
            assert recorded.began.wait(60)
            act()
            report = executing.result(60)
        finally:
            recorded.run.abort()
    with pytest.raises(UsageError, match="has ended"):
        give_order(recorded.folder, Unpause())
    assert sorted(path.name for path in recorded.folder.iterdir()) == ["events.jsonl", "plans.json", "report.json"]
    assert recordings(recorded.runs)[0].alive is False
    return report.outcome, report.exit_code


def test_live_run_executes_orders(tmp_path: Path, postgres: Database) -> None:
    recorded = RecordedRun(tmp_path, postgres)

    def act() -> None:
        with pytest.raises(UsageError, match="takes 1 to 64 workers"):
            give_order(recorded.folder, ChangeWorkers(workers=65))
        give_order(recorded.folder, ChangeWorkers(workers=3))
        wait_for(lambda: len(recorded.run.snapshot().workers) == 3)
        give_order(recorded.folder, Unpause())
        give_order(recorded.folder, Unpause())

    assert ended_by(recorded, act) == ("complete_with_rejects", 3)
    recorded.oracle.check(postgres)
    kinds = (Paused, Unpaused, WorkersChanged, Stopping)
    said = [event for event in recorded.events if isinstance(event, kinds)]
    assert said == [Paused(), WorkersChanged(workers=3), Unpaused()]
    tags = [line["event"] for line in recordings(recorded.runs)[0].lines()]
    assert [tag for tag in tags if tag in ("paused", "unpaused", "workers_changed")] == [
        *("paused", "workers_changed", "unpaused")
    ]


@pytest.mark.parametrize(("order", "aborting"), [(Stop(), False), (Abort(), True)])
def test_live_run_is_stopped_or_aborted(tmp_path: Path, sqlite: Database, order: AnyOrder, *, aborting: bool) -> None:
    recorded = RecordedRun(tmp_path, sqlite)

    def act() -> None:
        with pytest.raises(UsageError, match="one writer"):
            give_order(recorded.folder, ChangeWorkers(workers=2))
        give_order(recorded.folder, order)

    assert ended_by(recorded, act) == ("stopped", 4)
    [stopping] = [event for event in recorded.events if isinstance(event, Stopping) and event.aborting is aborting]
    assert stopping.reason == ("aborted on request" if aborting else "stopped on request")


def test_silent_connection_does_not_delay_the_end_of_the_run(
    tmp_path: Path, sqlite: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "_TIMEOUT", 3_600.0)
    recorded = RecordedRun(tmp_path, sqlite)
    with socket.socket(socket.AF_UNIX) as silent:

        def act() -> None:
            with control._address(recorded.folder) as address:
                silent.connect(address)
            give_order(recorded.folder, Unpause())

        assert ended_by(recorded, act) == ("complete_with_rejects", 3)
