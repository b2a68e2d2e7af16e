"""The columns of a sheet and what becomes of them."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text
from textual.content import Content
from textual.widgets import DataTable

from tui_importer.tui.cells import cell
from tui_importer.tui.column_formats import format_words
from tui_importer.tui.draft import DraftColumn
from tui_importer.tui.terminal import Glyphs

#: The headers; the first two columns are the mark and the letter.
_HEADERS = ("", "", "header", "column", "type", "found")


class ColumnTable(DataTable[Text]):
    """A table with a row for each column of the sheet."""

    def __init__(self, glyphs: Glyphs, id: str) -> None:  # noqa: A002  # as in textual
        super().__init__(id=id, cursor_type="row")
        self._glyphs = glyphs
        self.border_title = "columns"

    def show(self, columns: Sequence[DraftColumn], null_words: Sequence[str] = ()) -> None:
        """Show these columns, and the words for NULL; the cursor stays."""
        at = self.cursor_row
        rows = list(map(self._row, columns))
        # Given widths: a table that measures its cells later may keep drawing them as wide as before.
        self.clear(columns=True)
        for place, name in enumerate(_HEADERS):
            self.add_column(name, width=max(len(name), *(row[place].cell_len for row in rows), 0))
        for row in rows:
            self.add_row(*row)
        self.move_cursor(row=at)
        self.border_subtitle = Content(self._glyphs.text(f"NULL: {', '.join(null_words)}", 60) if null_words else "")

    def _row(self, column: DraftColumn) -> tuple[Text, ...]:
        text = self._glyphs.text
        out, quiet = not column.taken, None if column.taken else "muted"
        type_ = f"{column.type}{' not null' if column.required else ''}"
        given = format_words(column.format)
        changed = column.type != column.found or bool(given)
        return (
            cell(self.app, " " if out else self._glyphs.marks["done"], "success"),
            cell(self.app, column.letter, "muted"),
            cell(self.app, text(column.header, 24), quiet, strike=out),
            cell(self.app, "left out" if out else f"{self._glyphs.to} {column.target[:24]}", quiet),
            cell(self.app, f"{type_} {text(given, 20)}".rstrip(), "warning" if changed else quiet, bold=changed),
            cell(self.app, text(column.evidence, 300), "warning" if column.findings else "muted"),
        )
