"""Where a run's rejects go as they happen: on disk, so that a million of them cost no memory."""

from __future__ import annotations

import json
import os
import sqlite3
import tempfile
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from tui_importer.core.model.reject_groups import RejectGroups
from tui_importer.core.model.report import ReasonGroup
from tui_importer.errors import ImporterError
from tui_importer.events import Reject

#: Rejects held in memory at once while they are read back or added from an iterable.
PAGE = 500

_SCHEMA = """
PRAGMA journal_mode = MEMORY;
PRAGMA synchronous = OFF;
CREATE TABLE reject (seq INTEGER PRIMARY KEY, row INTEGER NOT NULL, body TEXT NOT NULL);
CREATE INDEX reject_by_row ON reject (row);
"""


class RejectSpool:
    """The rejects of one run, in a temporary file without a name: nobody else can open it, and however the process
    ends, nothing of it stays.

    Safe from several threads. Every method raises :class:`ImporterError` where the file cannot be written or read
    (a full disk): a reject is kept or the caller hears that it was not.
    """

    def __init__(self, folder: Path | None = None) -> None:
        """``folder`` is where the private folder is made; by default the system's place for temporary files."""
        self._lock = threading.Lock()
        self._count = 0
        self._groups = RejectGroups()
        try:
            # Rejected rows are the user's data: the folder is 0700 and the file 0600, whatever the umask.
            self._folder = tempfile.TemporaryDirectory(prefix="tui_importer-rejects-", dir=folder)
        except OSError as error:
            raise ImporterError(f"no place to keep rejected rows: {error.strerror}; set TMPDIR") from error
        self._path = Path(self._folder.name) / "rejects.sqlite"
        try:
            os.close(os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
            self._connection = sqlite3.connect(self._path, check_same_thread=False, isolation_level=None)
        except (OSError, sqlite3.Error) as error:
            self._folder.cleanup()
            raise ImporterError(f"cannot keep rejected rows in {self._path}: {error}") from error
        try:
            with self._held() as connection:
                connection.executescript(_SCHEMA)
        except ImporterError:
            self.close()
            raise
        self._folder.cleanup()  # the file lives on as long as it is open

    @property
    def count(self) -> int:
        """How many rejects were added."""
        return self._count

    def add(self, reject: Reject) -> None:
        """Keep one reject."""
        self.add_many((reject,))

    def add_many(self, rejects: Iterable[Reject]) -> None:
        """Keep rejects. Where this raises, those before the page that failed are kept and no other."""
        remaining = iter(rejects)
        while page := list(islice(remaining, PAGE)):
            self._add_page(page)

    def __iter__(self) -> Iterator[Reject]:
        """All rejects by sheet row; one that is added meanwhile comes if its row is still ahead."""
        row, seq = -1, -1
        while True:
            with self._held() as connection:
                page = connection.execute(
                    "SELECT row, seq, body FROM reject WHERE (row, seq) > (?, ?) ORDER BY row, seq LIMIT ?",
                    (row, seq, PAGE),
                ).fetchall()
            for _, _, body in page:
                yield msgspec.convert(json.loads(body), Reject)
            if len(page) < PAGE:
                return
            row, seq, _ = page[-1]

    def first(self, number: int) -> list[Reject]:
        """The first rejects by sheet row, ``number`` at most."""
        return list(islice(self, number))

    def by_reason(self) -> list[ReasonGroup]:
        """The faults by column, constraint and kind of reason, the most frequent first."""
        with self._lock:
            return self._groups.take()

    def close(self) -> None:
        """Forget the rejects. Harmless when repeated."""
        with self._lock:
            self._connection.close()
            self._folder.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _add_page(self, page: list[Reject]) -> None:
        # JSON with escapes carries every str, half of a surrogate pair included; SQLite's UTF-8 does not.
        rows = [(reject.row, json.dumps(msgspec.to_builtins(reject))) for reject in page]
        with self._held() as connection:
            connection.execute("BEGIN")
            connection.executemany("INSERT INTO reject (row, body) VALUES (?, ?)", rows)
            connection.execute("COMMIT")
            self._count += len(page)
            for reject in page:
                self._groups.add(reject)

    @contextmanager
    def _held(self) -> Iterator[sqlite3.Connection]:
        """The connection, for one thread at a time; what goes wrong is undone and said in one line."""
        with self._lock:
            try:
                yield self._connection
            except sqlite3.Error as error:
                self._undo()
                raise ImporterError(
                    f"cannot keep rejected rows in {self._path}: {error}; free some space or set TMPDIR"
                ) from error
            except BaseException:
                self._undo()
                raise

    def _undo(self) -> None:
        try:
            if self._connection.in_transaction:
                self._connection.rollback()
        except sqlite3.Error:
            # The first error is the one to tell; SQLite undoes the transaction when the file is closed, too.
            return
