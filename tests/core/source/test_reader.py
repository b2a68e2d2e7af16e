"""The smallest reader that the protocols admit is read like any other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tui_importer.core.model.batch import Block
from tui_importer.core.model.list_column import ListColumn
from tui_importer.core.model.plan import Source
from tui_importer.core.source.open_source import open_source
from tui_importer.core.source.reader import OpenSheet, Reader, SheetInfo, Workbook


class LinesReader:
    """Every line is a row of one cell."""

    typed = False

    def open(self, path: Path) -> Workbook:
        return Lines(path)

    def limits(self, path: Path) -> tuple[str, ...]:
        return ()


class Lines:
    sheets: Sequence[SheetInfo] = (SheetInfo("lines"),)
    name = "lines"
    row_hint = None

    def __init__(self, path: Path) -> None:
        self._lines = path.read_text().splitlines()

    def sheet(self, name: str) -> OpenSheet:
        return self

    def blocks(self, rows: int) -> Iterator[Block]:
        for start in range(0, len(self._lines), rows):
            yield Block(start + 1, (ListColumn.from_cells(self._lines[start : start + rows]),))

    def close(self) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...


def test_a_reader_of_lines(tmp_path: Path) -> None:
    path = tmp_path / "x.lines"
    path.write_text("n\n1\n2\n\n3\n")
    reader: Reader = LinesReader()
    with open_source(path, reader, Source(file=str(path))) as source:
        assert (source.name, source.row_hint, source.layout.header_row) == ("lines", None, 1)
        [inferred] = source.infer()
        assert (str(inferred.type), inferred.cells, inferred.blanks) == ("integer", 4, 1)


def test_a_sheet_is_shown_unless_it_says_otherwise() -> None:
    assert SheetInfo("S") == SheetInfo("S", hidden=False)
