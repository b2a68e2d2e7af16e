"""The contract that every backend must fulfil."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tui_importer.api import Run
from tui_importer.core.model.batch import Batch
from tui_importer.core.model.list_column import ListColumn
from tui_importer.core.model.report import Report
from tui_importer.core.model.table import Constraint, ConstraintKind, Index, Table, TableColumn
from tui_importer.core.model.types import INTEGER, TEXT
from tui_importer.core.model.url import parse_address
from tui_importer.core.model.write_mode import OnConflict, WriteKind, WriteMode
from tui_importer.core.writing.access import Access
from tui_importer.core.writing.backend import Backend, ConnectionSettings, Destination
from tui_importer.core.writing.ledger import Claim, Counts, Entry, Ledger, RunState
from tui_importer.core.writing.loaded import Loaded
from tui_importer.errors import BusyError, DataFault
from tui_importer.plugins.specs import BackendSpec
from tui_importer.testing.databases import Database
from tui_importer.testing.failpoints import Failpoint, Trap, failing, failpoint_url, lose_connection
from tui_importer.testing.mode_checks import check_modes
from tui_importer.testing.modes import MODES
from tui_importer.testing.oracle import ContractError, Oracle
from tui_importer.testing.processes import KILLED, Import, registry_with
from tui_importer.testing.runs import new_run

STRATEGIES = ("sequential", "threaded", "batched", "async")
#: Kills of an import in each write mode: beside those of :func:`_survives_kills`, enough to interrupt staging.
_MODE_KILLS = 1


def check_backend(database: Database, folder: Path, *specs: BackendSpec, kills: int = 10) -> None:
    """Raise :class:`~tui_importer.testing.ContractError` unless the backend fulfils the contract.

    ``database`` is empty and uses the backend to be checked, which is installed or among ``specs``. With ``kills``
    above 0, another process must be able to import the factories of ``specs``.
    """
    _keeps_tables(database, specs)
    _keeps_transactions(database, folder, specs)
    _writes_rows_whose_key_is_there(database, specs)
    _imports_by_every_strategy(database, folder, specs)
    _takes_rows_back(database, folder, specs)
    _survives_lost_connections(database, folder, specs)
    _keeps_every_mode(database, folder, specs, min(kills, _MODE_KILLS))
    if kills:
        _survives_kills(database, folder, specs, kills)


def _keeps_tables(database: Database, specs: Sequence[BackendSpec]) -> None:
    """The catalog creates, describes, counts, reads and drops tables."""
    columns = tuple(TableColumn(name, INTEGER if name != "note" else TEXT) for name in ("n", "amount", "note"))
    table, stage = Table("check_catalog", columns), Table("check_catalog_stage", columns)
    backend = _opened(database, specs)
    try:
        backend.connect()
        catalog = backend.catalog
        _require(catalog.reflect(table.name) is None, "a table that does not exist is not reflected")
        _require(not catalog.holds_rows(table), "a table that does not exist holds no rows")
        catalog.create_table(table)
        found = catalog.reflect(table.name)
        names = [column.name for column in found.columns] if found else None
        _require(names == ["n", "amount", "note"], "a table is reflected as it was created")
        for _ in range(2):
            catalog.create_indexes(table, [Index("check_catalog_n", ("n",))], lambda index: None)
        catalog.check_access(Access(table, ("n", "amount", "note"), reads=True))
        _require(not catalog.holds_rows(table), "a new table holds no rows")
        session = backend.open_session(Destination(table, ("n", "amount", "note"), (INTEGER, INTEGER, TEXT)))
        try:
            session.begin()
            session.load(_batch(range(3)), 0, 3)
            session.commit()
        finally:
            session.close()
        _require(catalog.holds_rows(table) and catalog.count(table) == 3, "the rows of a table are counted")
        parts = list(catalog.read(table, ("note", "n"), 2))
        rows = sorted(tuple(row) for part in parts for row in part)
        _require(rows == [(f"note {number}", number) for number in range(3)], "a table is read as it was written")
        _require(all(len(part) <= 2 for part in parts), "no more rows are read at a time than asked for")
        catalog.create_stage(table, stage, exists=True)
        _require(catalog.count(stage) == 0, "a stage is empty")
        for made in (stage, table):
            catalog.drop_table(made)
            _require(catalog.reflect(made.name) is None, "a table that was dropped is gone")
    finally:
        backend.close()


def _keeps_transactions(database: Database, folder: Path, specs: Sequence[BackendSpec]) -> None:
    """Rows and ledger are committed together or not at all, each entry once, and none without a claim."""
    oracle = _prepared(database, folder, "check_sessions")
    backend = _opened(database, specs)
    try:
        backend.connect()
        ledger = backend.ledger(None)
        claim = _claimed(ledger, oracle, "run-1")
        session = backend.open_session(_destination(backend, oracle, claim))
        try:
            batch, entry = _batch(range(3)), Entry(2, 4, None, 3)
            session.begin()
            _require(session.load(batch, 0, 3) == Loaded(3), "load() says what became of every row")
            _require(session.record(entry), "an entry is taken under a claim")
            session.rollback()
            _require(not session.recorded(entry), "a rollback undoes the entry")
            session.rollback()
            _require(_count(database, oracle) == 0, "a rollback undoes the rows")

            session.begin()
            session.load(batch, 0, 3)
            session.record(entry)
            session.commit()
            _require(_count(database, oracle) == 3, "a commit keeps the rows")
            _require(session.recorded(entry), "a commit keeps the entry")
            session.rollback()

            session.begin()
            _require(not session.record(entry), "an entry is not taken twice")
            session.rollback()
            session.begin()
            _require(session.insert(batch, 0) == Loaded(1), "insert() says what became of its row")
            _require(session.record(Entry(2, 5, 4, 1)), "an entry can be lengthened")
            session.commit()
            session.begin()
            _require(not session.record(Entry(2, 6, 4, 1)), "an entry is only lengthened from where it ends")
            session.rollback()

            session.begin()
            session.savepoint()
            try:
                session.load(_batch([-1]), 0, 1)
            except DataFault:
                session.rollback_to_savepoint()
            else:
                raise ContractError("a row that violates a CHECK is refused by a DataFault")
            session.insert(batch, 1)
            session.rollback()
            _require(_count(database, oracle) == 4, "a savepoint keeps the transaction in hand")

            session.begin()
            session.savepoint()
            isolated = session.isolate(_batch([7, -1, 8]), 0, 3) if session.isolates else None
            if isolated is not None:
                refused = [place for place, _ in isolated.refused]
                _require(refused == [1] and isolated.loaded == Loaded(2), "isolate() finds the rows that are refused")
            session.rollback()

            try:
                _claimed(backend.ledger(None), oracle, "run-2")
            except BusyError:
                pass
            else:
                raise ContractError("a second run of an import whose first one is alive is refused")
            ledger.finish(claim, RunState.STOPPED, Counts(), 0, None)
            session.begin()
            session.insert(batch, 2)
            _require(not session.record(Entry(20, 20, None, 1)), "nothing is taken once the claim has ended")
            session.rollback()
            _require(_count(database, oracle) == 4, "nothing goes in once the claim has ended")
        finally:
            session.close()
            ledger.close()
    finally:
        backend.close()


def _writes_rows_whose_key_is_there(database: Database, specs: Sequence[BackendSpec]) -> None:
    """In the modes that the catalog supports, rows are updated or skipped as by a loop over them."""
    key = Constraint(ConstraintKind.PRIMARY, ("n",))
    columns = (TableColumn("n", INTEGER, nullable=False), TableColumn("note", TEXT))
    table = Table("check_modes", columns, declared=(key,))
    backend = _opened(database, specs)
    try:
        backend.connect()
        for mode, outcomes in _OUTCOMES.items():
            if not backend.catalog.supports(mode):
                continue
            backend.catalog.create_table(table)
            session = backend.open_session(Destination(table, ("n", "note"), (INTEGER, TEXT), mode=mode))
            try:
                for rows, outcome in outcomes:
                    session.begin()
                    loaded = session.load(_batch_of(rows), 0, len(rows))
                    session.commit()
                    _require(loaded == outcome, f"{mode.kind}, {mode.on_conflict}: load() says what became of {rows}")
                session.begin()
                inserted = session.insert(_batch_of([(1, "last")]), 0)
                session.commit()
                updates = mode.on_conflict is OnConflict.UPDATE
                _require(
                    inserted == (Loaded(0, updated=1) if updates else Loaded(0, skipped=1)),
                    "insert() says what became of a row whose key is there",
                )
            finally:
                session.close()
            found = sorted(tuple(row) for part in backend.catalog.read(table, ("n", "note"), 10) for row in part)
            wanted = [(1, "last"), (2, "d")] if updates else [(1, "a"), (2, "b")]
            _require(found == wanted, f"{mode.kind}, {mode.on_conflict}: the table is that of a loop over the rows")
            backend.catalog.drop_table(table)
    finally:
        backend.close()


#: What is loaded in each mode, one batch after the other, and what becomes of its rows.
_OUTCOMES = {
    WriteMode(WriteKind.UPSERT, ("n",)): (
        ([(1, "a"), (2, "b"), (1, "c")], Loaded(2, updated=1)),
        ([(1, "c"), (2, "d")], Loaded(0, updated=1, skipped=1)),
    ),
    WriteMode(WriteKind.APPEND, ("n",), OnConflict.SKIP): (
        ([(1, "a"), (2, "b"), (1, "c")], Loaded(2, skipped=1)),
        ([(1, "c"), (2, "d")], Loaded(0, skipped=2)),
    ),
}


def _keeps_every_mode(database: Database, folder: Path, specs: Sequence[BackendSpec], kills: int) -> None:
    """In each mode that the catalog supports, the table is that of a loop over the rows, whatever interrupts it."""
    backend = _opened(database, specs)
    try:
        backend.connect()
        modes = [name for name, mode in MODES.items() if backend.catalog.supports(mode)]
    finally:
        backend.close()
    check_modes(database, folder, specs, modes, STRATEGIES, kills=kills)


def _imports_by_every_strategy(database: Database, folder: Path, specs: Sequence[BackendSpec]) -> None:
    for strategy in STRATEGIES:
        oracle = _prepared(database, folder, f"check_{strategy}")
        oracle.check(database, _run(oracle, database.url, specs, strategy=strategy, batch_size=9, workers=3))


def _takes_rows_back(database: Database, folder: Path, specs: Sequence[BackendSpec]) -> None:
    """The rows of a run are taken out of the table, those of no other, and the import begins anew."""
    oracle = _prepared(database, folder, "check_undo")
    database.execute(f"ALTER TABLE {oracle.table} ADD COLUMN loaded_by varchar(100)")
    database.execute(f"INSERT INTO {oracle.table} (n, amount, note) VALUES (1000, 0, 'another')")
    options = {"set": {"loaded_by": "{run}"}, "batch_size": 7}
    report = _run(oracle, database.url, specs, **options)
    backend = _opened(database, specs)
    try:
        backend.connect()
        ledger, table = backend.ledger(None), backend.catalog.reflect(oracle.table)
        assert table is not None
        try:
            runs = ledger.generation_of(report.run_id)
            _require([run.run_id for run in runs] == [report.run_id], "the ledger knows the runs of an import")
            _require(not ledger.generation_of("no-run"), "the ledger knows no run that there never was")
            counted = ledger.undo(runs, table, "loaded_by", commit=False)
            _require(counted == len(oracle.accepted), "the rows of a run are counted")
            _require(_count(database, oracle) == counted + 1, "counting the rows of a run changes nothing")
            _require(
                ledger.undo(runs, table, "loaded_by", commit=True) == counted, "undo() says how many rows are gone"
            )
        finally:
            ledger.close()
    finally:
        backend.close()
    _require(_count(database, oracle) == 1, "the rows of a run are taken back, and no others")
    again = _run(oracle, database.url, specs, **options)
    _require(again.stats.inserted == len(oracle.accepted), "an import that was undone begins anew")


def _survives_lost_connections(database: Database, folder: Path, specs: Sequence[BackendSpec]) -> None:
    """Connections may be lost at any point, including the answer to COMMIT."""
    for number, failpoint in enumerate(Failpoint):
        for strategy in ("sequential", "batched"):
            oracle = _prepared(database, folder, f"check_lost_{number}_{strategy}")
            broken = failing(registry_with(*specs), Trap(failpoint, lose_connection, 2))
            url = failpoint_url(database.url)
            oracle.check(database, _run(oracle, url, (*specs, broken), strategy=strategy, batch_size=6))


def _survives_kills(database: Database, folder: Path, specs: Sequence[BackendSpec], kills: int) -> None:
    """Killed again and again, with another strategy and batch size each time, the import completes."""
    oracle = _prepared(database, folder, "check_kills")
    chosen = random.Random(kills)  # noqa: S311  # the same choices every time
    points = list(Failpoint)
    for number in range(kills):
        plan = oracle.plan(database.url, strategy=STRATEGIES[number % 4], batch_size=chosen.randint(2, 7))
        task = Import(plan, folder, specs, points[number % len(points)], chosen.randint(1, 3))
        if task.carry_out()[0] != KILLED:
            break
    code, report = Import(oracle.plan(database.url), folder, specs).carry_out()
    if report is None:
        raise ContractError(f"the import ended with {code} and without a report")
    oracle.check(database)


def _prepared(database: Database, folder: Path, table: str) -> Oracle:
    oracle = Oracle(folder, table=table)
    oracle.prepare(database)
    return oracle


def _opened(database: Database, specs: Sequence[BackendSpec]) -> Backend:
    registry = registry_with(*specs)
    spec = registry.backend_for(parse_address(database.url).scheme)
    return registry.make_backend(spec.name, ConnectionSettings(database.url, "tui_importer/check", 10.0))


def _run(oracle: Oracle, url: str, specs: Sequence[BackendSpec], **options: Any) -> Report:
    rejects = oracle.file.with_suffix(".rejects.xlsx")
    rejects.unlink(missing_ok=True)
    return Run(oracle.plan(url, **options), registry=registry_with(*specs), rejects_file=rejects).execute()


def _claimed(ledger: Ledger, oracle: Oracle, run_id: str) -> Claim:
    return ledger.begin(new_run(run_id, file=str(oracle.file), table="none")).claim


def _destination(backend: Backend, oracle: Oracle, claim: Claim) -> Destination:
    table = backend.catalog.reflect(oracle.table)
    if table is None:
        raise ContractError(f"table {oracle.table!r} is there, and reflect() does not find it")
    types = tuple(dataclasses.replace(column.type) for column in table.columns)
    kinds = [type_.kind for type_ in types]
    if kinds != [INTEGER.kind, INTEGER.kind, TEXT.kind]:
        raise ContractError(f"integer, integer and varchar are reflected as {kinds}")
    return Destination(table=table, columns=("n", "amount", "note"), types=types, claim=claim)


def _batch(amounts: Sequence[int]) -> Batch:
    return _batch_of([(number, number, f"note {number}") for number in amounts])


def _batch_of(records: Sequence[tuple[object, ...]]) -> Batch:
    columns = tuple(ListColumn(list(column)) for column in zip(*records, strict=True))
    rows = range(2, 2 + len(records))
    return Batch(number=1, sheet="", first_row=2, last_row=rows[-1], rows=rows, columns=columns, origin=columns)


def _count(database: Database, oracle: Oracle) -> int:
    [[count]] = database.fetch(f"SELECT count(*) FROM {oracle.table}")
    return int(count)


def _require(kept: bool, promise: str) -> None:
    if not kept:
        raise ContractError(f"not so: {promise}")
