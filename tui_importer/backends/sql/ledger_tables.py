"""The ledger's tables, and the statements that workers' transactions execute on them.

Statements are built once with SQLAlchemy, the same for every backend; a session executes them with its own driver.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Generic, TypeVar

import msgspec
import sqlalchemy as sa

from tui_importer.backends.sql.dialects import SqlDialect
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


class LedgerTables(msgspec.Struct, frozen=True):
    """The tables as SQLAlchemy objects. ``mended`` is not there before the first reject comes back mended."""

    run: sa.Table
    batch: sa.Table
    reject: sa.Table
    mended: sa.Table

    @classmethod
    @lru_cache
    def of(cls, schema: str | None, dialect: SqlDialect) -> LedgerTables:
        """The tables in a schema, or in the database's default schema."""
        meta = sa.MetaData(schema=schema)
        key = sa.String(64)
        moment = sa.DateTime(timezone=True)
        run = sa.Table(
            RUN_TABLE,
            meta,
            sa.Column("run_id", key, primary_key=True),
            sa.Column("ledger_version", sa.Integer, nullable=False),
            sa.Column("import_id", key, nullable=False),
            sa.Column("round", sa.Integer, nullable=False),
            # The import's id while the run may write, else NULL: at most one run of an import may.
            sa.Column("claim", key, unique=True),
            sa.Column("state", sa.String(16), nullable=False),
            sa.Column("file", sa.Text, nullable=False),
            sa.Column("sha256", key, nullable=False),
            sa.Column("sheet", sa.Text, nullable=False),
            sa.Column("extent", sa.Text, nullable=False),
            sa.Column("request", key, nullable=False),
            sa.Column("mapping", key, nullable=False),
            sa.Column("columns", sa.Text, nullable=False),
            sa.Column("target_table", sa.Text, nullable=False),
            sa.Column("row_limit", sa.BigInteger),
            sa.Column("atomic", sa.Boolean(create_constraint=False), nullable=False),
            sa.Column("created_table", sa.Boolean(create_constraint=False), nullable=False),
            sa.Column("strategy", sa.Text, nullable=False),
            sa.Column("host", sa.Text, nullable=False),
            sa.Column("process", sa.Text, nullable=False),
            sa.Column("command", sa.Text),
            sa.Column("started_at", moment, nullable=False, server_default=sa.func.now()),
            sa.Column("finished_at", moment),
            sa.Column("inserted", sa.BigInteger, nullable=False, server_default="0"),
            sa.Column("updated", sa.BigInteger, nullable=False, server_default="0"),
            sa.Column("skipped", sa.BigInteger, nullable=False, server_default="0"),
            sa.Column("rejected", sa.BigInteger, nullable=False, server_default="0"),
            sa.Column("blank_rows", sa.BigInteger, nullable=False, server_default="0"),
            sa.Column("error", sa.Text),
            sa.Column("before_checksums", sa.Text),
            sa.Column("published", sa.Boolean(create_constraint=False), nullable=False, server_default=sa.false()),
        )
        number = dialect.key_type()
        batch = sa.Table(
            BATCH_TABLE,
            meta,
            sa.Column("import_id", key, primary_key=True),
            sa.Column("round", sa.Integer, primary_key=True, autoincrement=False),
            sa.Column("first_row", number, primary_key=True, autoincrement=False),
            sa.Column("last_row", number, nullable=False),
            sa.Column("run_id", key, nullable=False),
            sa.Column("inserted", sa.BigInteger, nullable=False),
            sa.Column("updated", sa.BigInteger, nullable=False, server_default="0"),
            sa.Column("skipped", sa.BigInteger, nullable=False),
            sa.Column("rejected", sa.BigInteger, nullable=False),
            sa.Column("committed_at", moment, nullable=False, server_default=sa.func.now()),
        )
        reject = sa.Table(
            REJECT_TABLE,
            meta,
            sa.Column("import_id", key, primary_key=True),
            sa.Column("round", sa.Integer, primary_key=True, autoincrement=False),
            sa.Column("sheet_row", number, primary_key=True, autoincrement=False),
            sa.Column("run_id", key, nullable=False),
            sa.Column("cell", sa.Text, nullable=False),
            sa.Column("column_name", sa.Text),
            sa.Column("value", sa.Text),
            sa.Column("reason", sa.Text, nullable=False),
            sa.Column("sqlstate", sa.String(5)),
            # All faults and cells as JSON in ASCII: it carries every text, including NUL.
            sa.Column("body", sa.Text, nullable=False),
        )
        mended = sa.Table(
            MENDED_TABLE,
            sa.MetaData(schema=schema),
            sa.Column("import_id", key, primary_key=True),
            sa.Column("round", sa.Integer, primary_key=True, autoincrement=False),
            sa.Column("sheet_row", number, primary_key=True, autoincrement=False),
            sa.Column("run_id", key, nullable=False),
            sa.Column("mended_at", moment, nullable=False, server_default=sa.func.now()),
        )
        return cls(run, batch, reject, mended)


class WorkerStatements(msgspec.Struct, Generic[S], frozen=True):
    """The statements that a worker's transactions execute on the ledger, with named parameters."""

    add: S
    lengthen: S
    recorded: S
    reject: S
    close: S


def worker_statements(
    schema: str | None, dialect: SqlDialect, written: Callable[[sa.Executable], S]
) -> WorkerStatements[S]:
    """Build the statements for the ledger in a schema; ``written`` converts each into the form that a session
    executes."""
    ledger = LedgerTables.of(schema, dialect)
    batch, fence = ledger.batch, _fence(ledger.run)
    names = ["first_row", "last_row", *COUNTS, "import_id", "round", "run_id"]
    values = [_parameter(name, batch.c[name].type) for name in names]
    source = sa.select(*values).select_from(ledger.run).where(fence).with_for_update(read=True)
    of_claim = sa.and_(
        batch.c.import_id == _parameter("import_id"),
        batch.c.round == _parameter("round"),
        batch.c.run_id == _parameter("run_id"),
        batch.c.first_row == _parameter("first_row"),
    )
    lengthened = (
        sa.update(batch)
        .where(
            of_claim,
            batch.c.last_row == _parameter("extends"),
            sa.exists(
                sa.select(sa.literal_column("1")).select_from(ledger.run).where(fence).with_for_update(read=True)
            ),
        )
        .values(
            last_row=_parameter("last_row"),
            **{name: batch.c[name] + _parameter(name, sa.BigInteger()) for name in COUNTS},
        )
    )
    return WorkerStatements(
        add=written(dialect.insert_ignore(batch).from_select(names, source)),
        lengthen=written(lengthened),
        recorded=written(sa.select(sa.func.count()).where(of_claim, batch.c.last_row >= _parameter("last_row"))),
        reject=written(sa.insert(ledger.reject)),
        close=written(sa.insert(ledger.mended).values({name: _parameter(name) for name in _CLOSING})),
    )


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
            "given_inserted": entry.inserted,
            "given_updated": entry.updated,
            "given_skipped": entry.skipped,
            "given_rejected": len(entry.rejects),
        }
        if entry.previous_last_row is None:
            return self._statements.add, values
        return self._statements.lengthen, values | {"given_extends": entry.previous_last_row}

    def key(self, entry: Entry) -> dict[str, Any]:
        """The parameters of :attr:`recorded`."""
        claim = self._claim
        return {
            "given_import_id": claim.import_id,
            "given_round": claim.generation,
            "given_run_id": claim.run_id,
            "given_first_row": entry.first_row,
            "given_last_row": entry.last_row,
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
            {"given_import_id": values[0], "given_round": values[1], "given_sheet_row": row, "given_run_id": values[2]}
            for row in entry.closes
        ]

    def reject_records(self, entry: Entry) -> list[list[Any]]:
        """The rejects as rows of :data:`REJECT_COLUMNS`."""
        return [[values[name] for name in REJECT_COLUMNS] for values in self.rejects(entry)]


def _fence(run: sa.Table) -> sa.ColumnElement[bool]:
    """True while the run has its claim. Read it under a shared lock: a run that ends the claim then waits."""
    return sa.and_(run.c.run_id == _parameter("run_id"), run.c.claim.is_not(None))


def hold_claim(connection: sa.Connection, run: sa.Table, claim: Claim) -> None:
    """Keep the claim until the open transaction ends. Raises :class:`SupersededError` if it has ended."""
    held = sa.select(run.c.run_id).where(run.c.run_id == claim.run_id, run.c.claim.is_not(None)).with_for_update()
    if connection.execute(held).first() is None:
        raise SupersededError("another run has taken this import over: this one may write no more")


def _parameter(name: str, type_: sa.types.TypeEngine[Any] | None = None) -> sa.BindParameter[Any]:
    """A bound parameter. SQLAlchemy reserves the names of columns for itself."""
    return sa.bindparam(f"given_{name}", type_=type_)


def text_for(dialect: sa.Dialect) -> Callable[[sa.Executable], str]:
    """Returns a function that compiles statements to the text that a driver of this dialect takes."""
    return lambda statement: str(statement.compile(dialect=dialect))  # type: ignore[attr-defined]


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
