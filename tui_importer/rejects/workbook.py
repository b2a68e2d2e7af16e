"""Writes rejects as a workbook to correct and import again: the rows as in the sheet, each with its reasons."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from functools import lru_cache
from io import BytesIO
from itertools import chain, islice
from pathlib import Path
from typing import Any, BinaryIO
from xml.sax.saxutils import escape as xml_escaped
from zipfile import ZIP_DEFLATED, ZipFile

import msgspec
from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.comments.comment_sheet import CommentRecord
from openpyxl.styles import Alignment, PatternFill

from tui_importer.core.conversion.parsing import as_text
from tui_importer.core.model.cells import MAX_COLUMNS, MAX_ROWS, column_letters
from tui_importer.core.model.mending import KEY_HEADER, REASON_HEADERS, RejectKey
from tui_importer.errors import ImporterError
from tui_importer.events import Reject
from tui_importer.rejects.paths import MARK, written_whole
from tui_importer.rejects.text import MAX_CELL_TEXT, escaped, fitting, is_formula_like
from tui_importer.rejects.text_cells import TEXT_FORMAT, text_cell

#: The name of the first sheet; the others are called "Rejects 2" and so on.
SHEET_NAME = "Rejects"
#: Rows measured for the column widths, which a streamed sheet needs before its rows.
_WIDTH_SAMPLE = 100
#: Minimum and maximum width of a column, in characters.
_MIN_WIDTH, _MAX_WIDTH = 8, 60
#: Rejects are corrected soon, not archived: zlib's fastest level takes a third of the usual one's time.
_COMPRESSION = 1
_PIECE = 1 << 20
#: Light red: black text on it has a contrast of more than 14 (WCAG 2.2, 1.4.3).
_FAULTY_COLOUR = "FFFFC7CE"
#: Comments are for people, who do not read more than these; the reasons of all rows are in a column.
_COMMENTED_ROWS = 2_000
_COMMENT_LENGTH = 1_000
_AUTHOR = "tui-importer"

#: A sheet that openpyxl streams; openpyxl has no types and no public name for it.
Sheet = Any


def write_reject_workbook(
    path: Path,
    headers: Sequence[str],
    rejects: Iterable[Reject],
    *,
    run_id: str | None = None,
    rows_per_sheet: int = MAX_ROWS - 1,
) -> int:
    """Write the rejects and return their number. The file appears completely or not at all, readable by its owner only.

    A cell with a fault is coloured, and the reason is its comment. With ``run_id``, that of the import, a hidden column
    says which row of which import each row was, so that it can come back mended
    (:mod:`tui_importer.core.model.mending`). Numbers stay numbers; every other cell is text that reads back exactly,
    and one that is too long for a cell is cut, which its reason says. Rejects beyond ``rows_per_sheet`` are written to
    further sheets. Raises :class:`ImporterError` if the file cannot be written, and whatever ``rejects`` raises; an
    existing file is then unchanged.
    """
    added = REASON_HEADERS if run_id is None else (*REASON_HEADERS, KEY_HEADER)
    if len(headers) + len(added) > MAX_COLUMNS:
        raise ImporterError(f"{path}: {len(headers):,} columns leave no room for the reasons in a worksheet")
    with written_whole(path, "the rejects") as temporary:
        return _write(temporary, _Columns(tuple(headers), added, run_id), rejects, rows_per_sheet)


class _Columns(msgspec.Struct, frozen=True):
    """The columns of the workbook: the user's, those ``added`` at their right, and the run that the keys are of."""

    headers: tuple[str, ...]
    added: tuple[str, ...]
    run_id: str | None

    @property
    def all(self) -> tuple[str, ...]:
        return (*self.headers, *self.added)

    def faulty(self, reject: Reject) -> dict[int, str]:
        """The reasons at each cell that is to be marked: the first one for a reason that no column is named in."""
        reasons: dict[int, str] = {}
        for fault in reject.faults:
            place = self.headers.index(fault.column) if fault.column in self.headers else 0
            reasons[place] = f"{reasons[place]}\n{fault.reason}" if place in reasons else fault.reason
        return reasons


def _write(path: Path, columns: _Columns, rejects: Iterable[Reject], rows_per_sheet: int) -> int:
    workbook = Workbook(write_only=True)
    remaining = iter(rejects)
    count = 0
    bodies: list[BinaryIO] = []
    with ExitStack() as stack:
        stack.push(lambda kind, *_: _abandon(workbook) if kind else None)
        while True:
            sample = list(islice(remaining, min(_WIDTH_SAMPLE, rows_per_sheet)))
            if not sample and bodies:
                break
            number = len(bodies) + 1
            sheet = workbook.create_sheet(SHEET_NAME if number == 1 else f"{SHEET_NAME} {number}")
            bodies.append(stack.enter_context(tempfile.TemporaryFile(prefix="tui_importer-")))
            rows = islice(remaining, rows_per_sheet - len(sample))
            count += _write_sheet(sheet, bodies[-1], columns, sample, rows)
        frame = BytesIO()
        workbook.save(frame)
        _assemble(path, frame, bodies)
    return count


def _write_sheet(
    sheet: Sheet, body: BinaryIO, columns: _Columns, sample: Sequence[Reject], rest: Iterable[Reject]
) -> int:
    """Write the header to the sheet and the XML of the rows below it to ``body``; returns the number of rows."""
    lines = [_texts(reject, columns) for reject in sample]
    for index, header in enumerate(columns.all):
        texts = chain((header,), (line[index] or "" for line in lines))
        longest = max(len(part) for text in texts for part in text.split("\n"))
        dimension = sheet.column_dimensions[column_letters(index)]
        dimension.width = min(max(longest + 2, _MIN_WIDTH), _MAX_WIDTH)
        dimension.hidden = header == KEY_HEADER and index >= len(columns.headers)
    sheet.freeze_panes = "A2"
    writer = _CellWriter(sheet)
    sheet.append([text_cell(sheet, header, bold=True) for header in columns.all])
    last_row = 1
    for last_row, reject in enumerate(chain(sample, rest), start=2):
        faulty = columns.faulty(reject)
        body.write(writer.row(last_row, _texts(reject, columns), faulty.keys(), _numbers(reject, columns)))
        if last_row <= _COMMENTED_ROWS:
            writer.comment(last_row, faulty)
    shown = len(columns.headers) + len(REASON_HEADERS)
    sheet.auto_filter.ref = f"A1:{column_letters(shown - 1)}{last_row}"
    sheet.close()
    return last_row - 1


def _assemble(path: Path, frame: BinaryIO, bodies: Sequence[BinaryIO]) -> None:
    """Write the workbook of ``frame``, with the rows of each sheet inserted below its header."""
    parts = {f"xl/worksheets/sheet{number}.xml": body for number, body in enumerate(bodies, start=1)}
    with ZipFile(frame) as source, ZipFile(path, "w", ZIP_DEFLATED, compresslevel=_COMPRESSION) as target:
        target.comment = MARK
        for name in source.namelist():
            head, end, tail = source.read(name).partition(b"</sheetData>")
            with target.open(name, "w", force_zip64=name in parts) as part:
                part.write(head)
                if name in parts:
                    parts[name].seek(0)
                    shutil.copyfileobj(parts[name], part, _PIECE)
                part.write(end + tail)


class _CellWriter:
    """Writes cells of texts that stay texts, and of numbers.

    openpyxl creates the workbook, but takes a quarter of a millisecond per row: most of the time of an import with many
    rejects. The XML of the text cells is therefore written here.
    """

    def __init__(self, sheet: Sheet) -> None:
        self._sheet = sheet
        cells = [WriteOnlyCell(sheet) for _ in range(4)]
        for cell in cells:
            cell.number_format = TEXT_FORMAT
            cell.alignment = Alignment(vertical="top")
        for number, cell in enumerate(cells):
            if number & 1:
                cell.quotePrefix = True
            if number & 2:
                cell.fill = PatternFill("solid", start_color=_FAULTY_COLOUR)
        self._styles = [cell.style_id for cell in cells]  # by whether it looks like a formula, and has a fault

    def row(
        self,
        number: int,
        texts: Sequence[str | None],
        faulty: Collection[int] = (),
        numbers: Collection[int] = (),
    ) -> bytes:
        """A row's XML (ECMA-376 part 1, 18.3.1.73): inline strings but for ``numbers``; blanks are left out unless they
        are ``faulty``."""
        cells = []
        for index, text in enumerate(texts):
            if index in numbers:
                style = self._styles[2 * (index in faulty)]
                cells.append(f'<c r="{_letters(index)}{number}" s="{style}"><v>{text}</v></c>')
            elif text:
                style = self._styles[is_formula_like(text) + 2 * (index in faulty)]
                cells.append(
                    f'<c r="{_letters(index)}{number}" s="{style}" t="inlineStr">'
                    f'<is><t xml:space="preserve">{xml_escaped(escaped(text))}</t></is></c>'
                )
            elif index in faulty:
                cells.append(f'<c r="{_letters(index)}{number}" s="{self._styles[2]}"/>')
        return f'<row r="{number}">{"".join(cells)}</row>'.encode()

    def comment(self, number: int, reasons: Mapping[int, str]) -> None:
        """Put the reasons on the cells of a row, by their places."""
        for index, reason in reasons.items():
            record = CommentRecord(ref=f"{_letters(index)}{number}", author=_AUTHOR)
            record.text.t = escaped(_shortened(reason))
            # As openpyxl notes the comment of a cell that is appended to a sheet; it has no other way for ours.
            self._sheet._comments.append(record)


_letters = lru_cache(1 << 10)(column_letters)


def _numbers(reject: Reject, columns: _Columns) -> Collection[int]:
    """The places of numbers among a reject's texts. As texts, they would be read by the format of their column, which
    may have another decimal mark."""
    return [place for place in reject.numbers if place < len(columns.headers) and _is_plain(reject.values[place])]


def _is_plain(text: str | None) -> bool:
    """Whether a number reads back exactly as the double that a workbook keeps."""
    try:
        return text is not None and as_text(float(text)) == text
    except ValueError:
        return False


def _shortened(text: str) -> str:
    return text if len(text) <= _COMMENT_LENGTH else f"{text[: _COMMENT_LENGTH - 1]}…"


def _texts(reject: Reject, columns: _Columns) -> list[str | None]:
    """A reject's row: its cells, its reasons, its key, and at the far right cells without a header, so that nothing is
    lost."""
    headers, width = columns.headers, len(columns.headers)
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
    key = [] if columns.run_id is None else [str(RejectKey(columns.run_id, reject.mends or reject.row))]
    return [*cells[:width], *said, *key, *cells[width:]]


def _abandon(workbook: Workbook) -> None:
    """Remove openpyxl's temporary files with the rows of the sheets."""
    for sheet in workbook.worksheets:
        writer = sheet._writer
        if writer is None or not os.path.exists(writer.out):
            continue
        with suppress(OSError):  # a full disk is still full; the first error is the one to report
            if not sheet.closed:
                sheet.close()
        writer.cleanup()
