"""The first rows of a sheet."""

from __future__ import annotations

from rich.text import Text
from textual.widgets import DataTable

from tui_importer.core.model.cells import column_index, column_letters
from tui_importer.process.messages import Previewed
from tui_importer.tui.cells import cell
from tui_importer.tui.terminal import Glyphs

#: Characters of a cell: enough to recognise the value.
_CELL = 24


class Preview(DataTable[Text]):
    """A table of the first rows of a sheet, under the letters of its columns."""

    def __init__(self, glyphs: Glyphs, id: str) -> None:  # noqa: A002  # as in textual
        super().__init__(id=id, cursor_type="none", zebra_stripes=True)
        self._glyphs = glyphs
        self._previewed: Previewed | None = None
        self.border_title = "first rows"

    def show(self, previewed: Previewed) -> None:
        """Show these rows."""
        self._previewed = previewed
        self.clear(columns=True)
        width = max((len(row) for row in previewed.rows), default=0)
        self.add_column("", width=len(f"{previewed.first_row + len(previewed.rows):,}"))
        for place in range(width):
            longest = max(len(row[place]) for row in previewed.rows if place < len(row))
            self.add_column(column_letters(previewed.first_column + place), width=min(_CELL, max(3, longest)))
        for number, row in enumerate(previewed.rows, start=previewed.first_row):
            cells = [cell(self.app, self._glyphs.text(text, _CELL)) for text in row]
            self.add_row(cell(self.app, f"{number:,}", "muted"), *cells)
        self.border_subtitle = "as the file stores them" if previewed.raw else ""

    def texts(self, letter: str, first_row: int) -> list[str]:
        """Return the cells of a column from a sheet row on, without blanks and repetitions."""
        previewed = self._previewed
        if previewed is None:
            return []
        place = column_index(letter) - previewed.first_column
        rows = previewed.rows[max(0, first_row - previewed.first_row) :]
        return list(dict.fromkeys(row[place] for row in rows if 0 <= place < len(row) and row[place]))
