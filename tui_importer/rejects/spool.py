"""Keeps a run's rejects on disk, so that a million of them need no memory."""

from __future__ import annotations

import json
import os
import sqlite3
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
from tui_importer.rejects.paths import private_folder

#: Number of rejects in memory while they are read back or added from an iterable.
CHUNK_ROWS = 500

_SCHEMA = """
PRAGMA journal_mode = MEMORY;
PRAGMA synchronous = OFF;
CREATE TABLE reject (seq INTEGER PRIMARY KEY, row INTEGER NOT NULL, body TEXT NOT NULL);
CREATE INDEX reject_by_row ON reject (row);
"""


class RejectSpool:
    """The rejects of one run, in a temporary file without a name: no other program can open it, and it disappears with
    the process.

    Thread-safe. Every method raises :class:`ImporterError` if the file cannot be written or read (a full disk): no
    reject is lost silently.
    """

    def __init__(self, folder: Path | None = None) -> None:
        """``folder`` is where the private folder is created; by default the system's folder for temporary files."""
        self._lock = threading.Lock()
        self._count = 0
        self._groups = RejectGroups()
        # Rejected rows are the user's data: the folder has mode 0700 and the file 0600, whatever the umask.
        self._folder = private_folder(folder)
        self._path = Path(self._folder.name) / "rejects.sqlite"
        try:
            os.close(os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
            self._connection = sqlite3.connect(self._path, check_same_thread=False, isolation_level=None)
        except (OSError, sqlite3.Error) as error:
            self._folder.cleanup()
            raise ImporterError(f"cannot keep rejected rows in {self._path}: {error}") from error
        try:
            with self._locked() as connection:
                connection.executescript(_SCHEMA)
        except ImporterError:
            self.close()
            raise
        self._folder.cleanup()  # the file exists as long as it is open

    @property
    def count(self) -> int:
        """The number of rejects added."""
        return self._count

    def add(self, reject: Reject) -> None:
        """Add one reject."""
        self.add_many((reject,))

    def add_many(self, rejects: Iterable[Reject]) -> None:
        """Add rejects. If this raises, the rejects before the failed chunk are kept, the others are not."""
        remaining = iter(rejects)
        while chunk := list(islice(remaining, CHUNK_ROWS)):
            self._add_chunk(chunk)

    def __iter__(self) -> Iterator[Reject]:
        """Yield all rejects by sheet row; one added meanwhile is included if its row is still ahead."""
        row, seq = -1, -1
        while True:
            with self._locked() as connection:
                chunk = connection.execute(
                    "SELECT row, seq, body FROM reject WHERE (row, seq) > (?, ?) ORDER BY row, seq LIMIT ?",
                    (row, seq, CHUNK_ROWS),
                ).fetchall()
            for _, _, body in chunk:
                yield msgspec.convert(json.loads(body), Reject)
            if len(chunk) < CHUNK_ROWS:
                return
            row, seq, _ = chunk[-1]

    def first(self, number: int) -> list[Reject]:
        """The first ``number`` rejects by sheet row, or fewer."""
        return list(islice(self, number))

    def by_reason(self) -> list[ReasonGroup]:
        """The faults grouped by column, constraint and kind of reason, most frequent first."""
        with self._lock:
            return self._groups.take()

    def close(self) -> None:
        """Discard the rejects. May be called again."""
        with self._lock:
            self._connection.close()
            self._folder.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _add_chunk(self, chunk: list[Reject]) -> None:
        # Escaped JSON carries every str, including lone surrogates; SQLite's UTF-8 does not.
        rows = [(reject.row, json.dumps(msgspec.to_builtins(reject))) for reject in chunk]
        with self._locked() as connection:
            connection.execute("BEGIN")
            connection.executemany("INSERT INTO reject (row, body) VALUES (?, ?)", rows)
            connection.execute("COMMIT")
            self._count += len(chunk)
            for reject in chunk:
                self._groups.add(reject)

    @contextmanager
    def _locked(self) -> Iterator[sqlite3.Connection]:
        """The connection, for one thread at a time; an error is rolled back and reported in one line."""
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
            # The first error is the one to report; closing the file also rolls the transaction back.
            return
