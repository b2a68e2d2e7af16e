"""Two runs of one import at once: the second is refused, and a run that takes over locks the one before out."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

import psycopg
import pytest

from tests.exactly_once.conftest import Importer
from tui_importer import Report, Run
from tui_importer.backends.sql import processes
from tui_importer.events import AnyEvent, BatchCommitted, LoadingStarted, Resumed

if TYPE_CHECKING:
    from tests.conftest import Database


def numbers(database: Database) -> Counter[int]:
    return Counter(number for (number,) in database.fetch("SELECT n FROM t"))


class SuspendedRun:
    """A run that holds its breath after its first batch, until it is told to go on."""

    def __init__(self, importer: Importer, database: Database, **options: object) -> None:
        self.importer = importer
        self.reached, self.goes_on = threading.Event(), threading.Event()
        self.report: Report | None = None
        self._thread = threading.Thread(target=self._run, args=(database.url, options))
        self._thread.start()
        assert self.reached.wait(60)

    def _run(self, url: str, options: dict[str, object]) -> None:
        self.report = self.importer.run(url, on_event=self._hold, batch_size=20, workers=1, **options)  # type: ignore[arg-type]

    def _hold(self, run: Run, event: AnyEvent) -> None:
        if isinstance(event, BatchCommitted) and not self.reached.is_set():
            self.reached.set()
            self.goes_on.wait(60)

    def finish(self) -> Report:
        self.goes_on.set()
        self._thread.join(60)
        assert self.report is not None
        return self.report


def test_concurrent_second_run_is_refused_and_the_first_completes(database: Database, importer: Importer) -> None:
    first = SuspendedRun(Importer(importer.folder), database)
    second = importer.run(database.url)
    assert (second.outcome, second.exit_code) == ("failed", 4)
    assert "is importing the same rows into 't' right now" in (second.error or "")
    assert first.finish().outcome == "complete"
    assert numbers(database) == Counter(range(300))


def test_concurrent_different_import_into_the_same_table_is_allowed(postgres: Database, importer: Importer) -> None:
    other = Importer(importer.folder / "other")
    other.folder.mkdir()
    other.write([(number, "other") for number in range(1000, 1100)])
    first = SuspendedRun(other, postgres)
    assert importer.run(postgres.url).outcome == "complete"
    assert first.finish().outcome == "complete"
    assert numbers(postgres) == Counter([*range(300), *range(1000, 1100)])


@pytest.mark.once
@pytest.mark.parametrize("strategy", ["sequential", "batched", "async"])
def test_superseded_run_cannot_commit(
    database: Database, importer: Importer, strategy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run only appears dead: its connection is lost, or its process cannot be found."""
    straggler = SuspendedRun(Importer(importer.folder), database, strategy=strategy)
    pretend_dead(database, monkeypatch)
    report = importer.run(database.url)
    [resumed] = importer.heard(Resumed)
    assert resumed.taken_over
    assert report.outcome == "complete"
    late = straggler.finish()
    assert (late.outcome, late.exit_code) == ("failed", 4)
    assert "taken this import over" in (late.error or "")
    assert numbers(database) == Counter(range(300))
    assert database.fetch("SELECT first_row, last_row, inserted FROM tui_importer_batch") == [(2, 301, 300)]
    states = dict(database.fetch("SELECT run_id, state FROM tui_importer_run"))
    assert states == {resumed.run_id: "superseded", report.run_id: "complete"}


def pretend_dead(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    if database.kind == "postgresql":
        database.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' "
            "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
    else:
        monkeypatch.setattr(processes, "_live_runs", set())


@pytest.mark.once
def test_takeover_waits_for_transactions_in_flight(postgres: Database, importer: Importer) -> None:
    """The dead run's last transaction holds its lock and commits its ledger entry while the next run waits."""
    importer.run(postgres.url, on_event=stop_at_once, batch_size=20)
    [[import_id]] = postgres.fetch("SELECT import_id FROM tui_importer_run")
    postgres.execute(f"UPDATE tui_importer_run SET claim = '{import_id}', state = 'running'")
    with psycopg.connect(postgres.url) as late:
        late.execute("SELECT 1 FROM tui_importer_run FOR SHARE")
        late.execute("INSERT INTO t (n, note) SELECT n, 'late' FROM generate_series(280, 299) n")
        late.execute(
            "INSERT INTO tui_importer_batch "
            "(import_id, round, first_row, last_row, run_id, inserted, skipped, rejected) "
            "SELECT import_id, round, 282, 301, run_id, 20, 0, 0 FROM tui_importer_run"
        )
        reports: list[Report] = []
        thread = threading.Thread(target=lambda: reports.append(importer.run(postgres.url)))
        thread.start()
        waiting = (
            "SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid) "
            "WHERE NOT granted AND datname = current_database()"
        )
        wait_for(lambda: postgres.scalar(waiting) > 0)
        assert not importer.heard(LoadingStarted)
        late.commit()
        thread.join(60)
    assert reports[0].outcome == "complete"
    assert numbers(postgres) == Counter(range(300))


def stop_at_once(run: Run, event: AnyEvent) -> None:
    if isinstance(event, BatchCommitted):
        run.stop("enough")


def wait_for(condition: Callable[[], bool]) -> None:
    pause = threading.Event()
    for _ in range(1_200):
        if condition():
            return
        pause.wait(0.05)
    raise AssertionError("nothing came of it in 60 s")
