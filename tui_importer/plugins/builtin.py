"""The built-in readers, strategies, backends and executors, as a plugin."""

from __future__ import annotations

from typing import Annotated

import msgspec

from tui_importer.plugins.hookspecs import hookimpl
from tui_importer.plugins.specs import BackendSpec, ExecutorSpec, ReaderSpec, StrategySpec


class ProcessesOptions(msgspec.Struct, frozen=True):
    """The options of :class:`tui_importer.executors.processes.Processes`."""

    jobs: Annotated[
        int, msgspec.Meta(ge=0, description="Imports carried out at the same time; 0: as many as there are processors")
    ] = 0


@hookimpl
def tui_importer_readers() -> list[ReaderSpec]:
    """Spreadsheets and delimited text."""
    return [
        ReaderSpec(
            "calamine",
            "fast; holds one sheet in memory",
            "tui_importer.readers.calamine:CalamineReader",
            extensions=(".xlsx", ".xlsm", ".xltx", ".xltm", ".xlsb", ".xls", ".ods"),
        ),
        ReaderSpec(
            "openpyxl",
            "slow; little memory, however large the sheet",
            "tui_importer.readers.openpyxl_streaming:OpenpyxlReader",
            extensions=(".xlsx", ".xlsm", ".xltx", ".xltm"),
            priority=-1,
        ),
        ReaderSpec(
            "csv",
            "delimited text",
            "tui_importer.readers.delimited.reader:DelimitedReader",
            extensions=(".csv", ".tsv", ".tab", ".txt"),
        ),
    ]


@hookimpl
def tui_importer_strategies() -> list[StrategySpec]:
    """From the simplest baseline to the fastest."""
    return [
        StrategySpec(
            "sequential", "one worker, one row an INSERT and a commit", "tui_importer.strategies.sequential:Sequential"
        ),
        StrategySpec(
            "threaded",
            "a pool of workers, row by row",
            "tui_importer.strategies.threaded:Threaded",
            aliases=("concurrent",),
        ),
        StrategySpec(
            "batched",
            "a pool of workers, whole batches (the default)",
            "tui_importer.strategies.batched:Batched",
            aliases=("batch",),
        ),
        StrategySpec("async", "asyncio tasks, whole batches", "tui_importer.strategies.asynchronous:Async"),
    ]


@hookimpl
def tui_importer_backends() -> list[BackendSpec]:
    """PostgreSQL, SQLite, and any database that SQLAlchemy supports."""
    return [
        BackendSpec(
            "postgresql",
            "COPY, as text or in binary",
            "tui_importer.backends.postgresql.backend:PostgreSQL",
            schemes=("postgresql", "postgres", "postgresql+psycopg"),
        ),
        BackendSpec(
            "sqlite",
            "one file, one writer",
            "tui_importer.backends.sqlite.backend:SQLite",
            schemes=("sqlite",),
            schemas=False,
        ),
        BackendSpec(
            "sqlalchemy",
            "any other SQLAlchemy URL, by plain INSERTs",
            "tui_importer.backends.generic.backend:Generic",
            schemes=("*",),
            check="tui_importer.backends.generic.backend:engine_for",
        ),
    ]


@hookimpl
def tui_importer_executors() -> list[ExecutorSpec]:
    """Imports on this machine."""
    return [
        ExecutorSpec("sequential", "imports one after another", "tui_importer.executors.sequential:Sequential"),
        ExecutorSpec(
            "processes",
            "imports side by side, in local processes",
            "tui_importer.executors.processes:Processes",
            options=ProcessesOptions,
        ),
    ]
