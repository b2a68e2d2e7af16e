"""The Python API: :class:`Run` carries out an import for every front end; :func:`run_import` is its short form."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from tui_importer.core.model.counters import Snapshot
from tui_importer.core.model.files import check_source_file
from tui_importer.core.model.plan import Plan, checked
from tui_importer.core.model.report import Report
from tui_importer.core.model.standard_input import source_path
from tui_importer.core.model.table_change import TableChange
from tui_importer.core.run.import_set import ImportSet, PlannedImport
from tui_importer.core.source.opening import Opening
from tui_importer.core.writing.writer_spec import WriterSpec
from tui_importer.errors import ExitCode, PlanError
from tui_importer.events import AnyEvent, Listener, ignore
from tui_importer.plugins.choice import components_of, imports_of
from tui_importer.plugins.registry import Registry, load_registry
from tui_importer.plugins.tables import with_shared_tables
from tui_importer.recording.recorder import Recorder
from tui_importer.recording.recordings import recordings_folder
from tui_importer.rejects.paths import check_default_place, check_reject_path
from tui_importer.rejects.store import RejectStore

if TYPE_CHECKING:
    from tui_importer.core.writing.remote_writer import RemoteWriter


class Run:
    """One run: the imports of one plan, or of several. :meth:`execute` carries it out; other threads may call the other
    methods meanwhile.

    Raises :class:`tui_importer.errors.UsageError` if the request is wrong: an unknown strategy or reader, a file that
    does not exist, a place where rejects cannot be written.
    """

    def __init__(
        self,
        plan: Plan | Sequence[Plan],
        *,
        listener: Listener = ignore,
        rejects_file: str | Path | None = None,
        registry: Registry | None = None,
        opening: Opening | None = None,
        command: str | Sequence[str] | None = None,
        recordings: Path | None = None,
        executor: str | None = None,
        approve: Callable[[TableChange], bool] | None = None,
        tables_chosen: bool = False,
    ) -> None:
        """``recordings`` is the folder in which the run is recorded (None: not at all). ``opening`` is the first source
        if it is already being opened. ``command`` is the command line that repeats the run, without secrets, or a
        sequence that continues with one command for each import. ``executor`` is the name of the plugin that carries
        out several imports, by default that of the (first) plan. ``approve`` is asked before rows that are in a table
        are removed, updated or doubled (None: nobody is asked), from a thread of the run, or from several if imports
        are carried out side by side; an import that is not approved ends as stopped. ``tables_chosen``: it is known
        already which of several imports share a table (:func:`tui_importer.plugins.tables.with_shared_tables`)."""
        if not callable(listener):
            raise PlanError(f"listener must be a function that takes an event, not {type(listener).__name__}")
        registry = registry or load_registry()
        given = [checked(each) for each in ((plan,) if isinstance(plan, Plan) else _plans(plan))]
        for each in given:
            for source in each.sources:
                check_source_file(source_path(source.file))
        plans = imports_of(given, registry)
        if not tables_chosen:
            plans = with_shared_tables(plans, registry)
        whole, commands = _commands(command, len(plans))
        rejects_path = None if rejects_file is None else _path(rejects_file, "rejects_file")
        if rejects_path is not None and len(plans) > 1:
            raise PlanError("rejects_file is one file, and there are several imports: each writes its own by default")
        components = [components_of(each, registry) for each in plans]
        if rejects_path is not None:
            check_reject_path(rejects_path, source_path(plans[0].source.file))
        elif not all(each.options.dry_run for each in plans):
            check_default_place()
        stores = [
            RejectStore(
                source_path(each.source.file), rejects_path, dry_run=each.options.dry_run, mends=each.source.mends
            )
            for each in plans
        ]
        executor = executor or plans[0].options.executor
        self._listener = listener
        self._imports = ImportSet(
            [
                PlannedImport(each, parts, store, opening if number == 0 else None, commands[number])
                for number, (each, parts, store) in enumerate(zip(plans, components, stores, strict=True))
            ],
            executor,
            registry.make_executor(executor, plans[0].options.plugin_options),
            self._on_event,
            approve,
        )
        stores[0].open()  # a missing place for rejects is found before anything begins
        self._recorder: Recorder | None = None
        if recordings is not None:
            self._recorder = Recorder(recordings, self._imports.run_id, whole, plans)

    @property
    def run_id(self) -> str:
        """The run's id. Ids sort by time; they are unique on this machine and, very likely, elsewhere."""
        return self._imports.run_id

    @property
    def resolved_plan(self) -> Plan | None:
        """The plan of the first import with all defaults resolved; None until it is known."""
        return self._imports.resolved_plans[0]

    @property
    def stopping(self) -> bool:
        """Whether the run has been told to stop."""
        return self._imports.stopping

    def snapshot(self) -> Snapshot:
        """The current values of all counters."""
        return self._imports.snapshot()

    def stop(self, reason: str = "stopped on request", exit_code: ExitCode = ExitCode.STOPPED) -> None:
        """Take no further batches and begin no further imports, finish the batches in flight, and report."""
        self._imports.stop(reason, exit_code)

    def abort(self, reason: str = "aborted on request", exit_code: ExitCode = ExitCode.STOPPED) -> None:
        """Stop, and cancel the statements in flight at the database: their batches are rolled back."""
        self._imports.abort(reason, exit_code)

    def pause(self) -> None:
        """Finish the batches in flight and take no further ones until :meth:`unpause`."""
        self._imports.pause(paused=True)

    def unpause(self) -> None:
        """Continue a paused run."""
        self._imports.pause(paused=False)

    def change_workers(self, workers: int) -> None:
        """Set the number of workers; raises :class:`tui_importer.errors.UsageError` if that is not possible."""
        self._imports.change_workers(workers)

    @property
    def recording_trouble(self) -> str | None:
        """Why the recording of the run failed or is incomplete; None if it is complete."""
        return self._recorder.trouble if self._recorder else None

    def execute(self) -> Report:
        """Carry out the imports, once. A failure of the run is reported, not raised.

        The report of several imports is a :class:`~tui_importer.core.model.report.SetReport`.
        """
        if self._recorder is None:
            return self._imports.execute()
        report = None
        self._recorder.start(self.snapshot)
        control = self._recorder.open_control(self)
        try:
            report = self._imports.execute()
        finally:
            if control is not None:
                control.close()
            self._recorder.close(report)
        return report

    def _on_event(self, event: AnyEvent) -> None:
        if self._recorder is not None:
            self._recorder.on_event(event)
        self._listener(event)


def run_import(
    plan: Plan | Sequence[Plan],
    *,
    listener: Listener = ignore,
    rejects_file: str | Path | None = None,
    record: bool = True,
) -> Report:
    """Import a spreadsheet into a database and return the report.

    A plan of several sources, or several plans, are one run: the imports are carried out one after another, and one
    that fails does not stop the others. The report then is a :class:`~tui_importer.core.model.report.SetReport`.
    ``listener`` is called with every event of the run (:mod:`tui_importer.events`), one at a time, from the run's
    threads. Rejected rows are written to ``rejects_file`` (by default ``NAME.rejects.xlsx`` in the current folder).
    Unless ``record`` is false, the run is recorded in a private folder of the user's state directory. Raises
    :class:`tui_importer.errors.UsageError` for an invalid request; any other failure is in the report's ``outcome``,
    ``exit_code`` and ``error``.
    """
    folder = recordings_folder() if record else None
    return Run(plan, listener=listener, rejects_file=rejects_file, recordings=folder).execute()


def _plans(given: object) -> Sequence[Plan]:
    if not isinstance(given, Sequence) or isinstance(given, (str, bytes)):
        raise PlanError(f"a Plan is needed, not {type(given).__name__}")
    if not given:
        raise PlanError("a Plan is needed, and there is none")
    return given


def _commands(given: str | Sequence[str] | None, imports: int) -> tuple[str | None, Sequence[str | None]]:
    """The command line of the run, and that of each import."""
    if given is None or isinstance(given, str):
        return given, [given] * imports
    return given[0], given[1:]


def open_writer(
    spec: WriterSpec, *, worker: int = 1, database: str | None = None, registry: Registry | None = None
) -> AbstractContextManager[RemoteWriter]:
    """Open the writer of a :class:`WriterSpec` in this process, which need not be the one of the run.

    A spec, its pickle and its ``repr`` contain no password. If the database wants one, there are two ways for it:
    either what its client finds by itself on this machine (for PostgreSQL ``PGPASSWORD``, a service file or
    ``.pgpass``), or ``database``, the whole address with the password, which the caller takes from where it keeps
    secrets. ``worker`` is the number of the worker in the run. Connects within the context; raises
    :class:`tui_importer.errors.DatabaseError` if that fails, and :class:`tui_importer.errors.PlanError` if the spec's
    backend is not installed here.
    """
    registry = registry or load_registry()
    from tui_importer.core.writing.remote_writer import open_remote_writer  # few runs need it

    return open_remote_writer(spec, registry.make_backend, worker=worker, database=database)


def _path(given: object, name: str) -> Path:
    if not isinstance(given, (str, Path)):
        raise PlanError(f"{name} must be a path, not an object of type {type(given).__name__}")
    return Path(given)
