"""Imported once by the fork server of :mod:`tui_importer.testing.processes`, for all of its processes.

What every import loads or looks up once is there then: modules, installed plugins, and the ledger's statements.
"""

import asyncio  # noqa: F401

import tui_importer.backends.postgresql.backend
import tui_importer.backends.sqlite.backend
import tui_importer.core.run.import_history
import tui_importer.executors.sequential
import tui_importer.readers.calamine
import tui_importer.readers.delimited.reader
import tui_importer.readers.found
import tui_importer.rejects.workbook
import tui_importer.strategies.batched
import tui_importer.strategies.sequential
import tui_importer.strategies.threaded
import tui_importer.testing.processes  # noqa: F401
from tui_importer.backends.postgresql.statements import compiled_ledger
from tui_importer.backends.sqlite.session import compiled_ledger as sqlite_ledger
from tui_importer.plugins.registry import load_registry

load_registry()
compiled_ledger(None)
sqlite_ledger()
