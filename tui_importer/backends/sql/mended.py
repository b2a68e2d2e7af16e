"""The ledger's table of closed rejects: those that came back mended and are in."""

from __future__ import annotations

from collections.abc import Sequence

from tui_importer.backends.sql.database import SqlConnection
from tui_importer.backends.sql.entries import key_of
from tui_importer.backends.sql.ledger_tables import LedgerSql, hold_claim, insertion, new_entry
from tui_importer.core.model.completed_rows import Interval
from tui_importer.core.writing.ledger import Claim, Generation


def exists(connection: SqlConnection, ledger: LedgerSql) -> bool:
    """Whether the table is there: it is created with the first import of mended rejects."""
    return ledger.dialect.has_table(connection, ledger.tables.mended.name, ledger.tables.mended.schema)


def rejected_rows(connection: SqlConnection, ledger: LedgerSql, generation: Generation) -> dict[int, bool]:
    """The rejected rows of a generation, and whether each is closed."""
    found: dict[int, bool] = {}
    for table, closed in ((ledger.tables.reject, False), (ledger.tables.mended, True)):
        if closed and not exists(connection, ledger):
            break
        query = ledger.compose("SELECT sheet_row FROM {table} WHERE {of_generation}", table=table)
        found |= {row: closed for (row,) in connection.rows(query, key_of(generation))}
    return found


def record_skipped(connection: SqlConnection, ledger: LedgerSql, claim: Claim, intervals: Sequence[Interval]) -> None:
    """Record rows of the claimed import as skipped. Raises :class:`SupersededError` if the claim has ended."""
    hold_claim(connection, ledger, claim)
    entries = [
        new_entry(claim, interval.first, interval.last, skipped=interval.last - interval.first + 1)
        for interval in intervals
    ]
    if entries:
        statement = insertion(ledger.dialect, ledger.tables.batch, list(entries[0]))
        connection.execute_many(ledger.dialect.insert_ignore(statement), entries)


def reopen(connection: SqlConnection, ledger: LedgerSql, run_ids: Sequence[str]) -> None:
    """Open the rejects again that these runs have closed: their rows are taken out."""
    if exists(connection, ledger):
        statement = ledger.compose("DELETE FROM {mended} WHERE run_id = :run_id")
        connection.execute_many(statement, [{"run_id": run_id} for run_id in run_ids])
