"""A dry run of a database without nested savepoints only asks it: what would write never reaches it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tui_importer.core.model.batch import Batch
from tui_importer.core.model.list_column import ListColumn
from tui_importer.core.model.table import Index, Table
from tui_importer.core.writing.access import Access
from tui_importer.core.writing.backend import Destination
from tui_importer.core.writing.dry_run import DryBackend
from tui_importer.core.writing.ledger import Entry
from tui_importer.core.writing.loaded import Loaded

#: What reaches the database, in the order of the test below.
QUESTIONS = (
    *("connect", "reflect", "check_access", "holds_rows", "count", "read"),
    *("ledger", "links", "look_up", "cancel", "close"),
)


class RecordingBackend:
    """A backend and its catalog, which note what they are asked for; anything that is not here would fail."""

    max_writers, writer_note, nested_savepoints = 3, "three", False

    def __init__(self) -> None:
        self.calls: list[str] = []

    @property
    def catalog(self) -> RecordingBackend:
        return self

    def __getattr__(self, name: str) -> Any:
        if name not in QUESTIONS:
            raise AttributeError(name)
        return lambda *arguments: self.calls.append(name)


def test_dry_run_only_queries_the_database() -> None:
    asked, table = RecordingBackend(), Table("t", ())
    backend: Any = DryBackend(asked)
    catalog = backend.catalog
    backend.connect()
    catalog.reflect("t")
    catalog.check_access(Access(table, ()))
    catalog.holds_rows(table)
    catalog.count(table)
    catalog.read(table, (), 1)
    backend.ledger(None)
    catalog.create_table(table)
    catalog.create_stage(table, table, exists=True)
    catalog.create_indexes(table, [Index("i", ("a",))], pytest.fail)
    catalog.drop_table(table)
    assert not catalog.advance_sequences(table, ["a"])
    assert backend.encode(None) is None
    backend.links()
    backend.look_up((), 1)
    backend.cancel()
    backend.close()
    assert asked.calls == [*QUESTIONS]
    assert (backend.max_writers, backend.writer_note) == (3, "three")


def test_dry_run_session_accepts_every_row_and_stores_none() -> None:
    column = ListColumn(["a", "b", "c"])
    batch = Batch(1, "S", 2, 4, range(2, 5), (column,), (column,))
    backend, destination = DryBackend(RecordingBackend()), Destination(Table("t", ()), ("a",), ())
    session = backend.open_session(destination)
    assert (session.load(batch, 0, 3), session.load(batch, 1, 2)) == (Loaded(3), Loaded(1))
    assert session.insert(batch, 0) == Loaded(1)
    assert session.record(Entry(2, 4))
    assert not session.recorded(Entry(2, 4))

    async def load() -> Loaded:
        awaited = await backend.open_async_session(destination)
        await awaited.begin()
        try:
            return await awaited.load(batch, 0, 2)
        finally:
            await awaited.close()

    assert asyncio.run(load()) == Loaded(2)
