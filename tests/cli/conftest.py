"""The program as a process: what a user gets."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook

from tests.support import forked

PROGRAM = [sys.executable, "-m", "tui_importer"]

#: Seconds that it may take: ten thousand commits, one after the other, on a busy machine.
PATIENCE = 240.0


@dataclass(frozen=True)
class Ended:
    """A process that ended."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        """What it said on stderr."""
        return self.err.splitlines()

    def checked(self, code: int | None) -> Ended:
        """Itself; it must hold no traceback, and have this exit code if one is given."""
        assert "Traceback" not in self.err + self.out, self.err
        assert code is None or self.code == code, self
        return self


class Program:
    """Runs the command line in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._started: list[subprocess.Popen[str]] = []
        self.environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("PG") and name not in ("TUI_IMPORTER_DB", "DATABASE_URL", "CI", "TERM")
        }

    def __call__(self, *arguments: str, code: int | None = None, **environment: str) -> Ended:
        """Run to the end; with ``code``, that must be the exit code."""
        with tempfile.TemporaryDirectory(prefix="tui_importer-streams-") as place:
            out, err = Path(place) / "out", Path(place) / "err"
            ended_with = forked.run(arguments, self.folder, {**self.environment, **environment}, out, err, PATIENCE)
            ended = Ended(ended_with, out.read_text(encoding="utf-8"), err.read_text(encoding="utf-8"))
        return ended.checked(code)

    def anew(self, *arguments: str, code: int | None = None, **environment: str) -> Ended:
        """The same by a new interpreter: where it matters what is loaded, or what an interpreter is begun with."""
        done = subprocess.run(
            [*PROGRAM, *arguments],
            cwd=self.folder,
            env={**self.environment, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        return Ended(done.returncode, done.stdout, done.stderr).checked(code)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start it and go on."""
        process = subprocess.Popen(
            [*PROGRAM, *arguments],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._started.append(process)
        return process

    def end(self) -> None:
        """Kill what is still at work, which a failed test has left."""
        for process in self._started:
            if process.poll() is None:
                process.kill()
                process.communicate()

    def files(self) -> set[str]:
        """What there is in the folder."""
        return {path.name for path in self.folder.iterdir()}


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    folder = tmp_path / "here"
    folder.mkdir()
    program = Program(folder)
    yield program
    program.end()


@pytest.fixture
def workbook(program: Program) -> Callable[..., Path]:
    """Write a workbook into the program's folder."""

    def write(name: str, rows: Sequence[Sequence[Any]], sheet: str = "Sheet1") -> Path:
        book = Workbook(write_only=True)
        page = book.create_sheet(sheet)
        for row in rows:
            page.append(row)
        path = program.folder / name
        book.save(path)
        return path

    return write


@pytest.fixture
def orders(workbook: Callable[..., Path]) -> Path:
    """300 orders, all good."""
    return workbook("orders.xlsx", [["number", "customer"], *([n, f"customer {n}"] for n in range(300))])
