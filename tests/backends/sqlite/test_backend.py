"""An SQLite file that comes and goes."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tui_importer.backends.sqlite.backend import SQLite
from tui_importer.core.model.table import Table, TableColumn
from tui_importer.core.model.types import INTEGER
from tui_importer.core.writing.backend import ConnectionSettings, Destination
from tui_importer.core.writing.ledger import Claim
from tui_importer.errors import ImporterError


def test_database_that_was_removed_is_not_created_anew(tmp_path: Path) -> None:
    # As when a run that was aborted still looks at its table while the command that made the file removes it.
    path = tmp_path / "50% #1?.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE items (a)")
    url = f"sqlite:///{path.as_posix().replace('%', '%25').replace('?', '%3F')}"
    backend = SQLite(ConnectionSettings(url, "tui_importer", 10.0))
    backend.connect()
    assert backend.catalog.count(Table(name="items", columns=())) == 0
    path.unlink()
    with pytest.raises(ImporterError):
        backend.catalog.count(Table(name="items", columns=()))
    backend.close()
    assert list(tmp_path.iterdir()) == []


CLAIM = Claim("c0ffee", 1, "run-1")


def test_file_of_this_run_has_a_rollback_journal_and_any_other_a_log(tmp_path: Path) -> None:
    path = tmp_path / "new.db"
    modes: list[str] = []
    for claim in (CLAIM, None, CLAIM):
        backend = SQLite(ConnectionSettings(f"sqlite:///{path}", "tui_importer/test", 10))
        try:
            backend.connect()
            table = Table("t", (TableColumn("n", INTEGER),))
            if not modes:
                backend.catalog.create_table(table)
            backend.open_session(Destination(table, ("n",), (INTEGER,), claim)).close()
        finally:
            backend.close()
        with closing(sqlite3.connect(path)) as connection:
            modes += connection.execute("PRAGMA journal_mode").fetchone()
    assert modes == ["delete", "delete", "wal"]
