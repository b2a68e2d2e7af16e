"""What the server of :mod:`tui_importer.testing.processes` imports once for all of its processes."""

import asyncio  # noqa: F401

import tui_importer.backends.postgresql
import tui_importer.backends.sqlite
import tui_importer.core.books
import tui_importer.readers.csv_text
import tui_importer.rejects.workbook
import tui_importer.testing.processes  # noqa: F401
