"""The reader protocol: a reader opens a file and returns a sheet's rows as blocks of columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self, runtime_checkable

import msgspec

from tui_importer.core.model.batch import Block
from tui_importer.core.model.plan import Source
from tui_importer.core.model.ranges import CellRange
from tui_importer.core.model.text_format import TextFormat
from tui_importer.core.source.layout import Layout
from tui_importer.errors import PlanError


class SheetInfo(msgspec.Struct, frozen=True):
    """A sheet of a workbook. ``hidden`` sheets are read only if requested by name or number."""

    name: str
    hidden: bool = False


class OpenSheet(Protocol):
    """A sheet that is open for reading."""

    @property
    def name(self) -> str: ...

    @property
    def row_hint(self) -> int | None:
        """The number of rows of the sheet, including blank ones; None if the reader does not know it.

        It may change while rows are read.
        """

    def blocks(self, rows: int) -> Iterator[Block]:
        """All rows in sheet order, at most ``rows`` per block, the first block as soon as possible.

        Can be called again: types are inferred in one pass and rows loaded in another. Every block has the same
        ``first_column``; a later one may be wider than an earlier one. What cannot be cut into cells is a row whose
        cells are all the same :class:`tui_importer.MalformedRecord`, and is rejected.
        """


@runtime_checkable
class NotedSheet(OpenSheet, Protocol):
    """An open sheet that may have notes about its cells."""

    def notes(self, layout: Layout) -> tuple[str, ...]:
        """Sentences for the user about cells of the table, for ``inspect`` and the report.

        There may be more of them after the rows were read.
        """


@runtime_checkable
class MergedSheet(OpenSheet, Protocol):
    """An open sheet that knows which of its cells are merged, if the reader can tell that for nothing."""

    def merged(self, last_row: int) -> Sequence[CellRange]:
        """The merged ranges that begin in sheet rows up to ``last_row`` (from 1)."""


def merged_ranges(sheet: OpenSheet, last_row: int) -> Sequence[CellRange]:
    """The merged ranges of a sheet that begin in rows up to ``last_row``, as far as its reader tells them."""
    return sheet.merged(last_row) if isinstance(sheet, MergedSheet) else ()


class Workbook(Protocol):
    """An open file."""

    @property
    def sheets(self) -> Sequence[SheetInfo]:
        """The sheets that have cells, in the order of the file; a CSV file has one."""

    def sheet(self, name: str) -> OpenSheet:
        """Open a sheet for reading."""

    def close(self) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...


class Reader(Protocol):
    """Opens files of one or more formats.

    ``typed``: cells have types; if not (CSV), numbers and dates are inferred from the text. ``limits`` returns
    sentences about what this reader cannot detect in this file, for ``inspect`` and the report.
    """

    typed: bool

    def open(self, path: Path) -> Workbook:
        """Open the file. Raises :class:`tui_importer.errors.SourceError` if it cannot be read."""

    def limits(self, path: Path) -> tuple[str, ...]: ...


@runtime_checkable
class HeadReader(Reader, Protocol):
    """A reader that parses a whole sheet when it is opened, and can do with less for its first rows."""

    def open_head(self, path: Path) -> Workbook | None:
        """The file, with sheets that may end after :data:`tui_importer.core.source.header.LAYOUT_ROWS` rows that are
        not blank; None if that saves nothing. Raises :class:`tui_importer.errors.SourceError` where the whole sheet has
        to be parsed to know more."""


@runtime_checkable
class TextReader(Reader, Protocol):
    """A reader of delimited text, which the user may have to describe."""

    def with_text_format(self, text_format: TextFormat) -> Reader:
        """The same reader for files that are written in this way; None in it is detected from the file."""


def described(reader: Reader, source: Source, name: str) -> Reader:
    """The reader for a source whose text the user may have described; raises :class:`PlanError` if it reads no text.

    ``name`` is the reader's name.
    """
    text_format = source.text_format
    if text_format == TextFormat():
        return reader
    if not isinstance(reader, TextReader):
        raise PlanError(
            f"--encoding, --delimiter and --quote are for delimited text: {source.file} is read by reader {name!r}"
        )
    return reader.with_text_format(text_format)
