"""Keeps the batches of an import in the order of the file, where that decides what is in the table at the end."""

from __future__ import annotations

import threading
from collections import deque

from tui_importer.core.model.batch import Batch
from tui_importer.errors import PlanError


class FileOrder:
    """The batches that a strategy has taken and not written yet, the first one first. Threads may share it.

    Nothing is kept unless ``matters``: where rows are only added, batches may be written in any order.
    """

    def __init__(self, *, matters: bool) -> None:
        self._matters = matters
        self._taken: deque[int] = deque()
        self._lock = threading.Lock()

    def took(self, batch: Batch | None) -> Batch | None:
        """Note that a batch was taken; returns it. None is the end of the batches."""
        if self._matters and batch is not None:
            with self._lock:
                self._taken.append(batch.number)
        return batch

    def check(self, batch: Batch) -> None:
        """Raise :class:`~tui_importer.errors.PlanError` unless this batch is the next one to be written.

        One that was written too early would be in for good: what an earlier row of the file says would then be written
        over what a later one says.
        """
        if not self._matters:
            return
        with self._lock:
            if not self._taken or self._taken[0] != batch.number:
                raise PlanError(
                    "the strategy does not write rows in the order of the file, in which the first or the last row of "
                    "a key is to win: choose another strategy"
                )
            self._taken.popleft()
