"""Reads csv, tsv and other delimited text, record by record."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from types import TracebackType

from msgspec.structs import replace

from tui_importer.core.model.batch import Block
from tui_importer.core.model.cells import MalformedRecord
from tui_importer.core.model.text_format import TextFormat
from tui_importer.core.source.layout import Layout
from tui_importer.core.source.reader import SheetInfo
from tui_importer.errors import SourceError
from tui_importer.readers.blocks import blocks
from tui_importer.readers.delimited.dialect import SAMPLE_LINES, are_escapes, find_dialect
from tui_importer.readers.delimited.encoding import Examine, find_encoding
from tui_importer.readers.delimited.records import Dialect, Records
from tui_importer.readers.files import check_text

#: The csv module refuses fields over 128 KiB by default (the limit is process-wide); PostgreSQL's own limit is 1 GiB.
_FIELD_LIMIT = (1 << 30) - 1
#: The names of delimiters in messages.
_NAMES = {":": "colons", " ": "blanks"}


class DelimitedReader:
    """Reads delimited text. Cells are texts; types are inferred from whole columns."""

    typed = False

    def __init__(self, text_format: TextFormat | None = None, examine: Examine | None = None) -> None:
        """``examine`` is a faster way of finding out whether a file is in UTF-8."""
        self._format = text_format or TextFormat()
        self._examine = examine

    def with_text_format(self, text_format: TextFormat) -> DelimitedReader:
        """The same reader for files that are written as the user says."""
        return DelimitedReader(text_format, self._examine)

    def open(self, path: Path) -> DelimitedFile:
        csv.field_size_limit(_FIELD_LIMIT)
        check_text(path)
        encoding = find_encoding(path, self._format.encoding, self._examine)
        with _lines(path, encoding.name) as lines:
            sample = list(islice(lines, SAMPLE_LINES))
            whole = next(lines, None) is None
        tabs = path.suffix.lower() in (".tsv", ".tab")
        dialect = find_dialect(sample, self._format, whole=whole, tabs=tabs)
        if encoding.backslash_quotes and dialect.quote == '"':
            dialect = replace(dialect, escapes=are_escapes(partial(_lines, path, encoding.name), dialect))
        first = next(filter(None, Records(iter(sample), dialect, beginning=not whole)), ())
        if first and isinstance(first[0], MalformedRecord):
            raise SourceError(f"{path}: {first[0].reason}: a table needs its header (--quote and --delimiter may help)")
        return DelimitedFile(path, encoding.name, dialect)

    def limits(self, path: Path) -> tuple[str, ...]:
        return ()


class DelimitedFile:
    """A file as a workbook of one sheet, named after the file. It is also the sheet: every call of ``blocks`` reads the
    file again. ``encoding`` (Python's name) and ``dialect`` are how it is written."""

    def __init__(self, path: Path, encoding: str, dialect: Dialect) -> None:
        self._path = path
        self.encoding = encoding
        self.dialect = dialect
        self.name = path.stem
        self.row_hint: int | None = None
        self.sheets: Sequence[SheetInfo] = [SheetInfo(self.name)]

    def sheet(self, name: str) -> DelimitedFile:
        return self

    def blocks(self, rows: int) -> Iterator[Block]:
        # Rows are records, as in a spreadsheet program, not lines.
        with _lines(self._path, self.encoding) as lines:
            yield from blocks(Records(lines, self.dialect), rows)

    def notes(self, layout: Layout) -> tuple[str, ...]:
        """What was found out about the text that is not usual."""
        dialect = self.dialect
        notes = []
        if not self.encoding.startswith("utf-8"):
            notes.append(f"{self._path.name} is read as {self.encoding}")
        if dialect.delimiter in _NAMES:
            notes.append(f"cells are separated by {_NAMES[dialect.delimiter]} (--delimiter names another delimiter)")
        if dialect.quote not in ('"', None):
            notes.append(f"cells are quoted by {dialect.quote} (--quote names another quote)")
        if dialect.escapes:
            notes.append("a backslash in front of a quote or a backslash is not part of the text")
        if dialect.row_names:
            notes.append("the header has one cell less than the rows: their first cells are the names of the rows")
        if dialect.comments:
            notes.append("lines that begin with # are comments: left out")
        return tuple(notes)

    def close(self) -> None:
        """Does nothing: no file is open between calls of :meth:`blocks`."""

    def __enter__(self) -> DelimitedFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


@contextmanager
def _lines(path: Path, encoding: str) -> Iterator[Iterator[str]]:
    """The lines of a text file with their ends; errors are raised as :class:`SourceError`."""
    try:
        with path.open(encoding=encoding, newline="") as file:
            yield file
    except (csv.Error, UnicodeError) as error:
        raise SourceError(f"{path}: cannot be read as delimited text: {error}") from error
    except OSError as error:
        raise SourceError(f"{path}: cannot be read: {error.strerror}") from error
