"""xls, xlsb and ods files that claim too much end in one line, in little memory and time; honest ones pass."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.readers.hostile_files import biff, dimensions, number, ods, ods_cell, ods_row, xls
from tests.readers.test_hostile import binary_workbook
from tui_importer import SourceError
from tui_importer.readers import probe as module
from tui_importer.readers.calamine import CalamineReader
from tui_importer.readers.probe import Limits, limits, probe

GIGABYTE = 1 << 30
FAR = number(0, 0) + number(65_535, 255)

HOSTILE: dict[str, Callable[[Path], Path]] = {
    "absurd dimensions.xls": lambda path: xls(path, [dimensions(0xFFFFFFFF, 0xFFFF) + number(0, 0)]),
    "twenty far cells.xls": lambda path: xls(path, [FAR] * 20),
    "a directory that follows itself.xls": lambda path: xls(path, [number(0, 0)], next_of_directory=1),
    "a far cell.xlsb": lambda path: binary_workbook(path, 1_048_575, 16_383),
    "repeated columns and rows.ods": lambda path: ods(path, ods_row(ods_cell(1, columns=16_384), rows=1_000) * 200),
    "a repeated row.ods": lambda path: ods(path, ods_row(ods_cell(1, columns=16_384), rows=1_048_576)),
}


def run(path: Path) -> tuple[int, str, int]:
    """Exit code and last words of an import, and the most memory in kB that it or a child of it ever had."""
    program = """
        import resource, subprocess, sys
        ended = subprocess.run([sys.executable, "-m", "tui_importer", sys.argv[1], "--no-ui", "-q"], text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        print(ended.returncode, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, ended.stdout, end="")
    """
    command = [sys.executable, "-c", textwrap.dedent(program), str(path)]
    ended = subprocess.run(command, cwd=path.parent, capture_output=True, text=True, check=True)
    code, memory, words = ended.stdout.split(" ", 2)
    return int(code), words, int(memory)


@pytest.mark.once
@pytest.mark.parametrize("name", HOSTILE)
def test_small_file_with_huge_declared_sizes_is_refused_in_one_line(tmp_path: Path, name: str) -> None:
    path = HOSTILE[name](tmp_path / name)
    assert path.stat().st_size < 30_000
    code, words, memory = run(path)
    assert code == 2
    assert words.count("\n") == 1
    assert str(path) in words
    assert "damaged" in words
    assert memory < 1.3 * GIGABYTE / 1024


HONEST: dict[str, Callable[[Path], Path]] = {
    "a cell in the last place.xls": lambda path: xls(path, [FAR]),
    "a text.xlsb": lambda path: binary_workbook(path, 1, 1),
    "numbers.ods": lambda path: ods(path, ods_row(ods_cell(1, columns=2)) * 3),
}


@pytest.mark.once
@pytest.mark.parametrize("name", HONEST)
def test_valid_files_pass_the_probe(tmp_path: Path, name: str) -> None:
    with CalamineReader().open(HONEST[name](tmp_path / name)) as workbook:
        workbook.sheet(workbook.sheets[0].name)


def test_memory_limits_of_parent_and_child_total_less_than_2_gigabytes(tmp_path: Path) -> None:
    path = xls(tmp_path / "small.xls", [FAR])
    assert limits(path).memory + limits(path, 1).memory < 2 * GIGABYTE


def not_an_archive(path: Path, size: int) -> Path:
    """A file of that size which is no ZIP archive."""
    with path.open("wb") as file:
        file.truncate(size)
    return path


def test_limits_grow_with_the_file_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sysconf", lambda name: 1 << 24)  # more memory than any file needs
    small, large = (
        limits(not_an_archive(tmp_path / "small.xls", 25_000)),
        limits(not_an_archive(tmp_path / "large.xls", 100_000_000)),
    )
    assert small.memory < 1.1 * GIGABYTE
    assert large.memory > small.memory + 10 * 100_000_000, "text in an xls takes six times its size"
    assert small.clock <= 15
    assert large.cpu > small.cpu + 20, "a second parses 100 MB"
    assert large.clock > large.cpu


def test_memory_limit_depends_on_the_packed_size(tmp_path: Path) -> None:
    """A 500 MB bomb packed into half a megabyte must not get twelve gigabytes."""
    path = ods(tmp_path / "packed.ods", "<!-- -->" * 2_000_000)
    assert limits(path).memory < 1.1 * GIGABYTE


def test_memory_limit_is_at_most_the_physical_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sysconf", {"SC_PAGE_SIZE": 4_096, "SC_PHYS_PAGES": 1_000}.__getitem__)
    assert limits(not_an_archive(tmp_path / "a.xls", 1)).memory == 4_096_000


@pytest.fixture
def endless(monkeypatch: pytest.MonkeyPatch) -> None:
    """python-calamine never comes to an end with any file."""
    program = module._PROGRAM
    start = "workbook = CalamineWorkbook"
    assert start in program
    monkeypatch.setattr(module, "_PROGRAM", program.replace(start, f"while not pause(): pass\n    {start}"))


def limited(monkeypatch: pytest.MonkeyPatch, pause: str, *, cpu: int, clock: int) -> None:
    monkeypatch.setattr(module, "_PROGRAM", f"{pause}\n{module._PROGRAM}")
    monkeypatch.setattr(module, "limits", lambda path, sheets: Limits(GIGABYTE, cpu, clock))


@pytest.mark.once
@pytest.mark.usefixtures("endless")
@pytest.mark.parametrize(
    ("pause", "cpu", "clock"),
    [("pause = int", 1, 600), ("import time; pause = lambda: time.sleep(1)", 600, 1)],
    ids=["works", "waits"],
)
def test_probe_times_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pause: str, cpu: int, clock: int) -> None:
    limited(monkeypatch, pause, cpu=cpu, clock=clock)
    with pytest.raises(SourceError, match=r"good\.xls: takes more time to read .* save it as \.xlsx"):
        probe(xls(tmp_path / "good.xls", [number(0, 0)]))


def test_file_that_fails_in_the_child_is_not_read_without_limits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A library may report lack of memory as an ordinary error, which would not occur without the limit."""
    path = xls(tmp_path / "bad.xls", [biff(0x203, b"cut")])
    monkeypatch.setattr("tui_importer.readers.calamine.CalamineWorkbook.from_path", pytest.fail, raising=False)
    with pytest.raises(SourceError, match=r"bad\.xls: cannot be read as a workbook, it may be damaged \(.+\)"):
        CalamineReader().open(path)
