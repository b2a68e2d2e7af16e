"""Executes SQL scripts of users, each once, together with its record in the ledger."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import sqlalchemy as sa

from tui_importer.backends.sql.dialects import SqlDialect
from tui_importer.backends.sql.ledger_tables import LedgerTables, hold_claim
from tui_importer.core.model.scripts import ScriptMoment
from tui_importer.core.writing.ledger import Claim


def execute_once(
    connection: sa.Connection,
    tables: LedgerTables,
    dialect: SqlDialect,
    claim: Claim,
    moment: ScriptMoment,
    script: str,
) -> bool:
    """Execute a script of the claimed import in the open transaction, unless an earlier run has: then return False.

    Raises :class:`SupersededError` if the claim has ended.
    """
    hold_claim(connection, tables.run, claim)
    batch = tables.batch
    of_script = sa.and_(
        batch.c.import_id == claim.import_id, batch.c.round == claim.generation, batch.c.first_row == moment.value
    )
    if connection.execute(sa.select(batch.c.run_id).where(of_script)).first() is not None:
        return False
    connection.execute(
        sa.insert(batch).values(
            import_id=claim.import_id,
            round=claim.generation,
            run_id=claim.run_id,
            first_row=moment.value,
            last_row=moment.value,
            inserted=0,
            skipped=0,
            rejected=0,
        )
    )
    # Without parameters, no driver looks for placeholders in the text.
    unchanged = connection.execution_options(no_parameters=True)
    for statement in [script] if dialect.takes_scripts else statements(script):
        unchanged.exec_driver_sql(statement)
    return True


def statements(script: str) -> Iterator[str]:
    """The statements of a script, by the rules of SQLite for texts, comments and the bodies of triggers."""
    start = 0
    for place, character in enumerate(script):
        if character == ";" and sqlite3.complete_statement(script[start : place + 1]):
            yield script[start : place + 1].strip()
            start = place + 1
    if _without_comments(script[start:]):
        yield script[start:].strip()


def _without_comments(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("--")).strip()
