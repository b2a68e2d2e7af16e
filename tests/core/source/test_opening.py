"""A file is opened beside everything else, and closed whatever becomes of it."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tui_importer.core.model.batch import Block
from tui_importer.core.model.list_column import ListColumn
from tui_importer.core.model.plan import Source
from tui_importer.core.source.opening import Opening
from tui_importer.core.source.reader import SheetInfo
from tui_importer.errors import SourceError

#: Seconds that anything may take.
PATIENCE = 60


class FakeWorkbook:
    """One sheet of two rows."""

    sheets = (SheetInfo("S"),)
    name, row_hint = "S", 2

    def __init__(self) -> None:
        self.closed = threading.Event()

    def sheet(self, name: str) -> FakeWorkbook:
        return self

    def blocks(self, rows: int) -> Iterator[Block]:
        yield Block(1, (ListColumn(["n", "1"]),))

    def close(self) -> None:
        self.closed.set()


class SlowReader:
    """Opens once it is told to, and then gives the book or raises the error."""

    typed = True

    def __init__(self, answer: FakeWorkbook | Exception) -> None:
        self.go = threading.Event()
        self._answer = answer

    def open(self, path: Path) -> Any:
        assert self.go.wait(PATIENCE)
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer

    def limits(self, path: Path) -> tuple[str, ...]:
        return ()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "x.csv"
    path.write_bytes(b"n\n1\n")
    return path


def test_source_is_opened_in_the_background(file: Path) -> None:
    book = FakeWorkbook()
    reader = SlowReader(book)
    opening = Opening(reader, Source(file=str(file)))
    opening.wait_until_begun(0.001)  # it has not, and is not waited for any longer
    reader.go.set()
    opening.wait_until_begun(PATIENCE)
    with opening.result() as source:
        assert (source.name, source.layout.headers) == ("S", ("n",))
        assert not book.closed.is_set()
    assert book.closed.is_set()
    assert opening.sha256() == hashlib.sha256(b"n\n1\n").hexdigest()


def test_opening_error_is_raised_to_every_caller(file: Path) -> None:
    reader = SlowReader(SourceError("no workbook"))
    opening = Opening(reader, Source(file=str(file)))
    reader.go.set()
    with pytest.raises(SourceError, match="no workbook"):
        opening.result()
    assert opening.sha256()
    opening.abandon()


def test_abandoned_file_is_closed(file: Path) -> None:
    book = FakeWorkbook()
    reader = SlowReader(book)
    opening = Opening(reader, Source(file=str(file)))
    threading.Timer(0.01, reader.go.set).start()
    opening.abandon()
    assert book.closed.is_set()


def test_missing_file_has_no_digest(tmp_path: Path) -> None:
    reader = SlowReader(FakeWorkbook())
    reader.go.set()
    opening = Opening(reader, Source(file=str(tmp_path)))
    with pytest.raises(FileNotFoundError):
        opening.sha256()
    opening.abandon()
