"""When a file in a folder has settled, and what becomes of one that changes at the wrong moment."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tui_importer.errors import ImporterError
from tui_importer.process import settled_files
from tui_importer.process.settled_files import SettledFiles, move_into


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return self.now + 1_700_000_000


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(settled_files, "time", clock)
    return clock


@pytest.fixture
def put(tmp_path: Path, clock: Clock) -> Callable[..., Path]:
    """Write a file so many seconds ago."""

    def put(name: str, text: str, ago: float = 0.0) -> Path:
        path = tmp_path / name
        path.write_text(text)
        os.utime(path, (clock.time() - ago, clock.time() - ago))
        return path

    return put


@pytest.fixture
def files(tmp_path: Path) -> SettledFiles:
    return SettledFiles(tmp_path, 2.0, lambda path: path.suffix == ".csv")


def test_file_is_offered_once_it_has_not_changed_for_a_while(
    files: SettledFiles, put: Callable[..., Path], clock: Clock
) -> None:
    path = put("a.csv", "1")
    assert files.look() == []
    clock.now += 1.5
    put("a.csv", "12")
    assert files.look() == []
    clock.now += 1.5
    assert files.look() == []
    assert files.waiting == [path]
    clock.now += 0.6
    assert files.look() == [path]
    files.handled(path)
    assert files.look() == []
    assert not files.waiting


def test_old_files_are_offered_immediately_and_in_order_of_age(files: SettledFiles, put: Callable[..., Path]) -> None:
    first, second = put("z.csv", "1", 90), put("a.csv", "1", 60)
    put("new.csv", "1")
    put(".hidden.csv", "1", 60)
    put("~$a.csv", "1", 60)
    put("a.txt", "1", 60)
    assert files.look() == [first, second]


def test_file_changed_during_its_import_is_offered_again(
    files: SettledFiles, put: Callable[..., Path], clock: Clock
) -> None:
    path = put("a.csv", "1", 60)
    assert files.look() == [path]
    assert files.is_unchanged(path)
    put("a.csv", "12")
    assert not files.is_unchanged(path)
    files.handled(path)
    assert files.look() == []
    clock.now += 2.1
    assert files.look() == [path]


def test_only_new_and_changed_files_are_asked_about(tmp_path: Path, put: Callable[..., Path]) -> None:
    asked: list[str] = []

    def wanted(path: Path) -> bool:
        asked.append(path.name)
        return path.read_text() != "no"

    files = SettledFiles(tmp_path, 0.0, wanted)
    path = put("a.csv", "no", 60)
    put("b.csv", "yes", 60)
    assert [found.name for found in files.look() + files.look()] == ["b.csv", "b.csv"]
    assert sorted(asked) == ["a.csv", "b.csv"]
    put("a.csv", "now", 60)
    assert path in files.look()
    assert asked[2:] == ["a.csv"]


def test_postponed_file_is_offered_later_unless_it_was_deleted(
    files: SettledFiles, put: Callable[..., Path], clock: Clock
) -> None:
    path = put("a.csv", "1", 60)
    assert files.look() == [path]
    files.postpone(path, 5)
    assert files.look() == []
    clock.now += 5
    assert files.look() == [path]
    path.unlink()
    assert not files.is_unchanged(path)
    assert files.look() == []


def test_missing_folder_is_reported_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(ImporterError, match=r"gone: cannot be read: No such file"):
        SettledFiles(tmp_path / "gone", 2.0, lambda path: True).look()


def test_moved_file_gets_a_free_name(tmp_path: Path, put: Callable[..., Path]) -> None:
    (tmp_path / "done").mkdir()
    (tmp_path / "done" / "a.csv").write_text("older")
    assert move_into(put("a.csv", "1"), tmp_path / "done") == tmp_path / "done" / "a-2.csv"
    assert (tmp_path / "done" / "a.csv").read_text() == "older"
    assert (tmp_path / "done" / "a-2.csv").read_text() == "1"


def test_failed_move_keeps_the_file(tmp_path: Path, put: Callable[..., Path]) -> None:
    (tmp_path / "done").mkdir()
    with pytest.raises(ImporterError, match=r"gone.csv: cannot be moved into .*done: No such file"):
        move_into(tmp_path / "gone.csv", tmp_path / "done")
    assert list((tmp_path / "done").iterdir()) == []
    path = put("a.csv", "1")
    with pytest.raises(ImporterError, match="cannot be moved"):
        move_into(path, tmp_path / "nowhere")
    assert path.exists()
