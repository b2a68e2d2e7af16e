"""The ledger's table of closed rejects: those that came back mended and are in."""

from __future__ import annotations

from collections.abc import Sequence

from tui_importer.backends.sql.database import SqlConnection
from tui_importer.backends.sql.dialects import SqlDialect
from tui_importer.backends.sql.ledger_tables import LedgerTables, hold_claim, insertion, new_entry
from tui_importer.core.model.completed_rows import Interval
from tui_importer.core.model.table import Table
from tui_importer.core.writing.ledger import Claim, Generation


def exists(connection: SqlConnection, dialect: SqlDialect, mended: Table) -> bool:
    """Whether the table is there: it is created with the first import of mended rejects."""
    return dialect.has_table(connection, mended.name, mended.schema)


def rejected_rows(
    connection: SqlConnection, dialect: SqlDialect, tables: LedgerTables, generation: Generation
) -> dict[int, bool]:
    """The rejected rows of a generation, and whether each is closed."""
    found: dict[int, bool] = {}
    of_generation = {"import_id": generation.import_id, "round": generation.generation}
    for table, closed in ((tables.reject, False), (tables.mended, True)):
        if closed and not exists(connection, dialect, table):
            break
        query = "SELECT sheet_row FROM {table} WHERE import_id = :import_id AND round = :round"
        rows = connection.rows(dialect.compose(query, table=table), of_generation)
        found |= {row: closed for (row,) in rows}
    return found


def record_skipped(
    connection: SqlConnection,
    dialect: SqlDialect,
    tables: LedgerTables,
    claim: Claim,
    intervals: Sequence[Interval],
) -> None:
    """Record rows of the claimed import as skipped. Raises :class:`SupersededError` if the claim has ended."""
    hold_claim(connection, dialect, tables.run, claim)
    entries = [
        new_entry(claim, interval.first, interval.last, skipped=interval.last - interval.first + 1)
        for interval in intervals
    ]
    if entries:
        connection.execute_many(dialect.insert_ignore(insertion(dialect, tables.batch, list(entries[0]))), entries)


def reopen(connection: SqlConnection, dialect: SqlDialect, mended: Table, run_ids: Sequence[str]) -> None:
    """Open the rejects again that these runs have closed: their rows are taken out."""
    if exists(connection, dialect, mended):
        statement = dialect.compose("DELETE FROM {mended} WHERE run_id = :run_id", mended=mended)
        connection.execute_many(statement, [{"run_id": run_id} for run_id in run_ids])
