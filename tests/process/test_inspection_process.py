"""Looks at sources and targets, each by a process of its own."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from openpyxl import Workbook

from tests.exactly_once.test_fencing import wait_for
from tests.support.make_sample import SAMPLE_PATH
from tests.support.readers import default_reader
from tui_importer import Options, Plan, Source, Target
from tui_importer.process import start
from tui_importer.process.messages import (
    Answer,
    ImportRequest,
    Inspected,
    InspectRequest,
    LookAtTargetRequest,
    Previewed,
    Refused,
    TargetSeen,
)
from tui_importer.process.start import InspectionProcess

if TYPE_CHECKING:
    from tests.conftest import Database

PASSWORD = "s3cr3t-w0rd"


class Answers:
    """Hears what is answered, and waits for the last word. ``on_answer`` may hold the speaker up."""

    def __init__(self, request: Any, on_answer: Callable[[Answer], None] = lambda answer: None) -> None:
        self.answers: list[Answer] = []
        self._on_answer = on_answer
        self._last = threading.Event()
        self.look = InspectionProcess(request, self._hear)

    def _hear(self, answer: Answer) -> None:
        self.answers.append(answer)
        self._on_answer(answer)
        if isinstance(answer, (Inspected, TargetSeen, Refused)):
            self._last.set()

    def wait_for_all(self) -> list[Answer]:
        assert self._last.wait(60)
        self.look.close()
        return self.answers


@pytest.fixture(autouse=True)
def none_left() -> Iterator[None]:
    """A look leaves no process."""
    yield
    assert [child for child in psutil.Process().children() if _MARK in _cmdline(child)] == []


_MARK = "tui_importer.process"


def _cmdline(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def inspection(path: Path, **source: Any) -> InspectRequest:
    return InspectRequest(plan=Plan(source=Source(file=str(path), **source)))


def target(url: str, table: str = "t", **options: Any) -> LookAtTargetRequest:
    plan = Plan(source=Source(file="x.csv"), target=Target(database=url, table=table), options=Options(**options))
    return LookAtTargetRequest(plan=plan)


def test_inspection_answers_with_preview_then_result() -> None:
    rough, fine, known = Answers(inspection(SAMPLE_PATH)).wait_for_all()
    assert isinstance(rough, Previewed)
    assert isinstance(fine, Previewed)
    assert isinstance(known, Inspected)
    assert (rough.raw, fine.raw) == (True, False)
    assert rough.sheets == fine.sheets == ("Sheet1",)
    assert rough.rows == fine.rows[: len(rough.rows)]
    assert rough.rows[0][:2] == ("Name", "Category")
    assert (rough.first_row, fine.first_row, rough.first_column, fine.first_column) == (1, 1, 0, 0)
    assert (known.reader, known.rows) == (default_reader(SAMPLE_PATH), 10_000)
    assert [column.target for column in known.plan.columns or ()][:2] == ["name", "category"]
    assert set(known.evidence) == set("ABCDEFGHI")


def test_preview_of_a_text_file_is_not_raw(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("n;word\n1;a\n2;b\n")
    fine, known = Answers(inspection(path)).wait_for_all()
    assert isinstance(fine, Previewed)
    assert fine.rows == (("n", "word"), ("1", "a"), ("2", "b"))
    assert not fine.raw
    assert isinstance(known, Inspected)


@pytest.mark.parametrize("what", ["missing", "damaged", "no sheet of that name"])
def test_unreadable_file_is_refused_in_one_line(tmp_path: Path, what: str) -> None:
    path = tmp_path / "x.xlsx"
    if what == "damaged":
        path.write_bytes(SAMPLE_PATH.read_bytes()[:-1_000])
    elif what != "missing":
        Workbook().save(path)
    [refused] = Answers(inspection(path, sheet="Nowhere" if "name" in what else None)).wait_for_all()
    assert isinstance(refused, Refused)
    assert refused.exit_code == 2
    assert "x.xlsx" in refused.error
    assert "\n" not in refused.error


def test_inspected_plan_contains_no_password(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("n\n1\n")
    plan = Plan(source=Source(file=str(path)), target=Target(database=f"postgresql://a:{PASSWORD}@nowhere/x"))
    known = Answers(InspectRequest(plan=plan)).wait_for_all()[-1]
    assert isinstance(known, Inspected)
    assert PASSWORD not in str(known)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT], ids=lambda number: number.name)
def test_crash_of_the_reader_process_is_reported(tmp_path: Path, number: signal.Signals) -> None:
    pipe = tmp_path / "endless.csv"
    os.mkfifo(pipe)  # a file that is never read to its end
    ear = Answers(inspection(pipe))
    ear.look._process.send_signal(number)
    [refused] = ear.wait_for_all()
    assert refused == Refused(error=f"the reader's process ended by signal {number.value}", exit_code=2)


def test_inspection_process_that_fails_to_start_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(start, "_MODULE", "tui_importer.no_such_module")
    [refused] = Answers(inspection(tmp_path / "x.csv")).wait_for_all()
    assert refused == Refused(error="the reader's process ended without a word", exit_code=2)


def test_cancelled_inspection_delivers_no_answer(tmp_path: Path) -> None:
    pipe = tmp_path / "endless.csv"
    os.mkfifo(pipe)
    ear = Answers(inspection(pipe))
    process = psutil.Process(ear.look._process.pid)
    ear.look.cancel()
    ear.look.cancel()
    ear.look.close()
    assert not process.is_running()
    assert ear.answers == []


def test_inspection_can_be_cancelled_between_answers() -> None:
    go_on = threading.Event()

    def hold_up(answer: Answer) -> None:
        go_on.wait(60)

    ear = Answers(inspection(SAMPLE_PATH), hold_up)
    wait_for(lambda: bool(ear.answers))
    ear.look.cancel()
    go_on.set()
    ear.look.close()
    assert len(ear.answers) == 1


def test_closing_an_ended_inspection_is_harmless() -> None:
    ear = Answers(inspection(SAMPLE_PATH))
    ear.wait_for_all()
    ear.look.cancel()
    ear.look.close()


@pytest.mark.once
def test_target_table_is_inspected_without_changes(database: Database) -> None:
    [seen] = Answers(target(database.url)).wait_for_all()
    assert isinstance(seen, TargetSeen)
    assert (seen.exists, seen.rows, seen.table) == (False, 0, "t")
    database.execute("CREATE TABLE t (n integer); INSERT INTO t VALUES (1), (2), (3)")
    before = tables(database)
    [there] = Answers(target(database.url)).wait_for_all()
    assert isinstance(there, TargetSeen)
    assert (there.exists, there.rows, there.table, there.database) == (True, 3, "t", seen.database)
    assert tables(database) == before, "nothing was made by looking"


def tables(database: Database) -> list[tuple[Any, ...]]:
    if database.kind == "postgresql":
        return database.fetch("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'")
    return database.fetch("SELECT name FROM sqlite_master")


@pytest.mark.once
def test_inspecting_the_target_creates_no_sqlite_file(tmp_path: Path) -> None:
    [seen] = Answers(target(str(tmp_path / "new.db"))).wait_for_all()
    assert isinstance(seen, TargetSeen)
    assert not seen.exists
    assert list(tmp_path.iterdir()) == []
    [refused] = Answers(target(str(tmp_path / "no" / "new.db"))).wait_for_all()
    assert isinstance(refused, Refused)
    assert refused.exit_code == 5
    assert list(tmp_path.iterdir()) == []


@pytest.mark.once
@pytest.mark.parametrize(
    ("url", "code"),
    [
        (f"postgresql://shop:{PASSWORD}@127.0.0.1:1/shop", 5),
        (f"postgresql://shop:{PASSWORD}@/shop?host=/no/such/folder", 5),
        ("nosuch://x/y", 2),
    ],
)
def test_unreachable_database_is_refused_in_one_line(url: str, code: int) -> None:
    [refused] = Answers(target(url, connect_timeout=5.0)).wait_for_all()
    assert isinstance(refused, Refused)
    assert refused.exit_code == code
    assert "\n" not in refused.error
    assert PASSWORD not in refused.error


def test_invalid_database_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_text("no database" * 100)
    [refused] = Answers(target(str(tmp_path / "x.db"))).wait_for_all()
    assert isinstance(refused, Refused)
    assert "\n" not in refused.error


def test_refused_import_request_is_reported(tmp_path: Path) -> None:
    """The process reports a refusal whichever request it was given."""
    [refused] = Answers(
        ImportRequest(plans=(Plan(source=Source(file="x.csv"), options=Options(strategy="telepathic")),), command="x")
    ).wait_for_all()
    assert isinstance(refused, Refused)
    assert "telepathic" in refused.error
