"""Failures of workers and of third-party code, as errors that a user can read in one line."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from tui_importer.errors import ImporterError, StoppedError

#: Exceptions that end the whole program and are not a failure of the run. Any other exception is a failure, even if it
#: is not an Exception: a panic in the Rust code of a third-party reader.
INTERRUPTS = (KeyboardInterrupt, SystemExit)

_log = logging.getLogger(__name__)


def several(group: BaseExceptionGroup[BaseException]) -> ImporterError | None:
    """One error that names the failures of several workers; None if all of them were only stopped."""
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
    """An unexpected exception as an error of one line; its traceback is logged."""
    _log.debug("unexpected", exc_info=error)
    return ImporterError(": ".join(filter(None, (type(error).__name__, " ".join(str(error).split())))))


def as_error(error: BaseException) -> ImporterError:
    """An error as it is, and any other exception as :func:`unexpected` says it."""
    return error if isinstance(error, ImporterError) else unexpected(error)


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error
