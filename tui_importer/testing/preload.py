"""Imported once by the fork server of :mod:`tui_importer.testing.processes`, for all of its processes.

It also carries out a small import: what is looked up once or worked out when it is first used (installed plugins, the
ledger's statements, patterns, the parts of a workbook) took each process a quarter of its time.
"""

import asyncio  # noqa: F401
import gc
import tempfile
from pathlib import Path

import tui_importer.backends.generic.backend
import tui_importer.backends.postgresql.backend
import tui_importer.backends.sqlite.backend
import tui_importer.core.run.import_history
import tui_importer.executors.sequential
import tui_importer.readers.delimited.reader
import tui_importer.rejects.workbook
import tui_importer.strategies.asynchronous
import tui_importer.strategies.batched
import tui_importer.strategies.sequential
import tui_importer.strategies.threaded
import tui_importer.testing.processes  # noqa: F401
from tui_importer.api import Run
from tui_importer.backends.postgresql.statements import compiled_ledger
from tui_importer.plugins.registry import load_registry
from tui_importer.testing.databases import SQLiteDatabase
from tui_importer.testing.oracle import Oracle


def _rehearse() -> None:
    """Carry out a small import, with built-in plugins only: an installed one may start threads, which do not fork."""
    with tempfile.TemporaryDirectory(prefix="tui_importer-testing-") as folder:
        database = SQLiteDatabase(Path(folder) / "rehearsal.db")
        oracle = Oracle(Path(folder), rows=4, refused_here=(1,), refused_there=(2,))
        oracle.prepare(database)
        registry = load_registry(found=[])
        Run(oracle.plan(database.url), registry=registry, rejects_file=Path(folder) / "rejects.xlsx").execute()


_rehearse()
compiled_ledger(None)
# Pages that collections would write to stay shared with the processes.
gc.collect()
gc.freeze()
