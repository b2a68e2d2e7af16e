"""Everything that can go wrong, and the exit code each of them means.

    ImporterError                    1  failed
    ├── UsageError                   2  a wrong option, an unknown name
    │   ├── PlanError                2  a plan that cannot be carried out
    │   └── SourceError              2  a file that cannot be read
    ├── DatabaseError                1  the database refused
    │   ├── UnreachableError         5  the database is not there or does not let us in
    │   ├── DataFault                -  the database refused these rows: becomes a reject
    │   └── TransientFault           4  may pass by itself: connection lost, deadlock, lock
    ├── WorkerError                  1  a worker failed: says which, at which rows, and why
    ├── StoppedError                 4  stopped before the end, resumable
    ├── BusyError                    4  another run is importing the same right now
    ├── SupersededError              4  another run has taken this import over
    ├── VerificationError            6  the table does not hold what was imported
    └── ReconciliationError          1  the counts of a run do not add up

A user sees the message as one line on stderr, so it names the file, sheet or cell and says what to do.
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """What the process tells its caller (published in the README)."""

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
    """Base of every error a user is meant to read."""

    exit_code: ExitCode = ExitCode.FAILED


class UsageError(ImporterError):
    """The request itself is wrong; nothing was touched."""

    exit_code = ExitCode.USAGE


class PlanError(UsageError):
    """The plan is malformed or does not fit the source or the target table."""


class SourceError(UsageError):
    """The file is missing, unreadable, or not what it claims to be."""


class DatabaseError(ImporterError):
    """The database refused. ``sqlstate`` is its five-character code where it has one (SQL:2023, part 2, 24)."""

    def __init__(self, message: str, *, sqlstate: str | None = None) -> None:
        super().__init__(message)
        self.sqlstate = sqlstate


class UnreachableError(DatabaseError):
    """No connection: the server is not there, or refuses the user."""

    exit_code = ExitCode.UNREACHABLE


class TransientFault(DatabaseError):
    """A refusal that may pass by itself: the same rows can be tried again on a new connection."""

    exit_code = ExitCode.STOPPED


class DataFault(DatabaseError):
    """The database refused rows for what they hold.

    ``offset`` is the refused row's place in what was being loaded (0 = first), where the database says;
    ``column`` and ``constraint`` name what was violated, where it says. ``kind`` is the same for all refusals that
    differ only in what the row holds; None where the message is.
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
    """A worker stopped: ``str()`` says which worker, at which rows, and why (``why`` alone); the cause is chained.

    The exit code is the cause's, so that a database that went away is told from a defect.
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


class StoppedError(ImporterError):
    """The run was stopped before its end and can be taken up again."""

    exit_code = ExitCode.STOPPED


class BusyError(ImporterError):
    """Another run of the same import is alive: nothing was touched."""

    exit_code = ExitCode.STOPPED


class SupersededError(ImporterError):
    """Another run has taken this import over, so this one may write no more; what it committed is in."""

    exit_code = ExitCode.STOPPED


class VerificationError(ImporterError):
    """The table does not hold what was imported: the message names the columns."""

    exit_code = ExitCode.VERIFICATION


class ReconciliationError(ImporterError):
    """read = inserted + updated + skipped + rejected does not hold: a defect, never to be hidden."""
