"""Files that never wait for a disk."""

from __future__ import annotations

import os
import shutil

#: Bytes that there have to be for it: each process of a parallel run has a PostgreSQL server there.
_ROOM = 4 << 30


def folder_in_memory() -> str | None:
    """A folder that is kept in memory, if the machine has one with enough room."""
    place = "/dev/shm"
    return place if os.access(place, os.W_OK) and shutil.disk_usage(place).free > _ROOM else None
