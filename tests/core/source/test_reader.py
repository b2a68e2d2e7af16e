"""The smallest reader that the protocols admit is read like any other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tui_importer import (
    Block,
    Cell,
    ListColumn,
    MalformedRecord,
    Options,
    Plan,
    Reader,
    ReaderSpec,
    Run,
    SheetInfo,
    Source,
    Target,
    Workbook,
)
from tui_importer.core.source.open_source import open_source
from tui_importer.core.source.reader import OpenSheet
from tui_importer.testing.processes import registry_with


class LinesReader:
    """Every line is a row of one cell, except those that begin with an exclamation mark."""

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
        self._lines = [_cell(number, line) for number, line in enumerate(path.read_text().splitlines(), start=1)]

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


def _cell(number: int, line: str) -> Cell:
    return MalformedRecord(f"line {number}: begins with an exclamation mark", line) if line.startswith("!") else line


def test_minimal_reader_implements_the_protocol(tmp_path: Path) -> None:
    path = tmp_path / "x.lines"
    path.write_text("n\n1\n2\n\n3\n")
    reader: Reader = LinesReader()
    with open_source(path, reader, Source(file=str(path))) as source:
        assert (source.name, source.row_hint, source.layout.header_row) == ("lines", None, 1)
        assert source.likely_rows == 11  # 9 bytes, 4 characters in 5 rows
        [inferred] = source.infer()
        assert (str(inferred.type), inferred.cells, inferred.blanks) == ("integer", 4, 1)
        assert (source.row_hint, source.likely_rows) == (4, 4)  # all rows were read


def test_malformed_record_is_rejected(tmp_path: Path) -> None:
    path = tmp_path / "x.lines"
    path.write_text("n\n1\n!2\n3\n")
    plan = Plan(
        source=Source(file=str(path), reader="lines"),
        target=Target(database=str(tmp_path / "t.db")),
        options=Options(),
    )
    spec = ReaderSpec("lines", "lines of text", LinesReader, (".lines",))
    report = Run(plan, registry=registry_with(spec), rejects_file=tmp_path / "r.xlsx").execute()
    assert (report.stats.inserted, report.stats.error_count) == (2, 1)
    [reject] = report.rejects
    assert (reject.row, reject.value, reject.reason) == (3, "!2", "line 3: begins with an exclamation mark")


def test_sheets_are_visible_by_default() -> None:
    assert SheetInfo("S") == SheetInfo("S", hidden=False)
