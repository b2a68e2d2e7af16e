"""The ledger's table of closed rejects: those that came back mended and are in."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from tui_importer.backends.sql.dialects import SqlDialect
from tui_importer.backends.sql.ledger_tables import MENDED_TABLE, LedgerTables, hold_claim
from tui_importer.core.model.completed_rows import Interval
from tui_importer.core.writing.ledger import Claim, Generation


def exists(connection: sa.Connection, tables: LedgerTables) -> bool:
    """Whether the table is there: it is created with the first import of mended rejects."""
    return sa.inspect(connection).has_table(MENDED_TABLE, schema=tables.mended.schema)


def rejected_rows(connection: sa.Connection, tables: LedgerTables, generation: Generation) -> dict[int, bool]:
    """The rejected rows of a generation, and whether each is closed."""
    found: dict[int, bool] = {}
    for table, closed in ((tables.reject, False), (tables.mended, True)):
        if closed and not exists(connection, tables):
            break
        of_generation = sa.and_(table.c.import_id == generation.import_id, table.c.round == generation.generation)
        rows = connection.execute(sa.select(table.c.sheet_row).where(of_generation)).scalars()
        found |= dict.fromkeys(rows, closed)
    return found


def record_skipped(
    connection: sa.Connection,
    tables: LedgerTables,
    dialect: SqlDialect,
    claim: Claim,
    intervals: Sequence[Interval],
) -> None:
    """Record rows of the claimed import as skipped. Raises :class:`SupersededError` if the claim has ended."""
    hold_claim(connection, tables.run, claim)
    entries = [
        {
            "import_id": claim.import_id,
            "round": claim.generation,
            "run_id": claim.run_id,
            "first_row": interval.first,
            "last_row": interval.last,
            "inserted": 0,
            "skipped": interval.last - interval.first + 1,
            "rejected": 0,
        }
        for interval in intervals
    ]
    connection.execute(dialect.insert_ignore(tables.batch), entries)


def reopen(connection: sa.Connection, tables: LedgerTables, run_ids: Sequence[str]) -> None:
    """Open the rejects again that these runs have closed: their rows are taken out."""
    if exists(connection, tables):
        connection.execute(sa.delete(tables.mended).where(tables.mended.c.run_id.in_(run_ids)))
