"""Opening a source for its header alone."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

from tui_importer.core.model.plan import Source
from tui_importer.core.source.open_source import OpenSource, find_source, open_source
from tui_importer.core.source.reader import HeadReader, Reader
from tui_importer.core.source.sheets import open_sheet
from tui_importer.errors import ImporterError


def open_head(path: Path, reader: Reader, source: Source) -> OpenSource:
    """Open a source as :func:`~tui_importer.core.source.open_source.open_source` does, but possibly without the rows
    below its first ones, which cost time in some formats.

    That is done where nothing but them decides what the header is: a row of texts, found without being told where.
    """
    if isinstance(reader, HeadReader) and source.range is None and source.header_row is None:
        with suppress(ImporterError):  # whatever is wrong is found again
            head = _head(path, reader, source)
            if head is not None:
                return head
    return open_source(path, reader, source)


def _head(path: Path, reader: HeadReader, source: Source) -> OpenSource | None:
    started = time.perf_counter()
    workbook = reader.open_head(path)
    if workbook is None:
        return None
    sheet, note = open_sheet(path, workbook, source)
    found = find_source(path, workbook, sheet, source, note, typed=reader.typed, started=started)
    return found if found.layout.header_row and not found.layout.joined and _is_text(found) else None


def _is_text(source: OpenSource) -> bool:
    """Whether each cell of the header is a text."""
    row = source.layout.header_row
    block = next(source.sheet.blocks(row))
    if len(block) < row:
        return False
    return all(cell is None or isinstance(cell, str) for column in block.columns for cell in column.values()[row - 1 :])
