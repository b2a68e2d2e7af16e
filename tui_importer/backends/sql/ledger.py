"""The ledger in an SQL database, shared by every backend: the operations needed once or twice a run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from tui_importer.backends.sql import entries, mended, processes
from tui_importer.backends.sql.database import SqlConnection, SqlDatabase, is_of_constraint
from tui_importer.backends.sql.dialects import Part, Sql
from tui_importer.backends.sql.ledger_tables import (
    COUNTS,
    UTF_8,
    LedgerSql,
    LedgerTables,
    hold_claim,
    insertion,
    storable,
)
from tui_importer.backends.sql.run_rows import is_live, new_row, past_run, select_runs
from tui_importer.backends.sql.scripts import execute_once
from tui_importer.backends.sql.staged_rows import move_rows
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
from tui_importer.errors import BusyError, DatabaseError, TransientFault, UsageError
from tui_importer.events import Reject

#: Rejects read back at a time.
_PAGE = 500


class ImportLocks(Protocol):
    """How a database distinguishes a live run from a dead one. Methods use an open transaction of the connection."""

    def take(self, connection: SqlConnection, import_id: str) -> bool:
        """Take an import's lock, which is held until the transaction ends; False if another run holds it."""

    def end_run(self, connection: SqlConnection, run_id: str) -> None:
        """End the server sessions of a run whose process is known to be dead: after a network failure the server may
        not have noticed."""

    def end_unclaimed(self, connection: SqlConnection, import_id: str) -> None:
        """End the server sessions of a run that has held the import's lock for long without claiming the import."""


class SqlLedger:
    """Implements :class:`tui_importer.core.writing.ledger.Ledger` in an SQL database.

    ``locks`` are those of a database that detects by itself when a process is gone. Without them, the operating system
    is asked about processes of this machine, and a run on another machine counts as dead some time after its last
    commit (:data:`~tui_importer.backends.sql.run_rows.STALE_SECONDS`).
    """

    def __init__(
        self,
        database: SqlDatabase,
        schema: str | None = None,
        locks: ImportLocks | None = None,
        codec: str = UTF_8,
        check_rights: Callable[[], object] | None = None,
    ) -> None:
        """``codec`` says which text the database can store
        (:func:`~tui_importer.backends.sql.ledger_tables.storable`); ``check_rights`` raises
        :class:`~tui_importer.errors.DatabaseError` with the GRANT statements for the permissions that a run lacks to
        keep its ledger, whether or not its tables exist."""
        self._database = database
        self._dialect = database.dialect
        self._schema = schema
        self._locks = locks
        self._codec = codec
        self._check_rights = check_rights
        self._sql = LedgerSql(database.dialect, LedgerTables.of(schema))
        self._holder: SqlConnection | None = None
        self._run_id: str | None = None

    def history(self, table: str) -> Sequence[PastRun]:
        try:
            return self._past_runs("target_table = :table", {"table": table}, None)
        except TransientFault:
            raise
        except DatabaseError:
            if self._check_rights is not None:
                self._check_rights()
            raise

    def runs(self, limit: int) -> Sequence[PastRun]:
        return self._past_runs("1 = 1", {}, limit)

    def is_alive(self, run: PastRun) -> bool | None:
        return processes.is_alive(run.process, run.run_id) if processes.ran_here(run.host, run.process) else None

    def begin(self, run: NewRun) -> ResumePoint:
        if self._check_rights is not None:
            # Check now, not when the first batch is committed or the run finished.
            self._check_rights()
        self._make_tables()
        if run.mends is not None:
            with self._database.transaction("make the ledger's tables") as connection:
                self._create_missing(connection, self._sql.tables.mended)
        if self._locks is not None:
            self._hold_lock(run, self._locks)
        try:
            before = self._claim(run)
        except DatabaseError as error:
            if is_of_constraint(error.__cause__):
                raise _busy(run, None) from error
            raise
        processes.run_began(run.run_id)
        self._run_id = run.run_id
        claim = Claim(run.import_id, run.generation, run.run_id, self._schema, run.mends)
        return self._resume_point(claim, before)

    def counts(self, import_id: str, generation: int) -> Counts:
        with self._database.reading("read the ledger") as connection:
            return entries.counts(connection, self._sql, Generation(import_id, generation))

    def entry(self, claim: Claim, first_row: int) -> Entry | None:
        with self._database.reading("read the ledger") as connection:
            return entries.find(connection, self._sql, claim, first_row)

    def rejects(self, claim: Claim) -> Iterator[Reject]:
        query, last = entries.rejects_after(self._sql, _PAGE), 0
        while True:
            with self._database.reading("read the rejects in the ledger") as connection:
                chunk = connection.rows(query, {**entries.key_of(claim), "last": last})
            for _, body in chunk:
                yield entries.reject(body)
            if len(chunk) < _PAGE:
                return
            last = chunk[-1][0]

    def rejected_rows(self, generation: Generation) -> Mapping[int, bool]:
        with self._database.reading("read the rejects in the ledger") as connection:
            return mended.rejected_rows(connection, self._sql, generation)

    def skip(self, claim: Claim, intervals: Sequence[Interval]) -> ResumePoint:
        with self._writing() as connection:
            mended.record_skipped(connection, self._sql, claim, intervals)
        return self._resume_point(claim, None)

    def note_before(self, claim: Claim, before: str) -> None:
        noted = self._sql.compose("UPDATE {run} SET before_checksums = :before WHERE run_id = :run_id")
        with self._writing() as connection:
            connection.execute(noted, {"before": before, "run_id": claim.run_id})

    def finish(self, claim: Claim, state: RunState, counts: Counts, blank_rows: int, error: str | None) -> None:
        ended = self._sql.compose(
            "UPDATE {run} SET claim = NULL, state = :state, finished_at = CURRENT_TIMESTAMP, {counts}, "
            "blank_rows = :blank_rows, error = :error WHERE run_id = :run_id AND claim IS NOT NULL",
            counts=self._set(COUNTS),
        )
        values = {
            **_values(counts),
            "state": state.value,
            "blank_rows": blank_rows,
            "error": None if error is None else storable(error, self._codec),
            "run_id": claim.run_id,
        }
        with self._writing() as connection:
            # First: it waits for our transactions that are still in flight, and blocks new ones.
            if connection.execute(ended, values) == 1:
                entries.merge(connection, self._sql, claim)

    def generation_of(self, run_id: str) -> Sequence[PastRun]:
        of_run = "(SELECT {} FROM {{run}} WHERE run_id = :run_id)"
        condition = f"import_id = {of_run.format('import_id')} AND round = {of_run.format('round')}"
        return self._past_runs(condition, {"run_id": run_id}, None)

    def undo(self, runs: Sequence[PastRun], table: Table, column: str, *, commit: bool) -> int:
        ids, values = self._dialect.listed("run", [run.run_id for run in runs])
        parts: dict[str, Part] = {"table": table, "written_by": column, "ids": ids}
        with self._database.transaction(f"take rows out of table {table.qualified_name!r}") as connection:
            # From now on, none of the runs can commit rows.
            for past in select_runs(connection, self._sql, "run_id IN ({ids}){for_update}", values, ids=ids):
                if past["claim"] is not None and is_live(connection, self._sql, past):
                    raise BusyError(f"run {past['run_id']} is not over: wait for it, or stop it")
            if not commit:
                query = self._sql.compose("SELECT count(*) FROM {table} WHERE {written_by} IN ({ids})", **parts)
                return int(connection.value(query, values))
            emptied = self._sql.compose(
                "UPDATE {run} SET claim = NULL, state = :state WHERE run_id IN ({ids})", ids=ids
            )
            connection.execute(emptied, {**values, "state": RunState.EMPTIED.value})
            mended.reopen(connection, self._sql, [run.run_id for run in runs])
            return connection.execute(
                self._sql.compose("DELETE FROM {table} WHERE {written_by} IN ({ids})", **parts), values
            )

    def forget(self, table: str) -> None:
        tables, values = self._sql.tables, {"table": table}
        with self._writing() as connection:
            if not self._exists(connection, tables.run):
                return
            there = [each for each in (tables.batch, tables.reject, tables.mended) if self._exists(connection, each)]
            of_table = (
                "DELETE FROM {written} WHERE import_id IN (SELECT import_id FROM {run} WHERE target_table = :table)"
            )
            for written in there:
                connection.execute(self._sql.compose(of_table, written=written), values)
            connection.execute(self._sql.compose("DELETE FROM {run} WHERE target_table = :table"), values)
            if connection.value(self._sql.compose("SELECT count(*) FROM {run}")) == 0:
                for empty in (*there, tables.run):
                    connection.execute(self._dialect.dropping(empty))

    def run_script(self, claim: Claim, moment: ScriptMoment, script: str) -> bool:
        with self._database.transaction(f"execute the script of {moment.option}") as connection:
            return execute_once(connection, self._sql, claim, moment, script)

    def publish(
        self,
        claim: Claim,
        stage: Table,
        table: Table,
        columns: Sequence[str],
        change: TargetAction,
        scripts: Scripts = NO_SCRIPTS,
    ) -> None:
        ours = {"run_id": claim.run_id, "yes": True, "no": False}
        first = self._sql.compose(
            "UPDATE {run} SET published = :yes WHERE run_id = :run_id AND claim IS NOT NULL AND published = :no"
        )
        with self._database.transaction(f"put the staged rows into table {table.qualified_name!r}") as connection:
            if connection.execute(first, ours) != 1:
                hold_claim(connection, self._sql, claim)
                return  # already done: only the answer to its COMMIT was lost
            self._run_scripts(connection, claim, scripts, ScriptMoment.BEFORE)
            if change is TargetAction.REPLACE:
                connection.execute(self._dialect.dropping(table))
            elif change is TargetAction.EMPTY:
                connection.execute(self._dialect.emptying(table))
            if change in (TargetAction.REPLACE, TargetAction.EMPTY):
                # Afterwards, since from now on no other run can commit rows that would be lost.
                self._end_other_imports(connection, claim)
            if change in (TargetAction.REPLACE, TargetAction.CREATE):
                for statement in self._dialect.creation(table):
                    connection.execute(statement)
            defaults = [name for name in columns if table.takes_default(name)]
            moved = move_rows(connection, self._dialect, stage, table, columns, defaults)
            entries.count_suppressed(connection, self._sql, claim, moved)
            connection.execute(self._dialect.dropping(stage))
            self._run_scripts(connection, claim, scripts, ScriptMoment.AFTER)

    def close(self) -> None:
        if self._run_id is not None:
            processes.run_ended(self._run_id)
        self._release()

    def _claim(self, run: NewRun) -> str | None:
        """Claim the import; returns the id of the run that it is taken over from, if there is one."""
        superseded = self._sql.compose(
            "UPDATE {run} SET claim = NULL, state = :state, finished_at = CURRENT_TIMESTAMP, {counts} "
            "WHERE run_id = :run_id",
            counts=self._set(COUNTS),
        )
        with self._database.transaction("claim the import in the ledger") as connection:
            condition, claimed = "claim = :import_id{for_update}", {"import_id": run.import_id}
            before = next(iter(select_runs(connection, self._sql, condition, claimed)), None)
            if before is not None and before["run_id"] == run.run_id:
                return None  # already claimed: only the answer to COMMIT was lost
            if before is not None:
                if self._locks is None and is_live(connection, self._sql, before):
                    raise _busy(run, before["run_id"])
                # The dead run could not record how far it came.
                ended = Generation(before["import_id"], before["round"])
                counts = entries.counts(connection, self._sql, ended)
                values = {"state": RunState.SUPERSEDED.value, "run_id": before["run_id"]}
                connection.execute(superseded, {**values, **_values(counts)})
            row = new_row(run, self._codec)
            connection.execute(insertion(self._dialect, self._sql.tables.run, list(row)), row)
        return None if before is None else before["run_id"]

    def _run_scripts(self, connection: SqlConnection, claim: Claim, scripts: Scripts, moment: ScriptMoment) -> None:
        if (script := scripts.at(moment)) is not None:
            with self._database.errors(f"execute the script of {moment.option}"):
                execute_once(connection, self._sql, claim, moment, script)

    def _end_other_imports(self, connection: SqlConnection, claim: Claim) -> None:
        """Record that the rows of all other imports into the claim's table are gone."""
        ours = connection.value(
            self._sql.compose("SELECT target_table FROM {run} WHERE run_id = :run_id"), {"run_id": claim.run_id}
        )
        others = "target_table = :table AND import_id <> :import_id"
        values = {"table": ours, "import_id": claim.import_id}
        for past in select_runs(connection, self._sql, f"{others} AND claim IS NOT NULL", values):
            if is_live(connection, self._sql, past):
                raise BusyError(
                    f"run {past['run_id']} is importing into table {ours!r} right now: wait for it, or stop it"
                )
        emptied = self._sql.compose(f"UPDATE {{run}} SET claim = NULL, state = :state WHERE {others}")
        connection.execute(emptied, {**values, "state": RunState.EMPTIED.value})

    def _hold_lock(self, run: NewRun, locks: ImportLocks) -> None:
        """Hold the import's lock, in a transaction on a connection of its own, as long as the run lives."""
        with self._database.transaction("read the ledger") as connection:
            past = self._claimant(connection, run.import_id)
            if (
                past is not None
                and past["run_id"] != run.run_id  # its own claim, if only the answer to COMMIT was lost
                and processes.ran_here(past["host"], past["process"])
                and not is_live(connection, self._sql, past)
            ):
                locks.end_run(connection, past["run_id"])
        with self._database.errors("lock the import"):
            if self._holder is not None and self._holder.closed:
                self._release()
            if self._holder is None:
                self._holder = self._database.connect()
            if locks.take(self._holder, run.import_id):
                return
        self.close()
        with self._database.transaction("read the ledger") as connection:
            past = self._claimant(connection, run.import_id)
            if past is None:
                locks.end_unclaimed(connection, run.import_id)
        raise _busy(run, None if past is None else past["run_id"])

    def _release(self) -> None:
        if self._holder is not None:
            self._holder.close()
            self._holder = None

    def _claimant(self, connection: SqlConnection, import_id: str) -> Mapping[str, Any] | None:
        found = select_runs(connection, self._sql, "claim = :import_id", {"import_id": import_id})
        return found[0] if found else None

    def _resume_point(self, claim: Claim, taken_over: str | None) -> ResumePoint:
        with self._database.reading("read the ledger") as connection:
            return entries.resume_point(connection, self._sql, claim, taken_over)

    def _past_runs(self, condition: str, values: Mapping[str, Any], limit: int | None) -> Sequence[PastRun]:
        with self._database.reading("read the ledger") as connection:
            if not self._exists(connection, self._sql.tables.run):
                return ()
            newest = connection.value(self._sql.compose("SELECT MAX(ledger_version) FROM {run}")) or 0
            if newest > LEDGER_VERSION:
                raise UsageError(
                    f"the ledger in this database is of version {newest}, this program knows {LEDGER_VERSION}: "
                    "use a newer tui-importer, or another ledger (--ledger-schema)"
                )
            ordered = f"{condition} ORDER BY started_at DESC, run_id DESC"
            return [past_run(row) for row in select_runs(connection, self._sql, ordered, values, limit)]

    def _make_tables(self) -> None:
        """Create the ledger's missing tables; two runs may do so at once."""
        with self._database.reading("read the ledger") as connection:
            if self._exists(connection, self._sql.tables.run):
                return
        try:
            with self._database.transaction("make the ledger's tables") as connection:
                if self._schema is not None and not self._dialect.has_schema(connection, self._schema):
                    connection.execute(self._dialect.schema_creation(self._schema))
                for table in (self._sql.tables.run, self._sql.tables.batch, self._sql.tables.reject):
                    self._create_missing(connection, table)
        except DatabaseError:
            with self._database.reading("read the ledger") as connection:
                if self._exists(connection, self._sql.tables.run):
                    return
            raise

    def _create_missing(self, connection: SqlConnection, table: Table) -> None:
        if not self._exists(connection, table):
            for statement in self._dialect.creation(table):
                connection.execute(statement)

    def _exists(self, connection: SqlConnection, table: Table) -> bool:
        return self._dialect.has_table(connection, table.name, table.schema)

    def _writing(self) -> AbstractContextManager[SqlConnection]:
        return self._database.transaction("write the ledger")

    def _set(self, names: Sequence[str]) -> Sql:
        """Assigns each column the parameter of its name."""
        return Sql(", ".join(f"{name} = {self._dialect.parameter(name)}" for name in names))


def _values(counts: Counts) -> dict[str, int]:
    """The counts by the names of their columns."""
    return {name: getattr(counts, name) for name in COUNTS}


def _busy(run: NewRun, other: str | None) -> BusyError:
    return BusyError(
        f"run {other or 'of another process'} is importing the same rows into {run.table!r} right now: "
        "wait for it, or stop it"
    )
