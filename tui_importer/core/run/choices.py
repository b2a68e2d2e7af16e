"""The number of workers and the batch size: what was asked for, within what strategy and database allow."""

from __future__ import annotations

import msgspec

from tui_importer.core.model.plan import WORKERS, Options, Plan
from tui_importer.core.scheduling.strategy import Strategy
from tui_importer.core.scheduling.worker_count import MAX_WORKERS
from tui_importer.core.writing.backend import Backend
from tui_importer.errors import UsageError

#: The default batch size in rows. Smaller batches need less memory and lose less in an interruption; larger ones save
#: transactions. With many rows, 5,000 take 3 % less time than 2,000, and 10,000 no less than 5,000.
MIN_BATCH_SIZE, MAX_BATCH_SIZE = 2_000, 5_000
#: If the number of rows is known, batches grow beyond the minimum only if each worker still gets this many.
_BATCHES_EACH = 10
#: A batch has at most the rows that ``--max-rate`` allows in this many seconds, so that the rate is held closely.
_RATE_SECONDS = 1.0
#: Why there is one worker where rows may have a key that is there already.
_ORDER_NOTE = "one worker writes: rows of the same key are written in the order of the sheet"


class Choices(msgspec.Struct, frozen=True):
    """How the rows are loaded.

    ``max_writers`` is the database's limit on workers (None: no limit), and ``writer_note`` explains it;
    ``fewer_than_asked``: because of it, there are fewer workers than was asked for.
    """

    workers: int
    batch_size: int
    max_writers: int | None
    writer_note: str
    fewer_than_asked: bool


def choose(plan: Plan, strategy: Strategy, backend: Backend, row_hint: int | None) -> Choices:
    """Choose for a connected database; ``row_hint`` is the expected number of rows, if it is known."""
    options = plan.options
    max_writers, writer_note = backend.max_writers, backend.writer_note
    if plan.target.write_mode.order_matters and max_writers != 1:
        max_writers, writer_note = 1, _ORDER_NOTE
    limits = (strategy.max_workers, max_writers)
    workers = min([options.workers or WORKERS, *(limit for limit in limits if limit is not None)])
    return Choices(
        workers=workers,
        batch_size=choose_batch_size(options, workers, row_hint),
        max_writers=max_writers,
        writer_note=writer_note,
        fewer_than_asked=max_writers is not None and (options.workers or 1) > max_writers,
    )


def choose_batch_size(options: Options, workers: int, row_hint: int | None) -> int:
    """The batch size in rows: so many that each worker gets several batches, and ``max_rate`` is held closely."""
    share = (row_hint or 0) // (workers * _BATCHES_EACH)
    rows = options.batch_size or min(max(share, MIN_BATCH_SIZE), MAX_BATCH_SIZE)
    return max(1, min(rows, int(options.max_rate * _RATE_SECONDS))) if options.max_rate else rows


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
