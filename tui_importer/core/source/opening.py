"""Opening a file while the rest of the program is still being imported."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from tui_importer.core.model.plan import Source
from tui_importer.core.model.standard_input import source_path
from tui_importer.core.source.reader import Reader
from tui_importer.core.source.sheets import open_sheet

if TYPE_CHECKING:
    from tui_importer.core.source.open_source import OpenSource


class Opening:
    """A file that is being opened in another thread.

    Parsing releases the GIL, so imports and connections run in parallel with it.
    """

    def __init__(self, reader: Reader, source: Source) -> None:
        pool = ThreadPoolExecutor(2, thread_name_prefix="opening")
        #: When the source was open, or could not be opened (``time.perf_counter``); None before.
        self.ended_at: float | None = None
        self._begun = threading.Event()
        self._opened = pool.submit(self._open, reader, source)
        self._sha256 = pool.submit(self._digest, source_path(source.file))
        pool.shutdown(wait=False)

    def wait_until_begun(self, seconds: float) -> None:
        """Wait, at most for this time, until the reader has opened the file and begins to parse the sheet.

        Until then it may use two cores, and only one after that: imports then run in parallel without slowing it down.
        """
        self._begun.wait(seconds)

    def result(self) -> OpenSource:
        """Wait for the open file; raises what :func:`tui_importer.core.source.open_source.open_source` raises."""
        return self._opened.result()

    def sha256(self) -> str:
        """The digest of the file's bytes in hexadecimal; raises ``OSError`` if they cannot be read."""
        return self._sha256.result()

    def abandon(self) -> None:
        """Wait for the file and close it."""
        self._sha256.exception()
        if self._opened.exception() is None:
            self._opened.result().workbook.close()

    def _open(self, reader: Reader, source: Source) -> OpenSource:
        try:
            return self._found(reader, source)
        finally:
            self.ended_at = time.perf_counter()

    def _found(self, reader: Reader, source: Source) -> OpenSource:
        started, path = time.perf_counter(), source_path(source.file)
        try:
            workbook = reader.open(path)
        finally:
            self._begun.set()
        sheet, note = open_sheet(path, workbook, source)
        # Imported only after parsing: this module takes a while to import, and another thread may do so meanwhile.
        from tui_importer.core.source.open_source import find_source

        return find_source(path, workbook, sheet, source, note, typed=reader.typed, started=started)

    def _digest(self, path: Path) -> str:
        self._begun.wait()
        if not path.is_file():
            raise FileNotFoundError(path)  # do not wait for a pipe
        return sha256_of(path)


def sha256_of(path: Path) -> str:
    """The digest of a file's bytes, in hexadecimal."""
    import hashlib  # here, so that it is imported while the file is being parsed

    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
