"""The exceptions, with the exit code for each.

    ImporterError                    1  failed
    ├── UsageError                   2  a wrong option, an unknown name
    │   ├── PlanError                2  a plan that cannot be carried out
    │   └── SourceError              2  a file that cannot be read
    ├── DatabaseError                1  the database refused
    │   ├── UnreachableError         5  the database cannot be reached or refuses the login
    │   ├── DataFault                -  the database refused these rows: becomes a reject
    │   └── TransientFault           4  a transient error: connection lost, deadlock, lock
    ├── WorkerError                  1  a worker failed: says which, at which rows, and why
    ├── StoppedError                 4  stopped before the end, resumable
    ├── BusyError                    4  another run of the same import is alive
    ├── SupersededError              4  another run has taken over this import
    ├── VerificationError            6  the table does not hold what was imported
    └── ReconciliationError          1  the counts of a run do not add up

A user sees the message as one line on stderr, so it names the file, sheet or cell and says what to do.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, Self


class ExitCode(IntEnum):
    """The exit codes of the process (documented in the README)."""

    OK = 0
    FAILED = 1
    USAGE = 2
    REJECTS = 3
    STOPPED = 4
    UNREACHABLE = 5
    VERIFICATION = 6
    SIGINT = 130
    SIGTERM = 143


class ImporterError(Exception):
    """Base of all errors that are shown to users."""

    exit_code: ExitCode = ExitCode.FAILED


class UsageError(ImporterError):
    """The request itself is wrong; nothing was changed."""

    exit_code = ExitCode.USAGE


class PlanError(UsageError):
    """The plan is malformed or does not fit the source or the target table."""


class SourceError(UsageError):
    """The file is missing, unreadable, or not what it claims to be."""


class EmptySheetError(SourceError):
    """The sheet has no cells."""


class DatabaseError(ImporterError):
    """The database refused. ``sqlstate`` is its five-character code, if it has one (SQL:2023, part 2, 24)."""

    def __init__(self, message: str, *, sqlstate: str | None = None) -> None:
        super().__init__(message)
        self.sqlstate = sqlstate


class UnreachableError(DatabaseError):
    """No connection: the server cannot be reached, or refuses the login."""

    exit_code = ExitCode.UNREACHABLE


class TransientFault(DatabaseError):
    """A transient error: the same rows can be tried again on a new connection."""

    exit_code = ExitCode.STOPPED


class DataFault(DatabaseError):
    """The database refused rows because of their values.

    ``offset`` is the index of the refused row in what was being loaded (from 0), ``column`` and ``constraint`` what was
    violated; each is None if the database does not say. ``kind`` is shared by all refusals that differ only in the
    row's values; None if the message is.
    """

    def __init__(
        self,
        message: str,
        *,
        sqlstate: str | None = None,
        offset: int | None = None,
        column: str | None = None,
        constraint: str | None = None,
        kind: str | None = None,
    ) -> None:
        super().__init__(message, sqlstate=sqlstate)
        self.offset = offset
        self.column = column
        self.constraint = constraint
        self.kind = kind


class WorkerError(ImporterError):
    """A worker failed. ``str()`` says which worker, at which rows and why; ``why`` is the reason alone.

    The cause is chained. The exit code is that of the cause, to distinguish a lost database from a defect.
    """

    def __init__(self, worker: int, sheet: str, first_row: int, last_row: int, cause: Exception) -> None:
        why = str(cause) if isinstance(cause, ImporterError) else f"{type(cause).__name__}: {cause}"
        super().__init__(f"worker {worker} failed at {sheet} rows {first_row:,} to {last_row:,}: {why}")
        self.why = why
        self.worker = worker
        self.first_row = first_row
        self.last_row = last_row
        if isinstance(cause, ImporterError):
            self.exit_code = cause.exit_code

    def __reduce__(self) -> tuple[Any, ...]:
        # As for Exception, but without the constructor: the cause is not pickled.
        return self._restored, self.args, self.__dict__

    @classmethod
    def _restored(cls, message: str) -> Self:
        return cls.__new__(cls, message)


class StoppedError(ImporterError):
    """The run was stopped before its end and can be resumed."""

    exit_code = ExitCode.STOPPED


class BusyError(ImporterError):
    """Another run of the same import is alive; nothing was changed."""

    exit_code = ExitCode.STOPPED


class SupersededError(ImporterError):
    """Another run has taken over this import, so this one must not write; what it committed is kept."""

    exit_code = ExitCode.STOPPED


class VerificationError(ImporterError):
    """The table does not hold what was imported; the message names the columns."""

    exit_code = ExitCode.VERIFICATION


class ReconciliationError(ImporterError):
    """read = inserted + updated + skipped + rejected does not hold: a defect, which is never hidden."""
