"""Reads csv, tsv and other delimited text, record by record."""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType

from tui_importer.core.model.batch import Block
from tui_importer.core.source.reader import SheetInfo
from tui_importer.errors import SourceError
from tui_importer.readers.blocks import blocks
from tui_importer.readers.files import check_file

#: The most likely encoding of text that is not UTF-8: Excel's "CSV" on a western Windows.
FALLBACK_ENCODING = "cp1252"
_DELIMITERS = ",;\t|"
_SNIFFED_LINES = 20
_CHUNK = 1 << 20
#: The csv module refuses fields over 128 KiB by default (the limit is process-wide); PostgreSQL's own limit is 1 GiB.
_FIELD_LIMIT = (1 << 30) - 1


class CsvReader:
    """Reads delimited text. Cells are texts; types are inferred from whole columns."""

    typed = False

    def open(self, path: Path) -> CsvFile:
        check_file(path)
        csv.field_size_limit(_FIELD_LIMIT)
        encoding = _encoding(path)
        return CsvFile(path, encoding, _delimiter(path, encoding))

    def limits(self, path: Path) -> tuple[str, ...]:
        if _encoding(path) != FALLBACK_ENCODING:
            return ()
        return (f"{path.name} is not UTF-8: read as Windows-1252",)


class CsvFile:
    """A file as a workbook of one sheet, named after the file. It is also the sheet: every call of ``blocks`` reads the
    file again."""

    def __init__(self, path: Path, encoding: str, delimiter: str) -> None:
        self._path = path
        self._encoding = encoding
        self._delimiter = delimiter
        self.name = path.stem
        self.row_hint: int | None = None
        self.sheets: Sequence[SheetInfo] = [SheetInfo(self.name)]

    def sheet(self, name: str) -> CsvFile:
        return self

    def blocks(self, rows: int) -> Iterator[Block]:
        # Rows are records, as in a spreadsheet program, not lines.
        try:
            with self._path.open(encoding=self._encoding, newline="") as file:
                yield from blocks(csv.reader(file, delimiter=self._delimiter), rows)
        except (csv.Error, UnicodeError) as error:
            raise SourceError(f"{self._path}: cannot be read as delimited text: {error}") from error
        except OSError as error:
            raise SourceError(f"{self._path}: cannot be read: {error.strerror}") from error

    def close(self) -> None:
        """Does nothing: no file is open between calls of :meth:`blocks`."""

    def __enter__(self) -> CsvFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def _encoding(path: Path) -> str:
    """The encoding by byte order mark, else UTF-8 if the whole file is valid UTF-8. A guess from the first bytes could
    fail at row 350,000."""
    try:
        with path.open("rb") as file:
            head = file.read(4)
            if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
                return "utf-16"
            file.seek(0)
            decoder = codecs.getincrementaldecoder("utf-8-sig")()
            while chunk := file.read(_CHUNK):
                decoder.decode(chunk)
            decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return FALLBACK_ENCODING
    except OSError as error:
        raise SourceError(f"{path}: cannot be read: {error.strerror}") from error
    return "utf-8-sig"


def _delimiter(path: Path, encoding: str) -> str:
    """The delimiter that splits the first lines into the same number of fields; of several, the one with most fields.

    One for which every closing quote ends a field is preferred to one that occurs inside of quotes.
    """
    if path.suffix.lower() == ".tsv":
        return "\t"
    for strict in (True, False):
        best, most = None, 1
        for delimiter in _DELIMITERS:
            width = _usual_width(path, encoding, delimiter, strict=strict)
            if width > most:
                best, most = delimiter, width
        if best is not None:
            return best
    return ","


def _usual_width(path: Path, encoding: str, delimiter: str, *, strict: bool) -> int:
    """The number of fields that more than half of the first lines have; 0 if there is none."""
    with path.open(encoding=encoding, errors="replace", newline="") as file:
        records = csv.reader(file, delimiter=delimiter, strict=strict)
        try:
            widths = [len(record) for _, record in zip(range(_SNIFFED_LINES), records, strict=False) if record]
        except csv.Error:
            return 0
    usual = max(set(widths), key=widths.count, default=0)
    return usual if widths.count(usual) * 2 > len(widths) else 0
