"""Executes SQL scripts of users, each once, together with its record in the ledger."""

from __future__ import annotations

from collections.abc import Iterator

from tui_importer.backends.sql.database import SqlConnection
from tui_importer.backends.sql.entries import key_of
from tui_importer.backends.sql.ledger_tables import LedgerSql, hold_claim, insertion, new_entry
from tui_importer.core.model.scripts import ScriptMoment
from tui_importer.core.writing.ledger import Claim


def execute_once(connection: SqlConnection, ledger: LedgerSql, claim: Claim, moment: ScriptMoment, script: str) -> bool:
    """Execute a script of the claimed import in the open transaction, unless an earlier run has: then return False.

    Raises :class:`SupersededError` if the claim has ended.
    """
    hold_claim(connection, ledger, claim)
    executed = ledger.compose("SELECT run_id FROM {batch} WHERE {of_generation} AND first_row = :first_row")
    entry = new_entry(claim, moment.value, moment.value)
    if connection.row(executed, {**key_of(claim), "first_row": moment.value}) is not None:
        return False
    connection.execute(insertion(ledger.dialect, ledger.tables.batch, list(entry)), entry)
    for statement in [script] if ledger.dialect.takes_scripts else statements(script):
        connection.execute_script(statement)
    return True


def statements(script: str) -> Iterator[str]:
    """The statements of a script, by the rules of SQLite for texts, comments and the bodies of triggers."""
    import sqlite3  # few runs have scripts

    start = 0
    for place, character in enumerate(script):
        if character == ";" and sqlite3.complete_statement(script[start : place + 1]):
            yield script[start : place + 1].strip()
            start = place + 1
    if _without_comments(script[start:]):
        yield script[start:].strip()


def _without_comments(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("--")).strip()
