"""Loading: a thread reads and converts the rows, while the strategy's workers write them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from tui_importer.core.model.batch import Batch, Block
from tui_importer.core.model.completed_rows import CompletedRows
from tui_importer.core.model.counters import Phase, ReaderCounters
from tui_importer.core.model.scripts import ScriptMoment
from tui_importer.core.run.account import Account
from tui_importer.core.run.choices import Choices
from tui_importer.core.run.context import RunContext
from tui_importer.core.run.job import ImportJob
from tui_importer.core.run.preparation import claim, prepare_table
from tui_importer.core.run.scripts import run_script
from tui_importer.core.run.stages import Loading, PreparedImport, Ready, after
from tui_importer.core.scheduling.batch_queue import RateLimiter
from tui_importer.core.scheduling.failures import INTERRUPTS, unexpected
from tui_importer.core.source.open_source import NumberedBlock
from tui_importer.core.source.row_length import parts, rows_within
from tui_importer.core.writing.backend import Backend, Destination
from tui_importer.core.writing.defaults import default_places
from tui_importer.core.writing.encoding import encoded
from tui_importer.core.writing.writer_spec import WriterSpec
from tui_importer.errors import ExitCode, ImporterError
from tui_importer.events import LoadingStarted, SettingChosen


def load(context: RunContext, ready: Ready, backend: Backend) -> Loading:
    """Read and write all rows. Reading begins at once: the import is claimed and its table created meanwhile."""
    claimed: Future[CompletedRows] = Future()
    with ThreadPoolExecutor(1, thread_name_prefix="reading") as pool:
        reading = pool.submit(_read, context, ready, backend, claimed)
        try:
            claimed_import, completed = claim(context, ready, backend)
            prepared = prepare_table(context, claimed_import, backend)
            run_script(context, prepared, ScriptMoment.BEFORE)
            claimed.set_result(completed)
            loading = _write(context, prepared, backend)
        finally:
            # Unblock the reader, whatever ended the writing.
            claimed.cancel()
            context.queue.abandon()
    reading.result()
    return loading


def _read(context: RunContext, ready: Ready, backend: Backend, claimed: Future[CompletedRows]) -> None:
    """The reading thread: converts blocks to batches and puts them into the queue."""
    source, mapping, size = ready.source, ready.resolved.mapping, ready.choices.batch_size
    limiter = None
    if context.plan.options.max_rate:
        limiter = RateLimiter(context.plan.options.max_rate, context.control.wait)
    try:
        divide, counters = _divider(context, ready.choices), context.reader
        batches = source.batches(mapping, size, counters, context.notice, claimed, divide)
        while (batch := _next_batch(batches, counters)) is not None:
            counters.phase = Phase.READING
            started = time.perf_counter()
            if limiter is not None and not limiter.acquire(batch.row_count):
                return
            limited = time.perf_counter()
            ready_batch = encoded(batch, backend, context.components.backend_name)
            counters.held_seconds += limited - started
            counters.encode_seconds += time.perf_counter() - limited
            if not context.queue.put(ready_batch):
                return
        context.reader.phase = Phase.READ
    except BaseException as error:
        if claimed.cancelled():
            return  # the import was not claimed; that error is raised elsewhere
        if claimed.done():
            context.control.stop(str(error), ExitCode.FAILED)
        if isinstance(error, (ImporterError, *INTERRUPTS)):
            raise
        after_row = f" after row {source.last_row:,}" if source.last_row else ""
        raise ImporterError(
            f"reader {context.components.reader_name!r} failed{after_row}: {unexpected(error)}"
        ) from error
    finally:
        context.queue.end()


def _next_batch(batches: Iterator[Batch], counters: ReaderCounters) -> Batch | None:
    """The next batch, None at the end; what it took is added to the time of parsing, unless it is counted apart."""
    started, before = time.perf_counter(), counters.convert_seconds + counters.claim_seconds
    batch = next(batches, None)
    apart = counters.convert_seconds + counters.claim_seconds - before
    counters.parse_seconds += time.perf_counter() - started - apart
    return batch


def _divider(context: RunContext, choices: Choices) -> Callable[[Block, Sequence[int]], Iterable[NumberedBlock]]:
    """What divides blocks of rows that are longer than those at the beginning of the sheet, and says so once."""
    told = False

    def divide(block: Block, rows: Sequence[int]) -> Iterable[NumberedBlock]:
        nonlocal told
        if choices.batch_characters is None:
            return ((block, rows),)
        size = rows_within(block, choices.batch_characters)
        if size >= len(block):
            return ((block, rows),)
        if not told:
            told = True
            reason = f"the rows from row {rows[0]:,} on are longer than the first ones"
            context.emit(SettingChosen(setting="batch_size", value=size, reason=reason))
        return parts(block, rows, size)

    return divide


def _write(context: RunContext, prepared: PreparedImport, backend: Backend) -> Loading:
    """Run the strategy, which writes all batches into the table."""
    plan, choices, mapping = context.plan, prepared.choices, prepared.resolved.mapping
    spec = writer_spec(context, prepared)
    if plan.options.dry_run:
        _note_whether_tried(context, spec, backend)
    job = ImportJob(
        workers=choices.workers,
        queue=context.queue,
        control=context.control,
        backend=backend,
        spec=spec,
        account=Account(context.rejects, plan.options.max_rejects),
        emit=context.emit,
    )
    loading = context.reach(after(prepared, Loading, job=job))
    for chosen in choices.chosen:
        context.emit(chosen)
    context.emit(
        LoadingStarted(
            table=mapping.table.qualified_name,
            strategy=context.components.strategy_name,
            workers=choices.workers,
            batch_size=choices.batch_size,
            max_rate=plan.options.max_rate,
            headers=mapping.headers,
        )
    )
    context.control.on_change(context.queue.wake)
    try:
        _run_strategy(context, job)
    finally:
        job.close()
    return loading


def _note_whether_tried(context: RunContext, spec: WriterSpec, backend: Backend) -> None:
    """Say if a dry run does not try the rows in the table."""
    from tui_importer.core.writing.dry_run import DryBackend  # few runs need it

    if not isinstance(backend, DryBackend):
        return
    table = spec.destination.table.qualified_name
    if not context.retried(lambda: backend.tries(spec.destination)):
        context.notice(
            f"the rows are not tried in table {table!r}: what it would refuse is known during the import only"
        )
    elif context.plan.options.atomic:
        context.notice(
            f"the import would fail as a whole if rows conflict with those in table {table!r}, or miss rows that they "
            "refer to (--atomic): here, such rows are rejected"
        )


def _run_strategy(context: RunContext, job: ImportJob) -> None:
    try:
        context.components.strategy.run(job)
    except (ImporterError, BaseExceptionGroup, *INTERRUPTS):
        raise
    except BaseException as error:
        raise ImporterError(f"strategy {context.components.strategy_name!r} failed: {unexpected(error)}") from error


def writer_spec(context: RunContext, prepared: PreparedImport) -> WriterSpec:
    """What the writers of a prepared import are made from."""
    options = context.plan.options
    return WriterSpec(
        backend=context.components.backend_name,
        settings=context.connection_settings(),
        destination=destination(prepared),
        mapping=prepared.resolved.mapping,
        retry_for=options.retry_for,
        dry_run=options.dry_run,
    )


def destination(prepared: PreparedImport) -> Destination:
    """Where the sessions of a prepared import write."""
    mapping, table = prepared.resolved.mapping, prepared.filled_table
    columns = mapping.targets
    return Destination(
        claim=prepared.resume_point.claim if prepared.resume_point else None,
        table=table,
        columns=columns,
        # In a stage they stay NULL: the table's defaults apply when the rows are moved into it.
        defaults=default_places(table, columns) if prepared.stage_table is None else (),
        types=mapping.types,
        mode=prepared.resolved.plan.target.write_mode,
    )
