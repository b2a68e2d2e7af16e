"""The peak memory of this process."""

from __future__ import annotations

import sys
from pathlib import Path

#: Of this process (proc(5)): its peak resident memory is in the line ``VmHWM``, in kB, and writing a 5 resets it.
_STATUS, _CLEAR_REFS = Path("/proc/self/status"), Path("/proc/self/clear_refs")
_RESET = b"5"


def peak_memory() -> int | None:
    """The peak resident memory of this process in bytes, since it began or the latest reset; None if unknown."""
    try:
        status = _STATUS.read_bytes()
    except OSError:
        return _since_the_beginning()
    _, mark, rest = status.partition(b"VmHWM:")
    return int(rest.split()[0]) * 1024 if mark else _since_the_beginning()


def reset_peak_memory() -> bool:
    """Measure from now on; False if the system cannot."""
    try:
        _CLEAR_REFS.write_bytes(_RESET)
    except OSError:
        return False
    return True


def _since_the_beginning() -> int | None:
    try:
        import resource
    except ImportError:  # Windows
        return None
    unit = 1 if sys.platform == "darwin" else 1024  # getrusage(2)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
