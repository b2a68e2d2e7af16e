"""Executes SQL scripts of users, each once, together with its record in the ledger."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from tui_importer.backends.sql.database import SqlConnection
from tui_importer.backends.sql.dialects import SqlDialect
from tui_importer.backends.sql.ledger_tables import LedgerTables, hold_claim, insertion, new_entry
from tui_importer.core.model.scripts import ScriptMoment
from tui_importer.core.writing.ledger import Claim


def execute_once(
    connection: SqlConnection,
    dialect: SqlDialect,
    tables: LedgerTables,
    claim: Claim,
    moment: ScriptMoment,
    script: str,
) -> bool:
    """Execute a script of the claimed import in the open transaction, unless an earlier run has: then return False.

    Raises :class:`SupersededError` if the claim has ended.
    """
    hold_claim(connection, dialect, tables.run, claim)
    executed = "SELECT run_id FROM {batch} WHERE import_id = :import_id AND round = :round AND first_row = :first_row"
    entry = new_entry(claim, moment.value, moment.value)
    key = {name: entry[name] for name in ("import_id", "round", "first_row")}
    if connection.row(dialect.compose(executed, batch=tables.batch), key) is not None:
        return False
    connection.execute(insertion(dialect, tables.batch, list(entry)), entry)
    for statement in [script] if dialect.takes_scripts else statements(script):
        connection.execute_script(statement)
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
