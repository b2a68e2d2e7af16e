"""The reader is at work while the import is still being claimed and the table made; nothing is written before that."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tui_importer import Block, Options, Plan, ReaderSpec, Report, Run, Source, Target
from tui_importer.core.source import kept_blocks
from tui_importer.core.source.open_source import BLOCKS_AHEAD
from tui_importer.events import AnyEvent, SourceOpened, TableCreated
from tui_importer.plugins.registry import Owner, Registry, load_registry
from tui_importer.readers.delimited.reader import DelimitedFile, DelimitedReader
from tui_importer.readers.delimited.records import Dialect

if TYPE_CHECKING:
    from tests.conftest import Database

ROWS = 500
BATCH = 20


class CountingFile(DelimitedFile):
    """A file that counts the blocks that were read for batches, and may break at one of them."""

    read = 0
    breaks_at = 0

    def blocks(self, rows: int) -> Iterator[Block]:
        for block in super().blocks(rows):
            if rows == BATCH:
                type(self).read += 1
                if self.read == self.breaks_at:
                    type(self).read = -1
                    raise LookupError("a broken block")
            yield block


class CountingReader(DelimitedReader):
    """Opens watched files, all of one kind."""

    def __init__(self, kind: type[CountingFile]) -> None:
        self._kind = kind

    def open(self, path: Path) -> DelimitedFile:
        return self._kind(path, "utf-8", Dialect(","))


@pytest.fixture(autouse=True)
def read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rows are read again after the types are inferred, as in a sheet that is too large to be kept."""
    monkeypatch.setattr(kept_blocks, "_MOST_BYTES", -1)


@pytest.fixture
def kind() -> type[CountingFile]:
    """A class of its own for each test, whose count begins at 0."""
    return type("Fresh", (CountingFile,), {})


@pytest.fixture
def numbers(tmp_path: Path) -> Path:
    path = tmp_path / "numbers.odd"
    path.write_text("n\n" + "".join(f"{number}\n" for number in range(ROWS)), encoding="utf-8")
    return path


def imported(path: Path, database: Database, kind: type[CountingFile], on_event: Callable[[AnyEvent], Any]) -> Report:
    registry: Registry = load_registry(found=[])
    spec = ReaderSpec("odd", "", partial(CountingReader, kind), (".odd",))
    registry.add(object(), Owner("test", "test", "1"), {"reader": lambda: [spec]})
    plan = Plan(source=Source(file=str(path)), target=Target(database=database.url), options=Options(batch_size=BATCH))
    return Run(plan, listener=on_event, registry=registry, rejects_file=path.with_suffix(".xlsx")).execute()


def wait_until(condition: Callable[[], bool]) -> None:
    for _ in range(60_000):
        if condition():
            return
        threading.Event().wait(0.001)
    raise AssertionError("it never came to that")


def test_bounded_number_of_blocks_is_read_before_the_claim(
    numbers: Path, sqlite: Database, kind: type[CountingFile]
) -> None:
    seen: list[int] = []

    def hold_up(event: AnyEvent) -> None:
        if isinstance(event, TableCreated):
            wait_until(lambda: kind.read >= BLOCKS_AHEAD)
            threading.Event().wait(0.1)
            seen.append(kind.read)

    report = imported(numbers, sqlite, kind, hold_up)
    assert seen == [BLOCKS_AHEAD]
    assert (report.outcome, report.stats.inserted) == ("complete", ROWS)
    assert sqlite.fetch("SELECT min(n), max(n), count(*) FROM numbers") == [(0, ROWS - 1, ROWS)]


def test_reader_failure_before_the_claim_fails_the_run(
    numbers: Path, sqlite: Database, kind: type[CountingFile]
) -> None:
    kind.breaks_at = 2

    def hold_up(event: AnyEvent) -> None:
        if isinstance(event, TableCreated):
            wait_until(lambda: kind.read < 0)

    report = imported(numbers, sqlite, kind, hold_up)
    assert (report.outcome, report.exit_code) == ("failed", 1)
    assert report.error == f"reader 'odd' failed after row {BATCH}: LookupError: a broken block"
    assert sqlite.scalar("SELECT count(*) FROM numbers") == 0


def test_reader_is_released_when_the_table_cannot_be_created(
    numbers: Path, sqlite: Database, kind: type[CountingFile]
) -> None:
    def get_in_first(event: AnyEvent) -> None:
        if isinstance(event, SourceOpened):
            sqlite.execute("CREATE TABLE numbers (other text)")

    report = imported(numbers, sqlite, kind, get_in_first)
    assert (report.outcome, report.exit_code) == ("failed", 1)
    assert "already exists" in (report.error or "")
    assert report.stats.total_records == 0
    assert sqlite.scalar("SELECT count(*) FROM numbers") == 0
