"""The number of workers and the batch size: what was asked for or is best, within what strategy and database allow.

Both are chosen once, before loading, from what is known by then: the number of rows and how long they are, the limits
of strategy and database, and how long a round trip to the database takes.
"""

from __future__ import annotations

import math
from typing import Protocol

import msgspec

from tui_importer.core.model.plan import WORKERS, Options, Plan
from tui_importer.core.scheduling.strategy import Strategy
from tui_importer.core.scheduling.worker_count import MAX_WORKERS
from tui_importer.core.writing.backend import Backend
from tui_importer.errors import UsageError
from tui_importer.events import SettingChosen

#: A batch costs a few round trips and 2 ms of a PostgreSQL server, so the bounds of the automatic batch size depend on
#: how far the database is: near or far, in rows. Smaller batches need less memory and lose less in an interruption.
#: Measured (``benchmarks/automatic.py``): near, 2,000 to 20,000 rows differ by less than 10 %.
MIN_BATCH_SIZE = 2_000
NEAR_BATCH_SIZE, FAR_BATCH_SIZE = 10_000, 20_000
#: If the number of rows is known or likely, batches grow beyond the minimum only if each worker still gets this many,
#: so that reading, encoding and writing overlap; far away, fewer and larger ones take less time.
_NEAR_BATCHES_EACH, _FAR_BATCHES_EACH = 5, 2
#: About the most characters of a batch: a few batches are in memory at a time.
BATCH_CHARACTERS = 8_000_000
#: From this round trip in seconds on, a database is far: workers wait for answers rather than for the database.
FAR_ROUND_TRIP = 0.005
#: Far away, there is one more worker for each of these seconds of a round trip, up to the maximum.
_SECONDS_A_WORKER, _MAX_AUTOMATIC_WORKERS = 0.020, 8
#: A batch has at most the rows that ``--max-rate`` allows in this many seconds, so that the rate is held closely.
_RATE_SECONDS = 1.0
#: Why there is one worker where rows may have a key that is there already.
_ORDER_NOTE = "one worker writes: rows of the same key are written in the order of the sheet"


class Extent(Protocol):
    """How much there is to load. ``row_hint`` is the expected number of rows, if it is known, ``likely_rows`` a guess
    even then, and ``row_characters`` about how many characters a row has."""

    @property
    def row_hint(self) -> int | None: ...

    @property
    def likely_rows(self) -> int | None: ...

    @property
    def row_characters(self) -> float: ...


class Choices(msgspec.Struct, frozen=True):
    """How the rows are loaded.

    ``max_writers`` is the database's limit on workers (None: no limit), and ``writer_note`` explains it;
    ``fewer_than_asked``: because of it, there are fewer workers than was asked for. ``batch_characters`` is about the
    most characters of a batch (None: the user has fixed its rows). ``chosen`` says what was chosen here and why.
    """

    workers: int
    batch_size: int
    max_writers: int | None
    writer_note: str
    fewer_than_asked: bool
    batch_characters: int | None = None
    chosen: tuple[SettingChosen, ...] = ()


def choose(plan: Plan, strategy: Strategy, backend: Backend, extent: Extent) -> Choices:
    """Choose for a connected database and an open source."""
    options = plan.options
    max_writers, writer_note = backend.max_writers, backend.writer_note
    if plan.target.write_mode.order_matters and max_writers != 1:
        max_writers, writer_note = 1, _ORDER_NOTE
    round_trip: float | None = getattr(backend, "round_trip", None)  # a backend need not know it
    workers, why = options.workers or 0, ""
    if not workers:
        workers, why = choose_workers(round_trip)
    if strategy.max_workers is not None and strategy.max_workers < workers:
        workers, why = strategy.max_workers, f"strategy {options.strategy!r} uses no more"
    if max_writers is not None and max_writers < workers:
        workers, why = max_writers, writer_note
    rows, why_rows = choose_batch_size(options, workers, extent, round_trip)
    if options.workers is None and extent.row_hint is not None:
        batches = max(1, math.ceil(extent.row_hint / rows))
        if batches < workers:
            workers, why = batches, f"the rows make {batches} {'batch' if batches == 1 else 'batches'}"
    chosen = []
    if options.workers is None:
        chosen.append(SettingChosen(setting="workers", value=workers, reason=why))
    if options.batch_size is None:
        chosen.append(SettingChosen(setting="batch_size", value=rows, reason=why_rows))
    return Choices(
        workers=workers,
        batch_size=rows,
        max_writers=max_writers,
        writer_note=writer_note,
        fewer_than_asked=max_writers is not None and (options.workers or 1) > max_writers,
        batch_characters=BATCH_CHARACTERS if options.batch_size is None else None,
        chosen=tuple(chosen),
    )


def choose_workers(round_trip: float | None) -> tuple[int, str]:
    """The number of workers for a database whose answers take this many seconds (None: unknown), and why."""
    if round_trip is None:
        return WORKERS, "they keep most databases busy"
    if round_trip < FAR_ROUND_TRIP:
        return WORKERS, f"the database is near ({_milliseconds(round_trip)} a round trip)"
    workers = min(WORKERS + 1 + int(round_trip / _SECONDS_A_WORKER), _MAX_AUTOMATIC_WORKERS)
    return workers, f"the database is far ({_milliseconds(round_trip)} a round trip), so several wait at a time"


def choose_batch_size(
    options: Options, workers: int, extent: Extent, round_trip: float | None = None
) -> tuple[int, str]:
    """The batch size in rows, and why: each worker gets several batches, and ``max_rate`` is held closely."""
    if options.batch_size:
        rows, why = options.batch_size, ""
    else:
        rows, why = _automatic_batch_size(workers, extent, round_trip)
    if options.max_rate and (most := max(1, int(options.max_rate * _RATE_SECONDS))) < rows:
        return most, "more are not allowed in a second (--max-rate)"
    return rows, why


def _automatic_batch_size(workers: int, extent: Extent, round_trip: float | None) -> tuple[int, str]:
    far = round_trip is not None and round_trip >= FAR_ROUND_TRIP
    most, each = (FAR_BATCH_SIZE, _FAR_BATCHES_EACH) if far else (NEAR_BATCH_SIZE, _NEAR_BATCHES_EACH)
    likely = extent.likely_rows
    if likely is None:
        rows, why = most if far else MIN_BATCH_SIZE, "the number of rows is unknown"
    else:
        rows = min(max(likely // (workers * each), MIN_BATCH_SIZE), most)
        answers = ", and each batch waits for several answers" if far else ""
        size = ", by the size of the file" if extent.row_hint is None else ""
        why = f"there are about {likely:,} rows{size}{answers}"
    if rows * extent.row_characters > BATCH_CHARACTERS:
        rows = max(1, int(BATCH_CHARACTERS / extent.row_characters))
        why = f"the rows are long (about {extent.row_characters:,.0f} characters)"
    return rows, why


def check_worker_count(workers: int, strategy: Strategy, strategy_name: str, choices: Choices) -> None:
    """Raise :class:`UsageError` if a run cannot have this number of workers."""
    limits = (strategy.max_workers, choices.max_writers, MAX_WORKERS)
    most = min(limit for limit in limits if limit is not None)
    if 1 <= workers <= most:
        return
    if choices.max_writers == most:
        raise UsageError(choices.writer_note)
    takes = "works with one worker" if most == 1 else f"takes 1 to {most} workers"
    raise UsageError(f"strategy {strategy_name!r} {takes}")


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms" if seconds < 0.010 else f"{seconds * 1000:.0f} ms"
