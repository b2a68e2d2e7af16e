"""How a process that imports treats garbage."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

#: Cells hold no references to each other, so looking for cycles among them by the hundred thousand finds nothing
#: and takes a fifth of the time of a load; seldom is enough for everything else.
_THRESHOLDS = (200_000, 20, 20)


def seldom_collect_garbage() -> None:
    """Make the garbage collector leave the cells of a workbook alone, and modules that are imported later."""
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)


@contextmanager
def no_collection() -> Iterator[None]:
    """Leave garbage alone while modules are imported, which make none: it would be looked for among all of them."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
