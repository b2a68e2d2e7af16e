"""How far the database is, as the engine's own connections see it."""

from __future__ import annotations

from tests.conftest import Database
from tui_importer.backends.postgresql.backend import PostgreSQL
from tui_importer.core.run.choices import FAR_ROUND_TRIP
from tui_importer.core.writing.backend import ConnectionSettings
from tui_importer.core.writing.dry_run import DryBackend


def test_round_trip_is_the_shortest_end_of_a_transaction(postgres: Database) -> None:
    backend = PostgreSQL(ConnectionSettings(postgres.url, "tui_importer", 10.0))
    try:
        backend.connect()
        before = backend.round_trip
        assert backend.catalog.reflect("nothing") is None
        after = backend.round_trip
        assert before is None
        assert after is not None
        assert DryBackend(backend).round_trip == after > 0
        [connection] = backend._idle
        connection.rollback()  # there is no transaction, so nothing is sent
        assert connection.round_trip is None
        connection.execute("SELECT 1")
        connection.round_trip = FAR_ROUND_TRIP * 1_000
        connection.rollback()
        assert 0 < connection.round_trip < FAR_ROUND_TRIP * 1_000
    finally:
        backend.close()
