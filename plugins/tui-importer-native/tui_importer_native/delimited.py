"""Delimited text: the built-in reader finds out how it is written, and the records are cut in compiled code.

What that does not know, and a file from the first record on that is not well-formed, is the built-in reader's.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType

from tui_importer import Block, DelimitedFile, DelimitedReader, Layout, SheetInfo, TextFormat
from tui_importer_native import _native

_log = logging.getLogger("tui_importer.libraries.native")


class NativeDelimitedReader:
    """Reads delimited text. Cells are texts; types are inferred from whole columns."""

    typed = False

    def __init__(self, text_format: TextFormat | None = None) -> None:
        self._built_in = DelimitedReader(text_format, examine=_examine)

    def with_text_format(self, text_format: TextFormat) -> NativeDelimitedReader:
        """The same reader for files that are written as the user says."""
        return NativeDelimitedReader(text_format)

    def open(self, path: Path) -> DelimitedFile | NativeDelimitedFile:
        """Open the file. Raises :class:`tui_importer.SourceError` if the built-in reader does."""
        file = self._built_in.open(path)
        dialect = file.dialect
        others = dialect.escapes or dialect.skips_blanks or dialect.row_names or dialect.comments
        if others or not (dialect.delimiter + (dialect.quote or "")).isascii() or file.encoding not in _ENCODINGS:
            return file
        return NativeDelimitedFile(path, file)

    def limits(self, path: Path) -> tuple[str, ...]:
        return self._built_in.limits(path)


def _examine(path: Path) -> tuple[bool, bool]:
    try:
        return _native.examine(path)
    except _native.UnusualError:
        return False, False  # the built-in reader says what is wrong


#: UTF-8 without and with a byte order mark.
_ENCODINGS = ("utf-8", "utf-8-sig")


class NativeDelimitedFile:
    """A file as a workbook of one sheet. It is also the sheet: every call of ``blocks`` reads the file again."""

    def __init__(self, path: Path, file: DelimitedFile) -> None:
        self._path = path
        self._file = file
        self.name = file.name
        self.row_hint: int | None = None
        self.sheets: Sequence[SheetInfo] = file.sheets

    def sheet(self, name: str) -> NativeDelimitedFile:
        return self

    def blocks(self, rows: int) -> Iterator[Block]:
        dialect, row = self._file.dialect, 0
        try:
            for first, columns in _native.TextBlocks(
                self._path,
                rows,
                delimiter=dialect.delimiter,
                quote=dialect.quote,
                separator_line=dialect.separator_line,
            ):
                row = first + len(columns[0])
                yield Block(first_row=first + 1, columns=tuple(columns))
        except _native.UnusualError as error:
            _log.debug("%s: left to the built-in reader after row %d: %s", self._path, row, error)
        else:
            return
        for block in self._file.blocks(rows):
            known = max(0, row - block.first_row + 1)
            if known < len(block):
                rest = tuple(column.slice(known, len(block)) for column in block.columns)
                yield Block(first_row=block.first_row + known, columns=rest)

    def notes(self, layout: Layout) -> tuple[str, ...]:
        """What was found out about the text that is not usual."""
        return self._file.notes(layout)

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> NativeDelimitedFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
