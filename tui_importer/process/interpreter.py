"""How the interpreter of a process that imports is set."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager

#: Cells hold no references to each other, so looking for cycles among them by the hundred thousand finds nothing
#: and takes a fifth of the time of a load; seldom is enough for everything else.
_THRESHOLDS = (200_000, 20, 20)
#: How long a thread waits before it asks another one for the GIL, in seconds. A worker needs it five times a batch, for
#: a moment, and the database waits with it: with Python's 5 ms, for longer than the reader takes to make a batch.
_SWITCH_INTERVAL = 0.0005


def prepare_to_import() -> None:
    """Make the garbage collector leave the cells of a workbook alone, and modules that are imported later; make threads
    hand over soon."""
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
    sys.setswitchinterval(_SWITCH_INTERVAL)


@contextmanager
def no_collection() -> Iterator[None]:
    """Leave garbage alone while modules are imported, which make none: it would be looked for among all of them."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
