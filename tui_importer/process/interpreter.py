"""Tunes the interpreter of a process that imports."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager

#: Cells hold no references to each other, so a garbage collection over hundreds of thousands of them finds no cycles
#: and takes a fifth of the time of a load; rare collections are enough for everything else.
_THRESHOLDS = (200_000, 20, 20)
#: How long a thread waits before it requests the GIL, in seconds. A worker needs it five times per batch, for a moment,
#: and the database waits meanwhile: with Python's 5 ms, longer than the reader takes to make a batch.
_SWITCH_INTERVAL = 0.0005


def prepare_to_import() -> None:
    """Keep the garbage collector away from the cells of a workbook and from modules imported later, and shorten the
    switch interval of threads."""
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
    sys.setswitchinterval(_SWITCH_INTERVAL)


@contextmanager
def no_collection() -> Iterator[None]:
    """Disable garbage collection while modules are imported: imports make no garbage, and each collection would search
    all modules."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
