"""An SQLite file that comes and goes."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tui_importer.backends.sqlite.backend import SQLite
from tui_importer.core.model.table import Table
from tui_importer.core.writing.backend import ConnectionSettings
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
