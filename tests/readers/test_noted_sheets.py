"""A reader plugin's sheet may have something to say about its cells, and need not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tui_importer import Layout, NotedSheet
from tui_importer.core.model.batch import Block
from tui_importer.core.model.list_column import ListColumn
from tui_importer.core.model.plan import Source
from tui_importer.core.source.open_source import find_source
from tui_importer.core.source.reader import SheetInfo


class SheetWithoutNotes:
    name = "S"
    row_hint = None

    def blocks(self, rows: int) -> Iterator[Block]:
        yield Block(1, (ListColumn(["head", "value"]),))


class SheetWithNotes(SheetWithoutNotes):
    def notes(self, layout: Layout) -> tuple[str, ...]:
        return (f"a word on rows from {layout.first_row} on",)


class Workbook:
    sheets = (SheetInfo("S"),)

    def sheet(self, name: str) -> SheetWithoutNotes:
        return SheetWithoutNotes()

    def close(self) -> None: ...

    def __enter__(self) -> Workbook:
        return self

    def __exit__(self, *error: object) -> None: ...


def test_source_has_the_notes_of_its_sheet() -> None:
    found = [
        find_source(Path("f.x"), Workbook(), sheet, Source(file="f.x"), None, typed=True, started=0).notes
        for sheet in (SheetWithoutNotes(), SheetWithNotes())
    ]
    assert found[1] == (*found[0], "a word on rows from 2 on")
    assert isinstance(SheetWithNotes(), NotedSheet)
    assert not isinstance(SheetWithoutNotes(), NotedSheet)
