"""Real servers, each a process of its own with a state folder of its own."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.support.forked import ForkedProcess
from tui_importer.recording.recordings import Recording

#: Seconds that anything may take; what is waited for usually takes less than one.
PATIENCE = 60.0


class Served:
    """A server and a client of it. ``state`` is its state folder: uploads and recordings are below it.

    It is forked, or where it is begun with an environment or limits, or ``anew``, a new interpreter.
    """

    def __init__(
        self,
        folder: Path,
        *options: str,
        token: str | None = None,
        environment: Mapping[str, str] | None = None,
        limits: Callable[[], None] | None = None,
        anew: bool = False,
    ) -> None:
        self.state = folder / "state"
        self.log = folder / "server.log"
        self._folder, self._options, self._token, self._limits = folder, options, token, limits
        self._environment = environment or {}
        self._anew = anew or environment is not None or limits is not None
        self.process: subprocess.Popen[bytes] | ForkedProcess
        self.start()

    def start(self, port: str = "0") -> None:
        """Start it, as often as it was ended; by default on a port that is free."""
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("PG") and name not in ("TUI_IMPORTER_DB", "DATABASE_URL")
        }
        environment |= {"XDG_STATE_HOME": str(self.state), **self._environment}
        if self._token is not None:
            environment["TUI_IMPORTER_SERVER_TOKEN"] = self._token
        self.log.touch()
        begins = self.log.stat().st_size
        arguments = ["serve", "--port", port, *self._options]
        if self._anew:
            with self.log.open("ab") as log:
                self.process = subprocess.Popen(
                    [sys.executable, "-m", "tui_importer", *arguments],
                    cwd=self._folder,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    preexec_fn=self._limits,
                )
        else:
            self.process = ForkedProcess(arguments, self._folder, environment, self.log, self.log)
        until(lambda: self.process.poll() is not None or self._port(begins) is not None)
        got = self._port(begins)
        assert got is not None, self.log.read_text()
        self.url = f"http://127.0.0.1:{got}"
        headers = {} if self._token is None else {"Authorization": f"Bearer {self._token}"}
        self.client = httpx.Client(base_url=self.url, headers=headers, timeout=PATIENCE)

    def _port(self, begins: int) -> int | None:
        for line in self.log.read_bytes()[begins:].splitlines(keepends=True):
            if line.endswith(b"\n") and b'"event": "listening"' in line:
                return int(json.loads(line)["port"])
        return None

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End it by a signal; its exit code."""
        self.client.close()
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)

    def lines(self) -> list[dict[str, Any]]:
        """What it logged."""
        return [json.loads(line) for line in self.log.read_bytes().split(b"\n") if line]

    def post(
        self, path: str, file: Path | bytes, name: str = "rows.csv", headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        """Upload a file."""
        data = file.read_bytes() if isinstance(file, Path) else file
        return self.client.post(path, files={"file": (name, data)}, headers=headers)

    def half_an_upload(self, rows: bytes = b"n,note\n") -> socket.socket:
        """The beginning of an upload of 100,000 bytes, on a connection of its own."""
        connection = socket.create_connection(("127.0.0.1", int(self.url.rpartition(":")[2])), timeout=PATIENCE)
        part = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n' + rows
        token = f"Authorization: Bearer {self._token}\r\n" if self._token else ""
        head = (
            f"POST /runs HTTP/1.1\r\nHost: localhost\r\n{token}Content-Length: 100000\r\n"
            "Content-Type: multipart/form-data; boundary=x\r\n\r\n"
        )
        connection.sendall(head.encode() + part)
        return connection

    def begin(self, file: Path | bytes, **query: Any) -> str:
        """Upload to ``/runs``; the id."""
        answer = self.post("/runs?" + "&".join(f"{key}={value}" for key, value in query.items()), file)
        assert answer.status_code == 202, answer.text
        id_: str = answer.json()["id"]
        assert answer.headers["Location"] == f"/runs/{id_}"
        return id_

    def run(self, id_: str) -> dict[str, Any]:
        """The run as it stands."""
        answer = self.client.get(f"/runs/{id_}")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def wait(self, id_: str, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Wait until the run is so."""
        until(lambda: condition(self.run(id_)))
        return self.run(id_)

    def ended(self, id_: str) -> dict[str, Any]:
        """Wait for the run's end."""
        return self.wait(id_, lambda run: run["state"] == "ended")

    def at_work(self, id_: str) -> dict[str, Any]:
        """Wait until rows of the run are in."""
        return self.wait(id_, lambda run: bool(run["progress"] and run["progress"]["inserted"]))

    def recording(self, run_id: str) -> Recording:
        """The recording of a run, as the dashboard finds it."""
        return Recording(self.state / "tui-importer" / "runs" / run_id)

    @property
    def uploads(self) -> list[Path]:
        """The folders of uploads, complete or not."""
        return [path for path in (self.state / "tui-importer" / "uploads").iterdir() if path.is_dir()]

    def engines(self) -> list[psutil.Process]:
        """The processes of its runs, also of those that it does not know any more."""
        return [process for process in psutil.process_iter() if self._is_engine(process)]

    def _is_engine(self, process: psutil.Process) -> bool:
        try:
            return "tui_importer.process" in process.cmdline() and str(self.state) in process.cwd()
        except (psutil.Error, FileNotFoundError):
            return False  # it ended meanwhile

    def close(self) -> None:
        """Nothing is left of it."""
        self.client.close()
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(PATIENCE)
        for process in self.engines():
            process.kill()


def until(condition: Callable[[], Any]) -> None:
    """Wait until something is so."""
    limit = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < limit, "it never came to that"
        time.sleep(0.05)


def numbered(rows: int, first: int = 0, bad: int = 0) -> bytes:
    """A CSV file of numbered rows; the last ``bad`` of them have no number where one is required."""
    numbers = [*range(first, first + rows - bad), *[""] * bad]
    return b"n,note\n" + b"".join(f"{number},note {number}\n".encode() for number in numbers)


#: Options of a run whose rows come so slowly that there is time to do something to it.
SLOW = {"max_rate": 20, "batch_size": 1}


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Served]]:
    """Start servers in the test's folder."""
    started: list[Served] = []

    def start(*options: str, folder: str = "here", **more: Any) -> Served:
        (tmp_path / folder).mkdir(exist_ok=True)
        started.append(Served(tmp_path / folder, *options, **more))
        return started[-1]

    yield start
    for served in started:
        served.close()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server of a module, on an SQLite file, for requests that do not harm each other."""
    served = Served(tmp_path_factory.mktemp("shared"), "--db", "target.db", "--table", "t")
    yield served
    served.close()
