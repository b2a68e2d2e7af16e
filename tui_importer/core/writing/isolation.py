"""Isolation of bad rows: the good rows of a batch are loaded, each row that the database refuses becomes a reject."""

from __future__ import annotations

import logging
from enum import Enum, auto
from typing import NamedTuple

from tui_importer.core.conversion.mapping import ColumnMapping
from tui_importer.core.model.batch import Batch
from tui_importer.core.writing.backend import IsolatedRows
from tui_importer.core.writing.loaded import NOTHING_LOADED, Loaded
from tui_importer.core.writing.operation import Operation
from tui_importer.core.writing.worker_session import WorkerSession
from tui_importer.errors import DataFault
from tui_importer.events import Reject

_log = logging.getLogger(__name__)

#: The number of refused loads of one batch after which it counts as having many bad rows. To find a row that the
#: database names takes two of them, and finding two or three that way costs less than setting up isolation.
FEW_REFUSALS = 6


class BadRowIsolation:
    """Finds the rows that the database refuses, inside the open transaction of a session.

    ``many_bad``: the latest batch had many bad rows, so the next one is isolated without trying to load it first.
    """

    def __init__(self, session: WorkerSession, mapping: ColumnMapping) -> None:
        self.many_bad = False
        self._session = session
        self._mapping = mapping

    def isolate(self, batch: Batch, fault: DataFault | None) -> Operation[tuple[Loaded, list[Reject]]]:
        """Load the good rows and reject the bad ones; returns what became of the good ones, and the rejects.

        If the database names the refused row, the rows before it, the row itself and the rows after it are tried
        separately; otherwise the two halves are. A row is rejected only if it was refused alone. If more than a few
        rows are bad, the session is asked to find all of them at once. The same happens if there is no ``fault``: the
        batch has not been loaded yet.
        """
        session, call = self._session.current, self._session.call
        loaded, rejects = NOTHING_LOADED, list[Reject]()
        refusals = 0 if fault is not None else FEW_REFUSALS
        # An error that names a row implies that the rows before it are good and that it is bad. Once either proves
        # wrong, named rows are ignored; otherwise a batch could cost a statement per row.
        trusted = True
        todo = _parts(0, len(batch), fault.offset) if fault is not None else [RowRange(0, len(batch))]
        while todo:
            if refusals == FEW_REFUSALS and session.isolates:
                refusals += 1  # ask only once
                if fault is not None:
                    # Isolating may wait for other workers: release all locks first, so that none waits for this one.
                    yield from call(session.rollback)
                    yield from call(session.begin)
                isolated = yield from self._isolate_at_once(batch)
                if isolated is not None:
                    refused = [self.reject(batch, row, refusal) for row, refusal in isolated.refused]
                    return isolated.loaded, refused
                loaded, rejects, todo = NOTHING_LOADED, [], [RowRange(0, len(batch))]
            part = todo.pop()
            start, stop = part.start, part.stop
            yield from call(session.savepoint)
            try:
                loaded += yield from call(session.load, batch, start, stop)
            except DataFault as refusal:
                yield from call(session.rollback_to_savepoint)
                refusals += 1
                trusted = trusted and part.expected is not Expected.GOOD
                if stop - start == 1:
                    rejects.append(self.reject(batch, start, refusal))
                else:
                    todo += _parts(start, stop, refusal.offset if trusted else None)
            else:
                yield from call(session.release)
                trusted = trusted and part.expected is not Expected.BAD
        return loaded, rejects

    def reject(self, batch: Batch, row: int, fault: DataFault) -> Reject:
        """Row ``row`` of the batch, which the database refused, as a reject."""
        return self._mapping.reject(
            batch.rows[row],
            [column.take((row,))[0] for column in batch.origin],
            [self._mapping.database_fault(batch, row, fault)],
        )

    def _isolate_at_once(self, batch: Batch) -> Operation[IsolatedRows | None]:
        """Ask the session to find the refused rows; None if it cannot."""
        session, call = self._session.current, self._session.call
        yield from call(session.savepoint)
        try:
            isolated = yield from call(session.isolate, batch, 0, len(batch))
        except DataFault as fault:
            _log.debug("bad rows from row %d on are found by halves", batch.first_row, exc_info=fault)
            isolated = None
        self.many_bad = isolated is not None and len(isolated.refused) >= FEW_REFUSALS
        yield from call(session.rollback_to_savepoint if isolated is None else session.release)
        return isolated


class Expected(Enum):
    """What an earlier error of the database implied about some rows."""

    GOOD = auto()
    BAD = auto()
    UNKNOWN = auto()


class RowRange(NamedTuple):
    """Rows ``start`` to ``stop`` (exclusive) of a batch, to be tried together."""

    start: int
    stop: int
    expected: Expected = Expected.UNKNOWN


def _parts(start: int, stop: int, offset: int | None) -> list[RowRange]:
    """The parts to try next, as a stack: the last one first.

    They are tried in sheet order, so that of two rows with the same key the first is inserted.
    """
    if offset is not None and 0 <= offset < stop - start:
        bad = start + offset
        parts = [RowRange(bad + 1, stop), RowRange(bad, bad + 1, Expected.BAD), RowRange(start, bad, Expected.GOOD)]
    else:
        middle = (start + stop) // 2
        parts = [RowRange(middle, stop), RowRange(start, middle)]
    return [part for part in parts if part.start < part.stop]
