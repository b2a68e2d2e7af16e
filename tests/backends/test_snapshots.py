"""A run that lasts keeps nothing from being cleaned up, and names are names however they are written."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Database
from tui_importer import Options, Plan, Run, Source, Target
from tui_importer.backends.postgresql.backend import PostgreSQL
from tui_importer.backends.postgresql.database import PostgreSQLConnection
from tui_importer.core.writing.backend import ConnectionSettings

IMPORT = "c0ffee" * 10 + "cafe"


def test_import_lock_holds_no_snapshot(postgres: Database) -> None:
    backend = PostgreSQL(ConnectionSettings(postgres.url, "tui_importer", 10.0))
    try:
        ledger = backend.ledger(None)
        with ledger._database.connection() as holder:
            assert ledger._locks is not None
            assert ledger._locks.take(holder, IMPORT)
            assert isinstance(holder, PostgreSQLConnection)
            pid = holder.driver.info.backend_pid
            [(state, oldest)] = postgres.fetch(f"SELECT state, backend_xmin FROM pg_stat_activity WHERE pid = {pid}")
            assert (state, oldest) == ("idle in transaction", None)
            with ledger._database.connection() as other:
                key = int.from_bytes(bytes.fromhex(IMPORT)[:8], signed=True)
                assert not other.value(f"SELECT pg_try_advisory_xact_lock({key})")
    finally:
        backend.close()


@pytest.mark.parametrize("strategy", ["sequential", "threaded", "async", "batched"])
def test_table_and_column_names_may_contain_percent_signs(postgres: Database, tmp_path: Path, strategy: str) -> None:
    postgres.execute('CREATE TABLE "100 %s" ("a%b" text, "c %s" text)')
    file = tmp_path / "s.csv"
    file.write_text("a%b,c %s\nx,y\n")
    plan = Plan(
        source=Source(file=str(file)),
        target=Target(database=postgres.url, table="100 %s"),
        options=Options(strategy=strategy),
    )
    report = Run(plan, rejects_file=tmp_path / "rejects.xlsx").execute()
    assert (report.outcome, report.error) == ("complete", None)
    assert postgres.scalar('SELECT "a%b" || "c %s" FROM "100 %s"') == "xy"
