"""Plugins with one defect each, to test that the checks find it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from msgspec.structs import replace

from tui_importer.core.model.batch import Batch
from tui_importer.core.scheduling.strategy import Job
from tui_importer.core.scheduling.worker_pool import run_workers
from tui_importer.core.writing.backend import ConnectionSettings, Destination, Session
from tui_importer.core.writing.ledger import Entry
from tui_importer.core.writing.loaded import Loaded
from tui_importer.errors import ImporterError
from tui_importer.plugins.registry import load_registry
from tui_importer.plugins.specs import BackendSpec, StrategySpec
from tui_importer.testing.failpoints import open_wrapped, wrapped_url

_SCHEME = "faulty"


class LosesBatches:
    """Leaves out every third batch."""

    max_workers: int | None = None

    def run(self, job: Job) -> None:
        """See :class:`Strategy`."""
        run_workers(job, lambda writer, batch: None if batch.number % 3 == 0 else writer.write(batch))


class WritesTwice:
    """Writes every third batch a second time."""

    max_workers: int | None = None

    def run(self, job: Job) -> None:
        """See :class:`Strategy`."""

        def write(writer: Any, batch: Batch) -> None:
            for _ in range(2 if batch.number % 3 == 0 else 1):
                writer.write(batch)

        run_workers(job, write)


class SwallowsFailures:
    """Hides the failure of a worker."""

    max_workers: int | None = None

    def run(self, job: Job) -> None:
        """See :class:`Strategy`."""

        def write(writer: Any, batch: Batch) -> None:
            with suppress(ImporterError):
                writer.write(batch)

        run_workers(job, write)


class EndsEarly:
    """Returns before the last batch is written."""

    max_workers: int | None = 1

    def run(self, job: Job) -> None:
        """See :class:`Strategy`."""
        with job.writer() as writer:
            for batch in job.batches():
                if batch.number > 2:
                    return
                writer.write(batch)


class WritesBackwards:
    """Writes the last batch first, also where the last row of a key is to win."""

    max_workers: int | None = 1

    def run(self, job: Job) -> None:
        """See :class:`Strategy`."""
        with job.writer() as writer:
            for batch in reversed(list(job.batches())):
                writer.write(batch)


FAULTY_STRATEGIES: Sequence[StrategySpec] = [
    StrategySpec(f"faulty-{number}", kind.__doc__ or "", f"{__name__}:{kind.__name__}")
    for number, kind in enumerate((LosesBatches, WritesTwice, SwallowsFailures, EndsEarly, WritesBackwards))
]


class _Faulty:
    """A session that delegates everything to another one."""

    def __init__(self, inner: Session) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class LosesRows(_Faulty):
    """Reports a row as inserted that it left out."""

    def load(self, batch: Batch, start: int, stop: int) -> Loaded:
        """See :class:`Session`."""
        if stop - start > 1:
            self._inner.load(batch, start, stop - 1)
        return Loaded(stop - start)


class SkipsSilently(_Faulty):
    """Leaves out a row and says nothing of it."""

    def load(self, batch: Batch, start: int, stop: int) -> Loaded:
        """See :class:`Session`."""
        return self._inner.load(batch, start, stop - 1) if stop - start > 1 else Loaded(0)


class CommitsTooEarly(_Faulty):
    """Commits the rows before the ledger entry is written."""

    def record(self, entry: Entry) -> bool:
        """See :class:`Session`."""
        self._inner.commit()
        self._inner.begin()
        return self._inner.record(entry)


class NeedsNoClaim(_Faulty):
    """Continues after its claim has ended, or if an entry exists already."""

    def record(self, entry: Entry) -> bool:
        """See :class:`Session`."""
        self._inner.record(entry)
        return True


class ForgetsRejects(_Faulty):
    """Leaves the rejects out of the ledger."""

    def record(self, entry: Entry) -> bool:
        """See :class:`Session`."""
        return self._inner.record(replace(entry, rejects=()))


class CountsUnchangedRows(_Faulty):
    """Says that rows were updated that it has left as they are."""

    def load(self, batch: Batch, start: int, stop: int) -> Loaded:
        """See :class:`Session`."""
        loaded = self._inner.load(batch, start, stop)
        return replace(loaded, updated=loaded.updated + loaded.skipped, skipped=0)


class _FaultyBackend:
    """SQLite or PostgreSQL with faulty sessions."""

    def __init__(self, settings: ConnectionSettings, kind: type[_Faulty]) -> None:
        self._inner = open_wrapped(load_registry(), settings)
        self._kind = kind

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def open_session(self, destination: Destination) -> Any:
        """A faulty session."""
        return self._kind(self._inner.open_session(destination))

    async def open_async_session(self, destination: Destination) -> Any:
        """A faulty session for asyncio."""
        from tui_importer.core.writing.threaded_async_session import ThreadedAsyncSession

        return ThreadedAsyncSession(self.open_session(destination))


def _spec(kind: type[_Faulty]) -> BackendSpec:
    def factory(settings: ConnectionSettings) -> Any:
        return _FaultyBackend(settings, kind)

    return BackendSpec(_SCHEME, kind.__doc__ or "", factory, schemes=(_SCHEME,))


FAULTY_BACKENDS: Sequence[BackendSpec] = [
    _spec(kind)
    for kind in (LosesRows, SkipsSilently, CommitsTooEarly, NeedsNoClaim, ForgetsRejects, CountsUnchangedRows)
]


def faulty_url(url: str) -> str:
    """The URL by which the faulty backends open a database."""
    return wrapped_url(_SCHEME, url)
