"""Rejects as a workbook to mend and give back: the rows as they stood in the sheet, each with its reasons."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import chain, islice
from pathlib import Path
from typing import Any

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Alignment, Font

from tui_importer.core.cells import MAX_COLUMNS, MAX_ROWS, column_letters
from tui_importer.errors import ImporterError
from tui_importer.events import Reject
from tui_importer.rejects.paths import SUFFIX
from tui_importer.rejects.text import MAX_CELL_TEXT, escaped, fitting, is_formula_like

#: The headers of the columns at the right that say what was wrong; a file that is given back has them, too.
REASON_HEADERS = ("Rejected row", "Cell", "Column", "Reason", "SQLSTATE")
#: The name of the sheet; further ones are called "Rejects 2" and so on.
SHEET_NAME = "Rejects"
#: Rows looked at for the widths of the columns, which a streamed sheet must say before its rows.
_WIDTH_SAMPLE = 100
#: Narrowest and widest column, in characters.
_MIN_WIDTH, _MAX_WIDTH = 8, 60
#: "Text": what is typed into such a cell stays as it is typed, leading zeros and all.
_TEXT_FORMAT = "@"

#: A sheet that openpyxl streams; openpyxl has neither types nor a public name for it.
Sheet = Any


def source_width(headers: Sequence[str | None]) -> int:
    """How many columns of a sheet are the user's own: in a reject workbook, all but those at its right."""
    width = len(headers)
    return width - len(REASON_HEADERS) if tuple(headers[-len(REASON_HEADERS) :]) == REASON_HEADERS else width


def write_reject_workbook(
    path: Path, headers: Sequence[str], rejects: Iterable[Reject], *, rows_per_sheet: int = MAX_ROWS - 1
) -> int:
    """Write the rejects and return how many; the file appears whole or not at all, readable by its owner only.

    Every cell is text that reads back exactly as it was; one that is too long for a cell is cut, and its reason
    says so. More than ``rows_per_sheet`` go on in further sheets. Raises :class:`ImporterError` where the file cannot
    be written, and whatever ``rejects`` raises; a former file is then left as it was.
    """
    if len(headers) + len(REASON_HEADERS) > MAX_COLUMNS:
        raise ImporterError(f"{path}: {len(headers):,} columns leave no room for the reasons in a worksheet")
    temporary: str | None = None
    try:
        # In the same folder, so that it can be renamed; made with mode 0600.
        handle, temporary = tempfile.mkstemp(prefix=".tui_importer-", suffix=SUFFIX, dir=path.parent)
        os.close(handle)
        count = _write(temporary, headers, rejects, rows_per_sheet)
        os.replace(temporary, path)
    except OSError as error:
        raise ImporterError(f"{path}: cannot write the rejects: {error.strerror or error}") from error
    else:
        temporary = None
        return count
    finally:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)


def _write(path: str, headers: Sequence[str], rejects: Iterable[Reject], rows_per_sheet: int) -> int:
    workbook = Workbook(write_only=True)
    remaining = iter(rejects)
    count = 0
    sheets = 0
    try:
        while True:
            sample = list(islice(remaining, min(_WIDTH_SAMPLE, rows_per_sheet)))
            if not sample and sheets:
                break
            sheets += 1
            sheet = workbook.create_sheet(SHEET_NAME if sheets == 1 else f"{SHEET_NAME} {sheets}")
            rows = islice(remaining, rows_per_sheet - len(sample))
            count += _write_sheet(sheet, headers, sample, rows)
        workbook.save(path)
    except BaseException:
        _abandon(workbook)
        raise
    return count


def _write_sheet(sheet: Sheet, headers: Sequence[str], sample: Sequence[Reject], rest: Iterable[Reject]) -> int:
    all_headers = (*headers, *REASON_HEADERS)
    lines = [_texts(reject, headers) for reject in sample]
    for index, header in enumerate(all_headers):
        texts = chain((header,), (line[index] or "" for line in lines))
        longest = max(len(part) for text in texts for part in text.split("\n"))
        sheet.column_dimensions[column_letters(index)].width = min(max(longest + 2, _MIN_WIDTH), _MAX_WIDTH)
    sheet.freeze_panes = "A2"
    pen = _Pen(sheet)
    sheet.append(pen.cells([fitting(header) for header in all_headers], header=True))
    count = 0
    for line in chain(lines, (_texts(reject, headers) for reject in rest)):
        sheet.append(pen.cells(line))
        count += 1
    sheet.auto_filter.ref = f"A1:{column_letters(len(all_headers) - 1)}{count + 1}"
    sheet.close()
    return count


class _Pen:
    """Makes cells that are nothing but text."""

    def __init__(self, sheet: Sheet) -> None:
        # Cells are written one by one, so one of each kind is enough: styling each anew takes most of the time.
        self._plain = WriteOnlyCell(sheet)
        self._formula_like = WriteOnlyCell(sheet)
        self._header = WriteOnlyCell(sheet)
        for cell in (self._plain, self._formula_like, self._header):
            cell.number_format = _TEXT_FORMAT
            cell.alignment = Alignment(vertical="top")
        self._formula_like.quotePrefix = True
        self._header.font = Font(bold=True)

    def cells(self, texts: Sequence[str | None], *, header: bool = False) -> Iterator[WriteOnlyCell | None]:
        for text in texts:
            if not text:
                yield None
                continue
            cell = self._header if header else self._formula_like if is_formula_like(text) else self._plain
            # Not through `value`: that would make formulas and error values of texts, and cut what is escaped.
            cell._value = escaped(text)
            cell.data_type = "s"
            yield cell


def _texts(reject: Reject, headers: Sequence[str]) -> list[str | None]:
    """A reject's line: its cells, its reasons, and at the far right what has no header, so that nothing is lost."""
    width = len(headers)
    cells = [None if value is None else fitting(value) for value in reject.values]
    cells += [None] * (width - len(cells))
    reasons = [fault.reason for fault in reject.faults]
    for index, value in enumerate(reject.values):
        if value is not None and cells[index] != value:
            name = headers[index] if index < width else column_letters(index)
            reasons.append(f"{name}: longer than the {MAX_CELL_TEXT:,} characters of a cell, cut here")
    said: list[str | None] = [
        str(reject.row),
        fitting("\n".join(fault.cell for fault in reject.faults)),
        fitting("\n".join(fault.column or "" for fault in reject.faults)),
        fitting("\n".join(reasons)),
        "\n".join(fault.sqlstate or "" for fault in reject.faults),
    ]
    said = [text if text is None or text.strip("\n") else None for text in said]
    return [*cells[:width], *said, *cells[width:]]


def _abandon(workbook: Workbook) -> None:
    """Remove what openpyxl keeps of the sheets' rows in the system's folder for temporary files."""
    for sheet in workbook.worksheets:
        writer = sheet._writer
        if writer is None or not os.path.exists(writer.out):
            continue
        with suppress(OSError):  # the disk that was full still is; the first error is the one to tell
            if not sheet.closed:
                sheet.close()
        writer.cleanup()
