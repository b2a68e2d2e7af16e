"""The database of a run: what is likely to be needed is looked up at once, and only once."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import Database
from tests.core.run.steps import Steps
from tui_importer.backends.sqlite.backend import SQLite
from tui_importer.core.run.target_database import TargetDatabase
from tui_importer.core.writing.dry_run import DryBackend


def test_the_likely_table_is_looked_up_when_connecting(tmp_path: Path, sqlite: Database) -> None:
    sqlite.execute("CREATE TABLE t (n integer); CREATE TABLE other (n integer)")
    with Steps(tmp_path).database() as database:
        assert isinstance(database, TargetDatabase)
        assert isinstance(database.backend, SQLite)
        sqlite.execute("DROP TABLE t; DROP TABLE other")
        found = database.table("t")
        assert found is not None
        assert found.name == "t"
        assert database.table("other") is None
        assert database.ledger is not None
        assert list(database.history(database.ledger, "t")) == []


def test_dry_run_queries_the_ledger_only_if_the_table_exists(tmp_path: Path, sqlite: Database) -> None:
    with Steps(tmp_path, dry_run=True).database() as database:
        assert isinstance(database.backend, DryBackend)
        assert (database.ledger, database.table("t")) == (None, None)
    assert not Path(sqlite.url).exists()
    sqlite.execute("CREATE TABLE t (n integer)")
    with Steps(tmp_path, dry_run=True).database() as database:
        assert database.ledger is not None
