"""A writer in another process, made from a pickled spec: killed mid-batch, nothing is lost or doubled."""

from __future__ import annotations

import dataclasses
import pickle
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from tests.support import forked
from tests.support.once import once
from tests.support.rejects import RejectStore
from tui_importer.core.conversion.convert import Conversion
from tui_importer.core.conversion.mapping import ColumnMapping, MappedColumn
from tui_importer.core.model.batch import Batch, Block
from tui_importer.core.model.batch_outcome import BatchOutcome
from tui_importer.core.model.cells import Cell
from tui_importer.core.model.list_column import ListColumn
from tui_importer.core.model.url import parse_address
from tui_importer.core.run.account import Account
from tui_importer.core.writing.backend import Backend, ConnectionSettings, Destination
from tui_importer.core.writing.ledger import Counts, Entry, Ledger, RunState
from tui_importer.core.writing.remote_writer import open_remote_writer
from tui_importer.core.writing.writer_spec import WriterSpec
from tui_importer.errors import SupersededError, WorkerError
from tui_importer.plugins.registry import load_registry
from tui_importer.testing import KILLED, Failpoint
from tui_importer.testing.failpoints import FailpointBackend, Trap, kill
from tui_importer.testing.runs import IMPORT_ID, new_run

if TYPE_CHECKING:
    from tests.conftest import Database

PASSWORD = "Tr0ub4dor-and-3"
SIZE = 8

#: The cells of two batches. In each, one is refused here (a text) and one there (a CHECK).
CELLS: list[list[Cell]] = [[0, 1, "?", 3, -1, 5, 6, 7], [8, -1, 10, 11, 12, 13, 14, "?"]]
GOOD = [cell for cells in CELLS for cell in cells if isinstance(cell, int) and cell >= 0]
COUNTS = Counts(inserted=len(GOOD), rejected=4)


@dataclass(frozen=True)
class Claimed:
    """An import that a run has claimed, into table ``t``."""

    database: Database
    backend: Backend
    ledger: Ledger
    spec: WriterSpec
    batches: Sequence[Batch]

    def numbers(self) -> list[int]:
        return sorted(number for (number,) in self.database.fetch("SELECT n FROM t"))

    def rejected(self) -> list[int]:
        query = "SELECT sheet_row FROM tui_importer_reject ORDER BY sheet_row"
        return [row for (row,) in self.database.fetch(query)]


@contextmanager
def claimed(database: Database) -> Iterator[Claimed]:
    """Claim an import, as a run does."""
    database.execute("CREATE TABLE t (n integer PRIMARY KEY CHECK (n >= 0))")
    settings = ConnectionSettings(with_password(database.url), "tui_importer/a-run", 10.0)
    name = load_registry().backend_for(parse_address(database.url).scheme).name
    backend = load_registry().make_backend(name, settings)
    try:
        backend.connect()
        ledger = backend.ledger(None)
        table = backend.catalog.reflect("t")
        assert table is not None
        claim = ledger.begin(new_run("a-run")).claim
        type_ = table.columns[0].type
        mapping = ColumnMapping("Sheet1", 0, ("n",), (MappedColumn("n", 0, "n", Conversion(type_)),), table)
        destination = Destination(table, ("n",), (type_,), claim)
        spec = WriterSpec(backend=name, settings=settings, destination=destination, mapping=mapping, retry_for=60.0)
        batches = []
        for number, cells in enumerate(CELLS):
            block = Block(2 + number * SIZE, (ListColumn(cells),))
            batches.append(mapping.batch(number, block, range(block.first_row, block.first_row + SIZE)))
        try:
            yield Claimed(database, backend, ledger, spec, batches)
        finally:
            ledger.close()
    finally:
        backend.close()


def with_password(url: str) -> str:
    """The address with a password, if a server is asked for one. The tests' own server takes any."""
    return url.replace("postgres@", f"postgres:{PASSWORD}@", 1)


@dataclass(frozen=True)
class Task:
    """What another process is to write; it leaves the outcomes in ``file``. ``address`` has the password."""

    pickled: bytes
    address: str
    file: Path
    each: bool
    trap: tuple[Failpoint, int] | None = None

    def carry_out(self) -> int:
        """Returns the exit code of the process."""
        process = forked.CONTEXT.Process(target=write_all, args=(self,))
        process.start()
        process.join(60)
        code = process.exitcode
        process.close()
        assert code is not None
        return code

    def outcomes(self) -> list[BatchOutcome]:
        found: list[BatchOutcome] = pickle.loads(self.file.read_bytes())
        return found


def write_all(task: Task) -> None:
    """Runs in the other process."""
    spec, batches = pickle.loads(task.pickled)

    def open_backend(name: str, settings: ConnectionSettings) -> Any:
        backend = load_registry().make_backend(name, settings)
        return backend if task.trap is None else FailpointBackend(backend, Trap(task.trap[0], kill, task.trap[1]))

    with open_remote_writer(spec, open_backend, worker=2, database=task.address) as writer:
        write = writer.write_each if task.each else writer.write
        task.file.write_bytes(pickle.dumps([write(batch) for batch in batches]))


@pytest.mark.once
@pytest.mark.parametrize(("database", "each"), [("postgresql", False), ("sqlite", True)], indirect=["database"])
@pytest.mark.parametrize("failpoint", list(Failpoint), ids=lambda failpoint: failpoint.name.lower())
def test_killed_writer_loses_and_duplicates_no_row(
    database: Database, tmp_path: Path, failpoint: Failpoint, *, each: bool
) -> None:
    with claimed(database) as run:
        pickled = pickle.dumps((run.spec, run.batches))
        assert PASSWORD.encode() not in pickled
        file, address = tmp_path / "outcomes", with_password(database.url)
        first = Task(pickled, address, file, each=each, trap=(failpoint, 2))
        assert first.carry_out() == KILLED
        assert not file.exists()
        # Nobody knows how far it came, so everything is given to another.
        second = Task(pickled, address, file, each=each)
        assert second.carry_out() == 0
        assert run.numbers() == GOOD
        kept = RejectStore()
        account = Account(kept, None)
        for outcome in second.outcomes():
            account.add(outcome)
        assert account.total().counts == run.ledger.counts(IMPORT_ID, 1) == COUNTS
        assert [reject.row for reject in kept.rejects] == run.rejected() == [4, 6, 11, 17]


@pytest.mark.parametrize("begun_by_row", [False, *once(True)])
@pytest.mark.parametrize("each", [False, True])
def test_batch_started_by_another_writer_is_finished(database: Database, *, begun_by_row: bool, each: bool) -> None:
    with claimed(database) as run:
        batch, open_backend = run.batches[0], load_registry().make_backend
        with open_remote_writer(run.spec, open_backend, database=database.url) as writer:
            if begun_by_row:
                part = replace(
                    batch, last_row=4, rows=batch.rows[:2], columns=(batch.columns[0].slice(0, 2),), encoded=None
                )
                writer.write_each(part)
            else:
                writer.write(batch)
        with open_remote_writer(run.spec, open_backend, worker=2, database=database.url) as writer:
            outcome = (writer.write_each if each else writer.write)(batch)
            assert writer.outcome is outcome
            assert writer.worker == outcome.worker == 2
        assert (outcome.first_row, outcome.last_row, outcome.inserted) == (2, 9, 6)
        assert [reject.row for reject in outcome.rejects] == run.rejected() == [4, 6]
        assert run.numbers() == [0, 1, 3, 5, 6, 7]


def test_commit_in_progress_is_awaited(postgres: Database) -> None:
    """Its client process is gone, but the server has received the COMMIT."""
    with claimed(postgres) as run:
        columns = (ListColumn(list(range(8))),)
        batch = replace(run.batches[0], rejects=(), rows=range(2, 10), columns=columns, origin=columns)
        outcomes: list[BatchOutcome] = []

        def write() -> None:
            with open_remote_writer(run.spec, load_registry().make_backend, database=postgres.url) as writer:
                outcomes.append(writer.write(batch))

        late = run.backend.open_session(run.spec.destination)
        try:
            late.begin()
            late.load(batch, 0, 8)
            assert late.record(Entry(2, 9, None, 8))
            second = threading.Thread(target=write)
            second.start()
            waiting = (
                "SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid) "
                "WHERE NOT granted AND datname = current_database()"
            )
            pause = threading.Event()
            for _ in range(1_200):
                if postgres.scalar(waiting):
                    break
                pause.wait(0.05)
            late.commit()
            second.join(60)
        finally:
            late.close()
        assert [(outcome.inserted, outcome.last_row) for outcome in outcomes] == [(8, 9)]
        assert run.numbers() == list(range(8))


@pytest.mark.parametrize("each", [False, True])
def test_writer_with_an_ended_claim_cannot_commit(database: Database, *, each: bool) -> None:
    with claimed(database) as run:
        pickled = pickle.dumps(run.spec)
        run.ledger.finish(run.spec.destination.claim, RunState.SUPERSEDED, Counts(), 0, None)  # type: ignore[arg-type]
        next_claim = run.ledger.begin(new_run("the-next-run")).claim
        with open_remote_writer(pickle.loads(pickled), load_registry().make_backend, database=database.url) as writer:
            with pytest.raises(WorkerError, match="taken this import over") as raised:
                (writer.write_each if each else writer.write)(run.batches[0])
            assert isinstance(raised.value.__cause__, SupersededError)
            assert writer.outcome is not None
            assert writer.outcome.last_row is None
        assert run.numbers() == run.rejected() == []
        # The next run's own writers are not disturbed.
        destination = replace(run.spec.destination, claim=next_claim)
        spec = dataclasses.replace(run.spec, destination=destination)
        with open_remote_writer(spec, load_registry().make_backend, database=database.url) as writer:
            assert writer.write(run.batches[0]).inserted == 6


def test_writer_for_another_database_writes_nothing(sqlite: Database, tmp_path: Path) -> None:
    with claimed(sqlite) as run:
        other = tmp_path / "other.db"
        other.write_bytes(Path(sqlite.url).read_bytes())
        backend = load_registry().make_backend("sqlite", ConnectionSettings(str(other), "tui_importer/test", 10.0))
        backend.ledger(None).forget("t")
        backend.ledger(None).begin(new_run("of-the-other-database"))
        backend.close()
        with (
            open_remote_writer(run.spec, load_registry().make_backend, database=str(other)) as writer,
            pytest.raises(WorkerError, match="taken this import over"),
        ):
            writer.write(run.batches[0])
        assert run.numbers() == []


def test_the_writer_of_a_dry_run_writes_nothing(sqlite: Database) -> None:
    with claimed(sqlite) as run:
        spec = dataclasses.replace(run.spec, dry_run=True, destination=replace(run.spec.destination, claim=None))
        with open_remote_writer(spec, load_registry().make_backend) as writer:
            assert writer.write(run.batches[0]).inserted == 6  # the table refuses one
        assert run.numbers() == []


@pytest.mark.parametrize("abort", [False, True])
def test_a_writer_can_be_stopped_from_another_thread(sqlite: Database, *, abort: bool) -> None:
    with claimed(sqlite) as run:
        with open_remote_writer(run.spec, load_registry().make_backend, database=sqlite.url) as writer:
            (writer.abort if abort else writer.stop)("enough")
            outcome = writer.write_each(run.batches[0])
        assert outcome.last_row is None
        assert run.numbers() == []


def test_connections_of_two_processes_have_different_names(postgres: Database) -> None:
    """A lost connection is terminated on the server by its name."""
    with claimed(postgres) as run:
        names = Counter[str]()
        for _ in range(2):
            with open_remote_writer(run.spec, load_registry().make_backend, database=postgres.url) as writer:
                writer.write(run.batches[0])
                query = "SELECT application_name FROM pg_stat_activity WHERE application_name LIKE 'tui_importer/%'"
                names.update(name for (name,) in postgres.fetch(query))
        own = [name for name, count in names.items() if count == 1]
        assert len(own) == len(set(own)) >= 2
        assert all(name.startswith("tui_importer/a-run/") for name in names)
