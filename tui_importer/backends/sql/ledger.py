"""The ledger through SQLAlchemy, shared by every backend: the operations needed once or twice a run."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import msgspec
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from tui_importer.backends.sql import mended, processes, tables
from tui_importer.backends.sql.dialects import SqlDialect
from tui_importer.backends.sql.ledger_tables import COUNTS, RUN_TABLE, UTF_8, LedgerTables, storable
from tui_importer.backends.sql.run_rows import new_row, past_run, utc
from tui_importer.backends.sql.scripts import execute_once
from tui_importer.core.model.completed_rows import Interval
from tui_importer.core.model.scripts import NO_SCRIPTS, ScriptMoment, Scripts
from tui_importer.core.model.table import Table
from tui_importer.core.writing.ledger import (
    LEDGER_VERSION,
    Claim,
    Counts,
    Entry,
    Generation,
    NewRun,
    PastRun,
    ResumePoint,
    RunState,
    TargetAction,
)
from tui_importer.errors import BusyError, DatabaseError, SupersededError, TransientFault, UsageError
from tui_importer.events import Reject

#: Rejects read back at a time.
_PAGE = 500

#: Seconds after its last sign of life at which a run on another machine counts as dead: its process cannot be checked.
STALE_SECONDS = 600


class ImportLocks(Protocol):
    """How a database distinguishes a live run from a dead one. Methods use an open transaction of the connection."""

    def take(self, connection: sa.Connection, import_id: str) -> bool:
        """Take an import's lock, which is held until the transaction ends; False if another run holds it."""

    def end_run(self, connection: sa.Connection, run_id: str) -> None:
        """End the server sessions of a run whose process is known to be dead: after a network failure the server may
        not have noticed."""

    def end_unclaimed(self, connection: sa.Connection, import_id: str) -> None:
        """End the server sessions of a run that has held the import's lock for long without claiming the import."""


class SqlLedger:
    """Implements :class:`tui_importer.core.writing.ledger.Ledger` on an SQLAlchemy engine.

    ``locks`` are those of a database that detects by itself when a process is gone. Without them, the operating system
    is asked about processes of this machine, and a run on another machine counts as dead :data:`STALE_SECONDS` after
    its last commit.
    """

    def __init__(
        self,
        engine: sa.Engine,
        dialect: SqlDialect,
        schema: str | None = None,
        locks: ImportLocks | None = None,
        begin: str | None = None,
        codec: str = UTF_8,
        check_rights: Callable[[], object] | None = None,
    ) -> None:
        """``begin`` is the statement that opens a write transaction, for databases whose default is another kind;
        ``codec`` says which text the database can store (:func:`~tui_importer.backends.sql.ledger_tables.storable`);
        ``check_rights`` raises :class:`~tui_importer.errors.DatabaseError` with the GRANT statements for the
        permissions that a run lacks to keep its ledger, whether or not its tables exist."""
        self._engine = engine
        self._schema = schema
        self._locks = locks
        self._begin = begin
        self._codec = codec
        self._check_rights = check_rights
        self._dialect = dialect
        self._tables = LedgerTables.of(schema, dialect)
        self._holder: sa.Connection | None = None
        self._run_id: str | None = None

    def history(self, table: str) -> Sequence[PastRun]:
        try:
            return self._past_runs(self._tables.run.c.target_table == table, None)
        except TransientFault:
            raise
        except DatabaseError:
            if self._check_rights is not None:
                self._check_rights()
            raise

    def runs(self, limit: int) -> Sequence[PastRun]:
        return self._past_runs(sa.true(), limit)

    def is_alive(self, run: PastRun) -> bool | None:
        return processes.is_alive(run.process, run.run_id) if processes.ran_here(run.host, run.process) else None

    def begin(self, run: NewRun) -> ResumePoint:
        if self._check_rights is not None:
            # Check now, not when the first batch is committed or the run finished.
            self._check_rights()
        self._make_tables()
        if run.mends is not None:
            with self._transaction("make the ledger's tables") as connection:
                self._tables.mended.create(connection, checkfirst=True)
        if self._locks is not None:
            self._hold_lock(run, self._locks)
        run_table, claimed = self._tables.run, False
        try:
            with self._transaction("claim the import in the ledger") as connection:
                before = connection.execute(
                    sa.select(run_table).where(run_table.c.claim == run.import_id).with_for_update()
                ).one_or_none()
                if before is not None and before.run_id == run.run_id:
                    before = None  # already claimed: only the answer to COMMIT was lost
                    claimed = True
                elif before is not None:
                    if self._locks is None and self._is_alive(connection, before._mapping):
                        raise _busy(run, before.run_id)
                    counted = self._sum_counts(connection, before.import_id, before.round)
                    connection.execute(
                        sa.update(run_table)
                        .where(run_table.c.run_id == before.run_id)
                        .values(
                            claim=None,
                            state=RunState.SUPERSEDED.value,
                            finished_at=sa.func.now(),
                            # The dead run could not record how far it came.
                            **dict(zip(COUNTS, counted, strict=True)),
                        )
                    )
                if not claimed:
                    connection.execute(sa.insert(run_table).values(new_row(run, self._codec)))
        except DatabaseError as error:
            if isinstance(error.__cause__, IntegrityError):
                raise _busy(run, None) from error
            raise
        processes.run_began(run.run_id)
        self._run_id = run.run_id
        claim = Claim(run.import_id, run.generation, run.run_id, self._schema, run.mends)
        return self._resume_point(claim, None if before is None else before.run_id)

    def counts(self, import_id: str, generation: int) -> Counts:
        with self._reading("read the ledger") as connection:
            return Counts(*self._sum_counts(connection, import_id, generation))

    def entry(self, claim: Claim, first_row: int) -> Entry | None:
        batch, reject = self._tables.batch, self._tables.reject
        with self._reading("read the ledger") as connection:
            query = sa.select(batch).where(_of_generation(batch, claim), batch.c.first_row == first_row)
            found = connection.execute(query).one_or_none()
            if found is None:
                return None
            rows = reject.c.sheet_row.between(found.first_row, found.last_row)
            bodies = connection.execute(
                sa.select(reject.c.body).where(_of_generation(reject, claim), rows).order_by(reject.c.sheet_row)
            )
            return Entry(
                first_row=found.first_row,
                last_row=found.last_row,
                inserted=found.inserted,
                updated=found.updated,
                skipped=found.skipped,
                rejects=[_reject(body) for body in bodies.scalars()],
            )

    def rejects(self, claim: Claim) -> Iterator[Reject]:
        reject, last = self._tables.reject, 0
        while True:
            with self._reading("read the rejects in the ledger") as connection:
                chunk = connection.execute(
                    sa.select(reject.c.sheet_row, reject.c.body)
                    .where(_of_generation(reject, claim), reject.c.sheet_row > last)
                    .order_by(reject.c.sheet_row)
                    .limit(_PAGE)
                ).all()
            for _, body in chunk:
                yield _reject(body)
            if len(chunk) < _PAGE:
                return
            last = chunk[-1].sheet_row

    def rejected_rows(self, generation: Generation) -> Mapping[int, bool]:
        with self._reading("read the rejects in the ledger") as connection:
            return mended.rejected_rows(connection, self._tables, generation)

    def skip(self, claim: Claim, intervals: Sequence[Interval]) -> ResumePoint:
        with self._transaction("write the ledger") as connection:
            mended.record_skipped(connection, self._tables, self._dialect, claim, intervals)
        return self._resume_point(claim, None)

    def note_before(self, claim: Claim, before: str) -> None:
        run = self._tables.run
        with self._transaction("write the ledger") as connection:
            connection.execute(sa.update(run).where(run.c.run_id == claim.run_id).values(before_checksums=before))

    def finish(self, claim: Claim, state: RunState, counts: Counts, blank_rows: int, error: str | None) -> None:
        run = self._tables.run
        with self._transaction("write the ledger") as connection:
            # First: it waits for our transactions that are still in flight, and blocks new ones.
            ended = connection.execute(
                sa.update(run)
                .where(run.c.run_id == claim.run_id, run.c.claim.is_not(None))
                .values(
                    claim=None,
                    state=state.value,
                    finished_at=sa.func.now(),
                    inserted=counts.inserted,
                    updated=counts.updated,
                    skipped=counts.skipped,
                    rejected=counts.rejected,
                    blank_rows=blank_rows,
                    error=None if error is None else storable(error, self._codec),
                )
            )
            if ended.rowcount == 1:
                self._merge(connection, claim)

    def generation_of(self, run_id: str) -> Sequence[PastRun]:
        run = self._tables.run
        asked = sa.select(run.c.import_id, run.c.round).where(run.c.run_id == run_id).subquery()
        generation = sa.and_(run.c.import_id == asked.c.import_id, run.c.round == asked.c.round)
        return self._past_runs(generation, None)

    def undo(self, runs: Sequence[PastRun], table: Table, column: str, *, commit: bool) -> int:
        run, ids = self._tables.run, [each.run_id for each in runs]
        written_by = sa.column(column, sa.String)
        target = sa.table(table.name, written_by, schema=table.schema)
        with self._transaction(f"take rows out of table {table.qualified_name!r}") as connection:
            # From now on, none of the runs can commit rows.
            ours = run.c.run_id.in_(ids)
            for past in connection.execute(sa.select(run).where(ours).with_for_update()).mappings().all():
                if past["claim"] is not None and self._is_alive(connection, past):
                    raise BusyError(f"run {past['run_id']} is not over: wait for it, or stop it")
            if not commit:
                query = sa.select(sa.func.count()).select_from(target).where(written_by.in_(ids))
                return int(connection.execute(query).scalar_one())
            connection.execute(sa.update(run).where(ours).values(claim=None, state=RunState.EMPTIED.value))
            mended.reopen(connection, self._tables, ids)
            return connection.execute(sa.delete(target).where(written_by.in_(ids))).rowcount

    def forget(self, table: str) -> None:
        run = self._tables.run
        with self._transaction("write the ledger") as connection:
            if not self._tables_exist(connection):
                return
            imports = sa.select(run.c.import_id).where(run.c.target_table == table)
            closed = [self._tables.mended] if mended.exists(connection, self._tables) else []
            for written in (self._tables.batch, self._tables.reject, *closed):
                connection.execute(sa.delete(written).where(written.c.import_id.in_(imports)))
            connection.execute(sa.delete(run).where(run.c.target_table == table))
            if connection.execute(sa.select(run.c.run_id).limit(1)).first() is None:
                run.metadata.drop_all(connection)
                for written in closed:
                    written.drop(connection)

    def run_script(self, claim: Claim, moment: ScriptMoment, script: str) -> bool:
        with self._transaction(f"execute the script of {moment.option}") as connection:
            return execute_once(connection, self._tables, self._dialect, claim, moment, script)

    def publish(
        self,
        claim: Claim,
        stage: Table,
        table: Table,
        columns: Sequence[str],
        change: TargetAction,
        scripts: Scripts = NO_SCRIPTS,
    ) -> None:
        run = self._tables.run
        names: list[sa.ColumnClause[Any]] = [sa.column(name) for name in columns]
        staged: list[sa.ColumnClause[Any]] = [sa.column(name) for name in columns]
        source = sa.table(stage.name, *staged, schema=stage.schema)
        target = sa.table(table.name, *names, schema=table.schema)
        with self._transaction(f"put the staged rows into table {table.qualified_name!r}") as connection:
            ours = sa.and_(run.c.run_id == claim.run_id, run.c.claim.is_not(None))
            first = sa.update(run).where(ours, sa.not_(run.c.published)).values(published=True)
            if connection.execute(first).rowcount != 1:
                if connection.execute(sa.select(run.c.run_id).where(ours)).first() is not None:
                    return  # already done: only the answer to its COMMIT was lost
                raise SupersededError("another run has taken this import over: this one may write no more")
            self._run_scripts(connection, claim, scripts, ScriptMoment.BEFORE)
            if change is TargetAction.REPLACE:
                tables.drop(connection, table)
            elif change is TargetAction.EMPTY:
                self._dialect.empty(connection, target)
            if change in (TargetAction.REPLACE, TargetAction.EMPTY):
                # Afterwards, since from now on no other run can commit rows that would be lost.
                self._end_other_imports(connection, claim)
            if change in (TargetAction.REPLACE, TargetAction.CREATE):
                for statement in tables.creation(connection.dialect, self._dialect, table):
                    connection.execute(statement)
            defaults = [name for name in columns if table.takes_default(name)]
            self._count_suppressed(connection, claim, tables.move_rows(connection, source, target, columns, defaults))
            tables.drop(connection, stage)
            self._run_scripts(connection, claim, scripts, ScriptMoment.AFTER)

    def _run_scripts(self, connection: sa.Connection, claim: Claim, scripts: Scripts, moment: ScriptMoment) -> None:
        if (script := scripts.at(moment)) is not None:
            with tables.one_line_errors(f"execute the script of {moment.option}"):
                execute_once(connection, self._tables, self._dialect, claim, moment, script)

    def _end_other_imports(self, connection: sa.Connection, claim: Claim) -> None:
        """Record that the rows of all other imports into the claim's table are gone."""
        run = self._tables.run
        ours = connection.execute(sa.select(run.c.target_table).where(run.c.run_id == claim.run_id)).scalar_one()
        others = sa.and_(run.c.target_table == ours, run.c.import_id != claim.import_id)
        for past in connection.execute(sa.select(run).where(others, run.c.claim.is_not(None))).mappings().all():
            if self._is_alive(connection, past):
                raise BusyError(
                    f"run {past['run_id']} is importing into table {ours!r} right now: wait for it, or stop it"
                )
        connection.execute(sa.update(run).where(others).values(claim=None, state=RunState.EMPTIED.value))

    def close(self) -> None:
        if self._run_id is not None:
            processes.run_ended(self._run_id)
        if self._holder is not None:
            # Not back into the pool: the connection owns the lock.
            self._holder.invalidate()
            self._holder.close()
            self._holder = None

    def _hold_lock(self, run: NewRun, locks: ImportLocks) -> None:
        """Hold the import's lock, in a transaction on a connection of its own, as long as the run lives."""
        with self._transaction("read the ledger") as connection:
            past = self._claimant(connection, run.import_id)
            if (
                past is not None
                and past["run_id"] != run.run_id  # its own claim, if only the answer to COMMIT was lost
                and processes.ran_here(past["host"], past["process"])
                and not self._is_alive(connection, past)
            ):
                locks.end_run(connection, past["run_id"])
        with tables.one_line_errors("lock the import"):
            if self._holder is None or self._holder.closed or self._holder.invalidated:
                self._holder = self._engine.connect()
            if locks.take(self._holder, run.import_id):
                return
        self.close()
        with self._transaction("read the ledger") as connection:
            past = self._claimant(connection, run.import_id)
            if past is None:
                locks.end_unclaimed(connection, run.import_id)
        raise _busy(run, None if past is None else past["run_id"])

    def _sum_counts(self, connection: sa.Connection, import_id: str, generation: int) -> list[int]:
        """The sums over the entries of a generation, in the order of :data:`COUNTS`."""
        batch = self._tables.batch
        sums = [sa.func.coalesce(sa.func.sum(batch.c[name]), 0) for name in COUNTS]
        query = sa.select(*sums).where(batch.c.import_id == import_id, batch.c.round == generation)
        return list(map(int, connection.execute(query).one()))

    def _claimant(self, connection: sa.Connection, import_id: str) -> sa.RowMapping | None:
        run = self._tables.run
        return connection.execute(sa.select(run).where(run.c.claim == import_id)).mappings().one_or_none()

    def _is_alive(self, connection: sa.Connection, run: sa.RowMapping) -> bool:
        """Whether the run's process is alive: the operating system is asked if it ran on this machine."""
        if not processes.ran_here(run["host"], run["process"]):
            batch = self._tables.batch
            last = connection.execute(
                sa.select(sa.func.max(batch.c.committed_at)).where(batch.c.run_id == run["run_id"])
            ).scalar_one_or_none()
            now = connection.execute(sa.select(sa.func.now())).scalar_one()
            return bool((utc(now) - utc(last or run["started_at"])).total_seconds() < STALE_SECONDS)
        return processes.is_alive(str(run["process"]), str(run["run_id"]))

    def _resume_point(self, claim: Claim, taken_over: str | None) -> ResumePoint:
        batch, reject = self._tables.batch, self._tables.reject
        counted = [batch.c[name] for name in COUNTS]
        with self._reading("read the ledger") as connection:
            # Rows below 1 are no rows: they are scripts.
            of_rows = sa.and_(_of_generation(batch, claim), batch.c.first_row > 0)
            query = sa.select(batch.c.first_row, batch.c.last_row, *counted).where(of_rows)
            entries = connection.execute(query).all()
            rejected: Sequence[int] = ()
            if entries:
                rows = sa.select(reject.c.sheet_row).where(_of_generation(reject, claim))
                rejected = connection.execute(rows).scalars().all()
        return ResumePoint(
            claim=claim,
            intervals=[Interval(entry.first_row, entry.last_row) for entry in entries],
            rejected_rows=rejected,
            counts=Counts(*(sum(entry[place] for entry in entries) for place in range(2, 2 + len(COUNTS)))),
            taken_over=taken_over,
        )

    def _merge(self, connection: sa.Connection, claim: Claim) -> None:
        """Merge adjacent entries of the generation."""
        batch = self._tables.batch
        entries = connection.execute(
            sa.select(batch).where(_of_generation(batch, claim)).order_by(batch.c.first_row)
        ).all()
        whole: list[dict[str, Any]] = []
        for entry in entries:
            values = dict(entry._mapping)
            if whole and values["first_row"] <= whole[-1]["last_row"] + 1:
                whole[-1]["last_row"] = max(whole[-1]["last_row"], values["last_row"])
                whole[-1]["run_id"] = claim.run_id
                for name in COUNTS:
                    whole[-1][name] += values[name]
            else:
                whole.append(values)
        if len(whole) < len(entries):
            connection.execute(sa.delete(batch).where(_of_generation(batch, claim)))
            connection.execute(sa.insert(batch), whole)

    def _count_suppressed(self, connection: sa.Connection, claim: Claim, moved: int) -> None:
        """Record in the entries of the generation that ``moved`` of their rows were inserted and the others skipped."""
        batch = self._tables.batch
        query = sa.select(batch.c.first_row, batch.c.inserted).where(_of_generation(batch, claim))
        entries = connection.execute(query).all()
        # PEP 249: -1 if the driver cannot tell. No error was raised, so the rows were inserted.
        missing = max(0, sum(entry.inserted for entry in entries) - moved) if moved >= 0 else 0
        for first_row, inserted in entries:
            if not missing:
                return
            skipped = min(missing, inserted)
            missing -= skipped
            connection.execute(
                sa.update(batch)
                .where(_of_generation(batch, claim), batch.c.first_row == first_row)
                .values(inserted=batch.c.inserted - skipped, skipped=batch.c.skipped + skipped)
            )

    def _past_runs(self, condition: sa.ColumnElement[bool], limit: int | None) -> Sequence[PastRun]:
        run = self._tables.run
        with self._reading("read the ledger") as connection:
            if not self._tables_exist(connection):
                return ()
            newest = connection.execute(sa.select(sa.func.max(run.c.ledger_version))).scalar_one_or_none() or 0
            if newest > LEDGER_VERSION:
                raise UsageError(
                    f"the ledger in this database is of version {newest}, this program knows {LEDGER_VERSION}: "
                    "use a newer tui-importer, or another ledger (--ledger-schema)"
                )
            query = sa.select(run).where(condition).order_by(run.c.started_at.desc(), run.c.run_id.desc()).limit(limit)
            return [past_run(row._mapping) for row in connection.execute(query)]

    def _tables_exist(self, connection: sa.Connection) -> bool:
        return self._dialect.has_table(connection, RUN_TABLE, self._schema)

    def _make_tables(self) -> None:
        """Create the ledger's missing tables; two runs may do so at once."""
        with self._reading("read the ledger") as connection:
            if self._tables_exist(connection):
                return
        try:
            with self._transaction("make the ledger's tables") as connection:
                if self._schema is not None and self._schema not in sa.inspect(connection).get_schema_names():
                    connection.execute(sa.schema.CreateSchema(self._schema, if_not_exists=True))
                self._tables.run.metadata.create_all(connection)
        except DatabaseError:
            with self._reading("read the ledger") as connection:
                if self._tables_exist(connection):
                    return
            raise

    @contextmanager
    def _reading(self, doing: str) -> Iterator[sa.Connection]:
        with tables.one_line_errors(doing), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def _transaction(self, doing: str) -> Iterator[sa.Connection]:
        with tables.one_line_errors(doing), self._engine.connect() as connection, connection.begin():
            if self._begin is not None:
                connection.exec_driver_sql(self._begin)
            yield connection


def _reject(body: str) -> Reject:
    return msgspec.convert(json.loads(body), Reject)


def _of_generation(table: sa.Table, claim: Claim) -> sa.ColumnElement[bool]:
    return sa.and_(table.c.import_id == claim.import_id, table.c.round == claim.generation)


def _busy(run: NewRun, other: str | None) -> BusyError:
    return BusyError(
        f"run {other or 'of another process'} is importing the same rows into {run.table!r} right now: "
        "wait for it, or stop it"
    )
