"""The one door: everything that imports goes through :class:`Run`, and :func:`run_import` is the short way in."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from tui_importer.core.conversion.inference import Inferred
from tui_importer.core.conversion.parsing import as_text
from tui_importer.core.model.cells import column_letters
from tui_importer.core.model.counters import Snapshot
from tui_importer.core.model.files import check_source_file
from tui_importer.core.model.plan import Plan, checked, database_of
from tui_importer.core.model.report import ReasonGroup, Report
from tui_importer.core.model.url import DatabaseAddress, parse_address
from tui_importer.core.planning.resolution import KnownSource, check_fit, choose_target, resolve
from tui_importer.core.run.engine import Components, Engine
from tui_importer.core.source.layout import Layout
from tui_importer.core.source.open_source import OpenSource, open_source
from tui_importer.core.source.opening import Opening
from tui_importer.core.source.reader import SheetInfo
from tui_importer.core.writing.backend import Backend, ConnectionSettings
from tui_importer.errors import ExitCode, ImporterError, PlanError
from tui_importer.events import AnyEvent, Listener, ignore
from tui_importer.plugins.choice import choose
from tui_importer.plugins.registry import Registry, load_registry
from tui_importer.recording.recorder import Recorder
from tui_importer.recording.recordings import recordings_folder
from tui_importer.rejects.paths import check_default_place, check_reject_path, default_reject_path
from tui_importer.rejects.spool import RejectSpool

#: What a preview shows at most: rows, columns, and characters of a cell.
PREVIEW_ROWS, PREVIEW_COLUMNS, PREVIEW_TEXT = 40, 100, 200


class Run:
    """One import. :meth:`execute` carries it out; the other methods may be called from other threads meanwhile.

    Raises :class:`tui_importer.errors.UsageError` at once for what is wrong with the request itself: an unknown
    strategy or reader, a file that is not there, a place that takes no rejects.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        listener: Listener = ignore,
        rejects_file: str | Path | None = None,
        registry: Registry | None = None,
        opening: Opening | None = None,
        command: str | None = None,
        recordings: Path | None = None,
    ) -> None:
        """``recordings`` is the folder in which the run is recorded, if it is to be; ``opening`` is the plan's source,
        where it is being opened already; ``command`` is what a person would type to repeat the run, without secrets."""
        if not callable(listener):
            raise PlanError(f"listener must be a function that takes an event, not {type(listener).__name__}")
        registry = registry or load_registry()
        plan = checked(plan)
        self._source = Path(plan.source.file)
        self._rejects_file = None if rejects_file is None else _path(rejects_file, "rejects_file")
        components = _components(plan, registry)
        check_source_file(self._source)
        if self._rejects_file is not None:
            check_reject_path(self._rejects_file, self._source)
        elif not plan.options.dry_run:
            check_default_place()
        self._spool = RejectSpool()
        self._listener = listener
        self._engine = Engine(plan, components, self._spool, self._on_event, opening, command)
        self._recorder: Recorder | None = None
        if recordings is not None:
            self._recorder = Recorder(recordings, self._engine.run_id, command)

    @property
    def run_id(self) -> str:
        """Sorts by time; unique on this machine and, in all likelihood, elsewhere."""
        return self._engine.run_id

    @property
    def resolved_plan(self) -> Plan | None:
        """The plan with everything filled in that was left open, once it is known."""
        return self._engine.resolved_plan

    def snapshot(self) -> Snapshot:
        """All counters as they stand."""
        return self._engine.snapshot()

    def stop(self, reason: str = "stopped on request", exit_code: ExitCode = ExitCode.STOPPED) -> None:
        """Take no further batches, finish those in flight, and report."""
        self._engine.stop(reason, exit_code)

    def abort(self, reason: str = "aborted on request", exit_code: ExitCode = ExitCode.STOPPED) -> None:
        """Stop, and cancel at the database what is in flight: those batches are undone."""
        self._engine.abort(reason, exit_code)

    def pause(self) -> None:
        """Finish what is in flight and take no further batches until :meth:`unpause`."""
        self._engine.pause(paused=True)

    def unpause(self) -> None:
        """Let a paused run go on."""
        self._engine.pause(paused=False)

    def change_workers(self, workers: int) -> None:
        """Have so many workers from now on; raises :class:`tui_importer.errors.UsageError` where that cannot be."""
        self._engine.change_workers(workers)

    @property
    def recording_trouble(self) -> str | None:
        """Why the run is not, or not wholly, recorded; None where nothing went wrong."""
        return self._recorder.trouble if self._recorder else None

    def execute(self) -> Report:
        """Carry the import out, once. A run that fails says so in its report; nothing of it is raised."""
        if self._recorder is None:
            return self._execute()
        report = None
        self._recorder.start(self.snapshot)
        control = self._recorder.open_control(self)
        try:
            report = self._execute()
        finally:
            if control is not None:
                control.close()
            self._recorder.close(report)
        return report

    def _execute(self) -> Report:
        with self._spool:
            report = self._engine.execute()
            self.reasons: Sequence[ReasonGroup] = report.reject_groups
            if not self._spool.count or report.dry_run:
                return report
            # What writes workbooks takes a tenth of a second to import, which a run without rejects need not wait for.
            from tui_importer.rejects.workbook import write_reject_workbook

            path = self._rejects_file or default_reject_path(self._source, Path.cwd())
            if os.path.lexists(path):  # somebody made it while the rows were being loaded
                path = default_reject_path(path, path.parent)
            try:
                write_reject_workbook(path, self._engine.headers, self._spool)
            except ImporterError as error:
                return msgspec.structs.replace(
                    report, outcome="failed", exit_code=int(ExitCode.FAILED), error=report.error or str(error)
                )
            return msgspec.structs.replace(report, rejects_file=str(path))

    def _on_event(self, event: AnyEvent) -> None:
        if self._recorder is not None:
            self._recorder.on_event(event)
        self._listener(event)


def run_import(
    plan: Plan, *, listener: Listener = ignore, rejects_file: str | Path | None = None, record: bool = True
) -> Report:
    """Import a spreadsheet into a database and give back the report.

    ``listener`` hears every event of the run (:mod:`tui_importer.events`), one at a time, from the run's threads.
    Rows that could not go in are written to ``rejects_file`` (by default ``NAME.rejects.xlsx`` in the current
    folder). Unless ``record`` is false, the run is recorded in a private folder of the user's state directory. Raises
    :class:`tui_importer.errors.UsageError` for a request that makes no sense; any other failure is in the report's
    ``outcome``, ``exit_code`` and ``error``.
    """
    folder = recordings_folder() if record else None
    return Run(plan, listener=listener, rejects_file=rejects_file, recordings=folder).execute()


def _path(given: object, name: str) -> Path:
    if not isinstance(given, (str, Path)):
        raise PlanError(f"{name} must be a path, not an object of type {type(given).__name__}")
    return Path(given)


def _components(plan: Plan, registry: Registry) -> Components:
    reader, strategy, backend = choose(plan, registry)
    return Components(
        reader_name=reader.name,
        reader=registry.make_reader(reader.name),
        strategy_name=strategy.name,
        strategy=registry.make_strategy(strategy.name),
        backend_name=backend.name,
        open_backend=_opener(registry, backend.name),
        address=target_address(plan),
    )


def _opener(registry: Registry, name: str) -> Callable[[ConnectionSettings], Backend]:
    return lambda settings: registry.make_backend(name, settings)


def target_address(plan: Plan) -> DatabaseAddress:
    """Where the plan's rows go: by default an SQLite file in the current folder, called like the source."""
    return parse_address(database_of(plan))


@dataclass(frozen=True, slots=True)
class Inspection:
    """What is known of a source before anything is written: ``plan`` with all columns, ``evidence`` for each column's
    type by letter, ``rows`` where the reader knows how many there are, ``notes`` about all that was found, and the
    ``layout`` of the sheet."""

    plan: Plan
    reader: str
    sheets: tuple[SheetInfo, ...]
    rows: int | None
    evidence: dict[str, str]
    notes: tuple[str, ...]
    layout: Layout


@dataclass(frozen=True, slots=True)
class Preview:
    """The first rows of a sheet as text, from sheet row ``first_row`` (from 1) and column ``first_column`` (from 0)
    on; ``sheets`` are the names of all."""

    sheets: tuple[str, ...]
    sheet: str
    first_row: int
    first_column: int
    rows: tuple[tuple[str, ...], ...]


def inspect_source(
    plan: Plan,
    *,
    ask_database: bool = False,
    registry: Registry | None = None,
    on_preview: Callable[[Preview], None] | None = None,
) -> Inspection:
    """Open the source and resolve its plan; nothing is written. All cells are looked at, whatever the schema.

    With ``ask_database`` the target table, where there is one, has its say. ``on_preview`` is called with the first
    rows as soon as the file is open, which is before all cells are looked at. Raises the errors of
    :class:`tui_importer.errors.ImporterError` as an import would.
    """
    registry = registry or load_registry()
    plan = checked(plan)
    components = _components(plan, registry)
    path = Path(plan.source.file)
    with open_source(path, components.reader, plan.source) as source:
        if on_preview is not None:
            on_preview(_preview(source))
        layout = source.layout
        wanted = choose_target(plan, layout, source)
        existing = None
        if ask_database:
            with _looking(plan, components) as backend:
                existing = backend.reflect(wanted.name)
        resolved = resolve(plan, source, wanted, existing)
        inferred = resolved.inferred or tuple(source.infer())
        first = source.layout.first_column
        findings = () if resolved.inferred else _findings(resolved.mapping.headers, inferred)
        return Inspection(
            plan=_saveable(resolved.plan, components.address),
            reader=components.reader_name,
            sheets=tuple(source.workbook.sheets),
            rows=source.row_hint,
            evidence={column_letters(first + offset): found.evidence for offset, found in enumerate(inferred)},
            notes=(*components.reader.limits(path), *source.notes, *resolved.notes, *findings),
            layout=layout,
        )


@dataclass(frozen=True, slots=True)
class TargetTable:
    """A target before anything is written: whether the table ``exists``, with how many rows, and the ``obstacle`` why
    the plan cannot be carried out, if there is one."""

    database: str
    table: str
    exists: bool
    rows: int
    obstacle: str | None = None


def look_at_target(plan: Plan, *, layout: Layout | None = None, registry: Registry | None = None) -> TargetTable:
    """Ask the database for the plan's target table, which has to be named; nothing is written.

    With the ``layout`` of the plan's sheet, whose name has to be in the plan, it is also found out whether the table
    takes its columns.
    Raises :class:`tui_importer.errors.DatabaseError` where it does not answer.
    """
    components = _components(checked(plan), registry or load_registry())
    name = plan.target.table or ""
    with _looking(plan, components) as backend:
        table = backend.reflect(name)
        rows = backend.ledger(None).count(table) if table else 0
        obstacle = None
        if layout is not None:
            try:
                check_fit(plan, KnownSource(Path(plan.source.file), str(plan.source.sheet), layout), table)
            except PlanError as error:
                obstacle = str(error)
        shown = table.qualified_name if table else name
        return TargetTable(components.address.display, shown, table is not None, rows, obstacle)


@contextmanager
def _looking(plan: Plan, components: Components) -> Iterator[Backend]:
    """The plan's database, for a look at it."""
    settings = ConnectionSettings(components.address.text, "tui_importer/inspect", plan.options.connect_timeout)
    backend = components.open_backend(settings)
    try:
        backend.connect()
        yield backend
    finally:
        backend.close()


def _preview(source: OpenSource) -> Preview:
    block = next(source.sheet.blocks(PREVIEW_ROWS), None)
    columns = block.columns[:PREVIEW_COLUMNS] if block else ()
    return Preview(
        sheets=tuple(sheet.name for sheet in source.workbook.sheets),
        sheet=source.name,
        first_row=block.first_row if block else 1,
        first_column=block.first_column if block else 0,
        rows=tuple(
            tuple((as_text(cell) or "")[:PREVIEW_TEXT] for cell in row)
            for row in zip(*(column.values() for column in columns), strict=True)
        ),
    )


def _findings(headers: Sequence[str], inferred: Sequence[Inferred]) -> tuple[str, ...]:
    return tuple(
        f"column {header!r}: {finding}"
        for header, found in zip(headers, inferred, strict=True)
        for finding in found.findings
    )


def _saveable(plan: Plan, address: DatabaseAddress) -> Plan:
    """The plan without a password: an address that holds one is left out, to come from --db or the environment."""
    if plan.target.database is None or address.display == plan.target.database:
        return plan
    return msgspec.structs.replace(plan, target=msgspec.structs.replace(plan.target, database=None))
