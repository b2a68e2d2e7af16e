"""Operations: database work that is written once, for plain sessions and for asyncio.

An operation is a generator that never blocks: it yields what a session's method returned. For a
:class:`~tui_importer.core.writing.backend.Session` that is the result, which :func:`run` sends straight back; for an
:class:`~tui_importer.core.writing.backend.AsyncSession` it is an awaitable, which :func:`run_async` awaits first.
Either way an error is raised at the ``yield``.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, TypeVar

T = TypeVar("T")

#: A computation that yields what a session's method returned and is sent the result.
Operation = Generator[Any, Any, T]


def run(operation: Operation[T]) -> T:
    """Run an operation on a plain session: each result is available at once."""
    result = None
    try:
        while True:
            result = operation.send(result)
    except StopIteration as end:
        value: T = end.value
        return value


async def run_async(operation: Operation[T]) -> T:
    """Run an operation on an asyncio session: each result is awaited."""
    try:
        pending = operation.send(None)
        while True:
            try:
                result = await pending
            except BaseException as error:  # noqa: BLE001  # a cancellation too: the operation decides what to do
                pending = operation.throw(error)
            else:
                pending = operation.send(result)
    except StopIteration as end:
        value: T = end.value
        return value
