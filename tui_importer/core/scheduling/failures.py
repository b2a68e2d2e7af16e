"""Failures of workers and strangers' code, as errors that a user can read in one line."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from tui_importer.errors import ImporterError, StoppedError

#: What ends the program that we run in, and so is no failure of the run. Anything else is one, also where it is no
#: Exception: a panic of Rust code that a stranger's reader calls.
INTERRUPTS = (KeyboardInterrupt, SystemExit)

_log = logging.getLogger(__name__)


def several(group: BaseExceptionGroup[BaseException]) -> ImporterError | None:
    """Several workers failed: all are named. None where they were only stopped."""
    errors = [error for error in _leaves(group) if not isinstance(error, StoppedError)]
    if not errors:
        return None
    failures = []
    for error in errors:
        if isinstance(error, INTERRUPTS):
            raise group
        failures.append(error if isinstance(error, ImporterError) else unexpected(error))
    failure = ImporterError("; ".join(map(str, failures)))
    failure.exit_code = failures[0].exit_code
    return failure


def unexpected(error: BaseException) -> ImporterError:
    """An error that is none of ours, in one line; its traceback goes to the log."""
    _log.debug("unexpected", exc_info=error)
    return ImporterError(": ".join(filter(None, (type(error).__name__, " ".join(str(error).split())))))


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error
