"""Imports spreadsheets into SQL databases: every row exactly once, and every rejected row with its reason.

An example::

    from tui_importer import Options, Plan, Source, Target, run_import

    report = run_import(
        Plan(
            source=Source(file="sample_data.xlsx"),
            target=Target(database="sample_data.db"),
            options=Options(strategy="batched"),
        ),
        listener=print,
    )
    print(report.outcome, report.stats.success_count, report.stats.error_count)

All public names are imported from here, each when it is first used, so ``import tui_importer`` is fast.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tui_importer.api import Run, open_writer, run_import
    from tui_importer.backends.sql.catalog import SqlCatalog
    from tui_importer.backends.sql.database import SqlConnection, SqlDatabase
    from tui_importer.backends.sql.dialects import SqlDialect
    from tui_importer.backends.sql.faults import ErrorTranslation
    from tui_importer.backends.sql.ledger import SqlLedger
    from tui_importer.backends.sql.ledger_tables import LedgerStatements, worker_statements
    from tui_importer.backends.sql.session import AsyncSqlSession, SessionOperations, SqlSession
    from tui_importer.backends.sql.sqlalchemy_database import SQLAlchemyDatabase, SQLAlchemyDialect
    from tui_importer.core.model.batch import Batch, Block
    from tui_importer.core.model.batch_outcome import BatchOutcome
    from tui_importer.core.model.cells import Cell, CellError, EmptyText, MalformedRecord, UncalculatedFormula
    from tui_importer.core.model.column import Column, ColumnStore, common_store
    from tui_importer.core.model.counters import Snapshot, progress
    from tui_importer.core.model.encoded import EncodedBatch
    from tui_importer.core.model.formats import ColumnFormat, Formats
    from tui_importer.core.model.list_column import ListColumn
    from tui_importer.core.model.plan import ColumnPlan, Options, Plan, Source, Target
    from tui_importer.core.model.plan_file import load_plan, save_plan
    from tui_importer.core.model.ranges import CellRange
    from tui_importer.core.model.rates import eta, rate
    from tui_importer.core.model.report import Report, SetReport
    from tui_importer.core.model.table import Constraint, ConstraintKind, Index, Table, TableColumn
    from tui_importer.core.model.table_change import TableChange
    from tui_importer.core.model.text_format import TextFormat
    from tui_importer.core.model.types import ColumnType, Kind
    from tui_importer.core.model.url import portable_address
    from tui_importer.core.model.write_mode import OnConflict, WriteKind, WriteMode
    from tui_importer.core.run.difference import Difference, RowChange
    from tui_importer.core.run.undo import Undoing
    from tui_importer.core.scheduling.executor import Executor, ImportElsewhere, ImportQueue, ImportSpec, PendingImport
    from tui_importer.core.scheduling.strategy import AsyncWriter, Job, Strategy, Writer
    from tui_importer.core.scheduling.task_pool import run_tasks
    from tui_importer.core.scheduling.worker_pool import run_workers
    from tui_importer.core.source.layout import Layout
    from tui_importer.core.source.reader import MergedSheet, NotedSheet, OpenSheet, Reader, SheetInfo, Workbook
    from tui_importer.core.writing.access import Access
    from tui_importer.core.writing.backend import (
        AsyncSession,
        Backend,
        ConnectionSettings,
        Destination,
        IsolatedRows,
        Session,
    )
    from tui_importer.core.writing.base import BaseAsyncSession, BaseBackend, BaseSession
    from tui_importer.core.writing.catalog import BaseCatalog, Catalog
    from tui_importer.core.writing.defaults import PartStatements
    from tui_importer.core.writing.ledger import Claim, Entry, Ledger
    from tui_importer.core.writing.loaded import Loaded
    from tui_importer.core.writing.operation import Operation
    from tui_importer.core.writing.remote_writer import RemoteJob, RemoteWorker, RemoteWriter
    from tui_importer.core.writing.threaded_async_session import ThreadedAsyncSession
    from tui_importer.core.writing.writer_spec import WriterSpec
    from tui_importer.errors import (
        BusyError,
        DatabaseError,
        DataFault,
        EmptySheetError,
        ExitCode,
        ImporterError,
        PlanError,
        ReconciliationError,
        SourceError,
        StoppedError,
        SupersededError,
        TransientFault,
        UnreachableError,
        UsageError,
        VerificationError,
        WorkerError,
    )
    from tui_importer.events import AnyEvent, Fault, Listener, Noticed, Reject
    from tui_importer.inspection import (
        Definition,
        Inspection,
        TargetTable,
        compare_with_table,
        inspect_source,
        look_at_target,
        table_definition,
    )
    from tui_importer.plugins.hookspecs import PLUGIN_API_VERSION, hookimpl
    from tui_importer.plugins.specs import BackendSpec, ExecutorSpec, ReaderSpec, StrategySpec
    from tui_importer.process.part import ImportProcess
    from tui_importer.process.watched_folder import (
        AnyWatchEvent,
        FileEnded,
        FileMoved,
        FileNotMoved,
        FilePostponed,
        FileStarted,
        WatchOptions,
    )
    from tui_importer.readers.calamine import CalamineReader
    from tui_importer.readers.delimited.reader import DelimitedFile, DelimitedReader
    from tui_importer.rejects.mended import mended_plan
    from tui_importer.undo import undo_run
    from tui_importer.watch import Watch, watch_folder

__all__ = [
    "PLUGIN_API_VERSION",
    "Access",
    "AnyEvent",
    "AnyWatchEvent",
    "AsyncSession",
    "AsyncSqlSession",
    "AsyncWriter",
    "Backend",
    "BackendSpec",
    "BaseAsyncSession",
    "BaseBackend",
    "BaseCatalog",
    "BaseSession",
    "Batch",
    "BatchOutcome",
    "Block",
    "BusyError",
    "CalamineReader",
    "Catalog",
    "Cell",
    "CellError",
    "CellRange",
    "Claim",
    "Column",
    "ColumnFormat",
    "ColumnPlan",
    "ColumnStore",
    "ColumnType",
    "ConnectionSettings",
    "Constraint",
    "ConstraintKind",
    "DataFault",
    "DatabaseError",
    "Definition",
    "DelimitedFile",
    "DelimitedReader",
    "Destination",
    "Difference",
    "EmptySheetError",
    "EmptyText",
    "EncodedBatch",
    "Entry",
    "ErrorTranslation",
    "Executor",
    "ExecutorSpec",
    "ExitCode",
    "Fault",
    "FileEnded",
    "FileMoved",
    "FileNotMoved",
    "FilePostponed",
    "FileStarted",
    "Formats",
    "ImportElsewhere",
    "ImportProcess",
    "ImportQueue",
    "ImportSpec",
    "ImporterError",
    "Index",
    "Inspection",
    "IsolatedRows",
    "Job",
    "Kind",
    "Layout",
    "Ledger",
    "LedgerStatements",
    "ListColumn",
    "Listener",
    "Loaded",
    "MalformedRecord",
    "MergedSheet",
    "NotedSheet",
    "Noticed",
    "OnConflict",
    "OpenSheet",
    "Operation",
    "Options",
    "PartStatements",
    "PendingImport",
    "Plan",
    "PlanError",
    "Reader",
    "ReaderSpec",
    "ReconciliationError",
    "Reject",
    "RemoteJob",
    "RemoteWorker",
    "RemoteWriter",
    "Report",
    "RowChange",
    "Run",
    "SQLAlchemyDatabase",
    "SQLAlchemyDialect",
    "Session",
    "SessionOperations",
    "SetReport",
    "SheetInfo",
    "Snapshot",
    "Source",
    "SourceError",
    "SqlCatalog",
    "SqlConnection",
    "SqlDatabase",
    "SqlDialect",
    "SqlLedger",
    "SqlSession",
    "StoppedError",
    "Strategy",
    "StrategySpec",
    "SupersededError",
    "Table",
    "TableChange",
    "TableColumn",
    "Target",
    "TargetTable",
    "TextFormat",
    "ThreadedAsyncSession",
    "TransientFault",
    "UncalculatedFormula",
    "Undoing",
    "UnreachableError",
    "UsageError",
    "VerificationError",
    "Watch",
    "WatchOptions",
    "Workbook",
    "WorkerError",
    "WriteKind",
    "WriteMode",
    "Writer",
    "WriterSpec",
    "common_store",
    "compare_with_table",
    "eta",
    "hookimpl",
    "inspect_source",
    "load_plan",
    "look_at_target",
    "mended_plan",
    "open_writer",
    "portable_address",
    "progress",
    "rate",
    "run_import",
    "run_tasks",
    "run_workers",
    "save_plan",
    "table_definition",
    "undo_run",
    "watch_folder",
    "worker_statements",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("tui-importer")
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from tui_importer.public_names import MODULES

    value = getattr(importlib.import_module(MODULES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
