"""The ledger's tables, and the statements that workers' transactions execute on them.

Statements are composed once, the same for every backend; a session executes them with its own driver.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Generic, TypeVar

import msgspec

from tui_importer.backends.sql.database import SqlConnection
from tui_importer.backends.sql.dialects import Part, Sql, SqlDialect
from tui_importer.core.model.table import Constraint, ConstraintKind, Table, TableColumn
from tui_importer.core.model.types import BOOLEAN, INTEGER, TEXT, TIMESTAMPTZ, ColumnType, Kind
from tui_importer.core.writing.ledger import Claim, Entry
from tui_importer.errors import SupersededError
from tui_importer.events import Reject

RUN_TABLE = "tui_importer_run"
BATCH_TABLE = "tui_importer_batch"
REJECT_TABLE = "tui_importer_reject"
MENDED_TABLE = "tui_importer_mended"

#: The columns of counts, in the order of :class:`tui_importer.core.writing.ledger.Counts`.
COUNTS = ("inserted", "updated", "skipped", "rejected")

#: The columns of the rejects table that are written, in the order of :meth:`LedgerStatements.reject_records`.
REJECT_COLUMNS = (
    "import_id",
    "round",
    "sheet_row",
    "run_id",
    "cell",
    "column_name",
    "value",
    "reason",
    "sqlstate",
    "body",
)

#: The columns of a closed reject that are written.
_CLOSING = ("import_id", "round", "sheet_row", "run_id")

UTF_8 = "utf-8"

S = TypeVar("S")

_KEY = ColumnType(Kind.TEXT, length=64)
_STATE = ColumnType(Kind.TEXT, length=16)
_SQLSTATE = ColumnType(Kind.TEXT, length=5)
_SMALL = ColumnType(Kind.INTEGER, bits=32)

#: ``claim`` is the import's id while the run may write, else NULL: at most one run of an import may.
_OF_RUN = {
    "run_id": _KEY,
    "ledger_version": _SMALL,
    "import_id": _KEY,
    "round": _SMALL,
    "claim": _KEY,
    "state": _STATE,
    "file": TEXT,
    "sha256": _KEY,
    "sheet": TEXT,
    "extent": TEXT,
    "request": _KEY,
    "mapping": _KEY,
    "columns": TEXT,
    "target_table": TEXT,
    "row_limit": INTEGER,
    "atomic": BOOLEAN,
    "created_table": BOOLEAN,
    "strategy": TEXT,
    "host": TEXT,
    "process": TEXT,
    "command": TEXT,
    "started_at": TIMESTAMPTZ,
    "finished_at": TIMESTAMPTZ,
    **dict.fromkeys(COUNTS, INTEGER),
    "blank_rows": INTEGER,
    "error": TEXT,
    "before_checksums": TEXT,
    "published": BOOLEAN,
}
_OF_BATCH = {
    "import_id": _KEY,
    "round": _SMALL,
    "first_row": INTEGER,
    "last_row": INTEGER,
    "run_id": _KEY,
    **dict.fromkeys(COUNTS, INTEGER),
    "committed_at": TIMESTAMPTZ,
}
#: ``body`` has all faults and cells as JSON in ASCII: it carries every text, including NUL.
_OF_REJECT = {
    "import_id": _KEY,
    "round": _SMALL,
    "sheet_row": INTEGER,
    "run_id": _KEY,
    "cell": TEXT,
    "column_name": TEXT,
    "value": TEXT,
    "reason": TEXT,
    "sqlstate": _SQLSTATE,
    "body": TEXT,
}
_OF_MENDED = {"import_id": _KEY, "round": _SMALL, "sheet_row": INTEGER, "run_id": _KEY, "mended_at": TIMESTAMPTZ}

#: The columns that may be NULL, those that are 0 by default, and those that are the current time.
_NULLABLE = frozenset(
    ("claim", "row_limit", "command", "finished_at", "error", "before_checksums", "column_name", "value", "sqlstate")
)
_COUNTED = frozenset((*COUNTS, "blank_rows"))
_TIMESTAMPS = ("started_at", "committed_at", "mended_at")


class LedgerTables(msgspec.Struct, frozen=True):
    """The tables. ``mended`` is not there before the first reject comes back mended."""

    run: Table
    batch: Table
    reject: Table
    mended: Table

    @classmethod
    @lru_cache
    def of(cls, schema: str | None) -> LedgerTables:
        """The tables in a schema, or in the database's default schema."""
        claim = Constraint(ConstraintKind.UNIQUE, ("claim",))
        return cls(
            run=_table(schema, RUN_TABLE, _OF_RUN, ("run_id",), claim),
            batch=_table(schema, BATCH_TABLE, _OF_BATCH, ("import_id", "round", "first_row")),
            reject=_table(schema, REJECT_TABLE, _OF_REJECT, ("import_id", "round", "sheet_row")),
            mended=_table(schema, MENDED_TABLE, _OF_MENDED, ("import_id", "round", "sheet_row")),
        )


def _table(
    schema: str | None, name: str, types: Mapping[str, ColumnType], key: tuple[str, ...], *declared: Constraint
) -> Table:
    return Table(
        name=name,
        schema=schema,
        columns=tuple(
            TableColumn(each, type_, nullable=each in _NULLABLE, default_sql="0" if each in _COUNTED else None)
            for each, type_ in types.items()
        ),
        declared=(Constraint(ConstraintKind.PRIMARY, key), *declared),
        timestamps=tuple(each for each in _TIMESTAMPS if each in types),
    )


class LedgerSql(msgspec.Struct, frozen=True):
    """Composes statements on the tables of one ledger."""

    dialect: SqlDialect
    tables: LedgerTables

    def compose(self, template: str, **parts: Part) -> Sql:
        """A statement on the tables ``{run}``, ``{batch}``, ``{reject}`` and ``{mended}``. ``{of_generation}`` is a
        condition: of which import, and which start of it from scratch."""
        template = template.replace("{of_generation}", "import_id = :import_id AND round = :round")
        tables = self.tables
        named = {"run": tables.run, "batch": tables.batch, "reject": tables.reject, "mended": tables.mended}
        return self.dialect.compose(template, **named, **parts)


class WorkerStatements(msgspec.Struct, Generic[S], frozen=True):
    """The statements that a worker's transactions execute on the ledger, with named parameters."""

    add: S
    lengthen: S
    recorded: S
    reject: S
    close: S


#: True while the run has its claim. Read it under a shared lock: a run that ends the claim then waits.
_FENCE = "SELECT {values} FROM {run} WHERE run_id = :run_id AND claim IS NOT NULL{for_share}"
_LENGTHEN = (
    "UPDATE {batch} SET last_row = :last_row, {counts} WHERE {of_generation} "
    "AND run_id = :run_id AND first_row = :first_row AND last_row = :extends AND EXISTS ({fence})"
)
_RECORDED = (
    "SELECT count(*) FROM {batch} WHERE {of_generation} AND run_id = :run_id "
    "AND first_row = :first_row AND last_row >= :last_row"
)


def worker_statements(schema: str | None, dialect: SqlDialect, written: Callable[[str], S]) -> WorkerStatements[S]:
    """Compose the statements for the ledger in a schema; ``written`` converts each into the form that a session
    executes."""
    ledger = LedgerSql(dialect, LedgerTables.of(schema))
    given = ("import_id", "round", "first_row", "last_row", *COUNTS)
    values = Sql(f"run_id, {_parameters(dialect, given)}")  # as a parameter, the run's id would have two types
    added = ledger.compose(
        "INSERT INTO {batch} ({names}) {fence}",
        names=("run_id", *given),
        fence=ledger.compose(_FENCE, values=values),
    )
    lengthened = ledger.compose(
        _LENGTHEN,
        counts=Sql(", ".join(f"{name} = {name} + {dialect.parameter(name)}" for name in COUNTS)),
        fence=ledger.compose(_FENCE, values=Sql("1")),
    )
    return WorkerStatements(
        add=written(dialect.insert_ignore(added)),
        lengthen=written(lengthened),
        recorded=written(ledger.compose(_RECORDED)),
        reject=written(insertion(dialect, ledger.tables.reject, REJECT_COLUMNS)),
        close=written(insertion(dialect, ledger.tables.mended, _CLOSING)),
    )


def insertion(dialect: SqlDialect, table: Table, names: Sequence[str]) -> str:
    """The INSERT of these columns, whose parameters have the names of the columns."""
    values = _parameters(dialect, names)
    return dialect.compose("INSERT INTO {table} ({names}) VALUES ({values})", table=table, names=names, values=values)


def _parameters(dialect: SqlDialect, names: Sequence[str]) -> Sql:
    return Sql(", ".join(map(dialect.parameter, names)))


class LedgerStatements(Generic[S]):
    """A worker's statements with their parameters, for one claim; ``codec`` as for :func:`storable`."""

    def __init__(self, claim: Claim, statements: WorkerStatements[S], codec: str = UTF_8) -> None:
        self._claim = claim
        self._statements = statements
        self._codec = codec

    @property
    def recorded(self) -> S:
        """The query whether the entry of :meth:`key` exists; it returns one number."""
        return self._statements.recorded

    @property
    def reject(self) -> S:
        """The statement to execute with each of :meth:`rejects`."""
        return self._statements.reject

    def record(self, entry: Entry) -> tuple[S, dict[str, Any]]:
        """The statement that records an entry, and its parameters: it affects one row, or none if the entry must not be
        made."""
        values = self.key(entry)
        values |= {
            "inserted": entry.inserted,
            "updated": entry.updated,
            "skipped": entry.skipped,
            "rejected": len(entry.rejects),
        }
        if entry.previous_last_row is None:
            return self._statements.add, values
        return self._statements.lengthen, values | {"extends": entry.previous_last_row}

    def key(self, entry: Entry) -> dict[str, Any]:
        """The parameters of :attr:`recorded`."""
        claim = self._claim
        return {
            "import_id": claim.import_id,
            "round": claim.generation,
            "run_id": claim.run_id,
            "first_row": entry.first_row,
            "last_row": entry.last_row,
        }

    def rejects(self, entry: Entry) -> list[dict[str, Any]]:
        """The parameters of :attr:`reject`, one dictionary per reject."""
        return [_reject_row(self._claim, reject, self._codec) for reject in entry.rejects]

    @property
    def close(self) -> S:
        """The statement to execute with each of :meth:`closings`. It fails for a reject that is closed already."""
        return self._statements.close

    def closings(self, entry: Entry) -> list[dict[str, Any]]:
        """The parameters of :attr:`close`, one dictionary per reject that the entry closes."""
        claim = self._claim
        if claim.mends is None:
            return []
        values = (*claim.mends, claim.run_id)
        return [
            {"import_id": values[0], "round": values[1], "sheet_row": row, "run_id": values[2]} for row in entry.closes
        ]

    def reject_records(self, entry: Entry) -> list[list[Any]]:
        """The rejects as rows of :data:`REJECT_COLUMNS`."""
        return [[values[name] for name in REJECT_COLUMNS] for values in self.rejects(entry)]


def hold_claim(connection: SqlConnection, ledger: LedgerSql, claim: Claim) -> None:
    """Keep the claim until the open transaction ends. Raises :class:`SupersededError` if it has ended."""
    held = ledger.compose("SELECT run_id FROM {run} WHERE run_id = :run_id AND claim IS NOT NULL{for_update}")
    if connection.row(held, {"run_id": claim.run_id}) is None:
        raise SupersededError("another run has taken this import over: this one may write no more")


def new_entry(claim: Claim, first_row: int, last_row: int, *, skipped: int = 0) -> dict[str, Any]:
    """The row of an entry in the table of batches, of rows that were not written."""
    return {
        "import_id": claim.import_id,
        "round": claim.generation,
        "run_id": claim.run_id,
        "first_row": first_row,
        "last_row": last_row,
        **dict.fromkeys(COUNTS, 0),
        "skipped": skipped,
    }


def _reject_row(claim: Claim, reject: Reject, codec: str) -> dict[str, Any]:
    first = reject.faults[0]
    return {
        "import_id": claim.import_id,
        "round": claim.generation,
        "sheet_row": reject.row,
        "run_id": claim.run_id,
        "cell": storable(first.cell, codec),
        "column_name": None if first.column is None else storable(first.column, codec),
        "value": None if first.value is None else storable(first.value, codec),
        "reason": storable(first.reason, codec),
        "sqlstate": first.sqlstate,
        "body": ascii_json(reject),
    }


def ascii_json(value: Any) -> str:
    """The value as JSON in ASCII, which carries every text, including NUL."""
    return json.dumps(msgspec.to_builtins(value))


def storable(text: str, codec: str = UTF_8) -> str:
    """Remove from a text what no database stores (NUL and lone surrogates) and, for a database that does not use UTF-8,
    escape what the codec cannot encode."""
    without = text.replace("\0", "\ufffd").encode(UTF_8, "replace").decode(UTF_8)
    return without.encode(codec, "backslashreplace").decode(codec)
