"""Imported once by the fork server of :mod:`tui_importer.testing.processes`, for all of its processes."""

import asyncio  # noqa: F401

import tui_importer.backends.postgresql.backend
import tui_importer.backends.sqlite.backend
import tui_importer.core.run.import_history
import tui_importer.readers.delimited.reader
import tui_importer.rejects.workbook
import tui_importer.testing.processes  # noqa: F401
