"""Whether the process that executes a run is alive, as far as this machine can tell."""

from __future__ import annotations

import os
import socket
from itertools import islice
from pathlib import Path

#: Live runs of this process; the operating system knows those of other processes.
_live_runs: set[str] = set()


def run_began(run_id: str) -> None:
    """Note that this process executes the run."""
    _live_runs.add(run_id)


def run_ended(run_id: str) -> None:
    """Note that this process no longer executes the run."""
    _live_runs.discard(run_id)


def is_alive(process: str, run_id: str) -> bool:
    """Whether a process of this machine is executing the run."""
    if process == process_id(os.getpid()):
        return run_id in _live_runs
    there = process_id(int(process.partition("/")[0]))
    # Version 0.1 did not record the PID namespace.
    return there is not None and (there == process or there.startswith(f"{process}/"))


def ran_here(host: str, process: str) -> bool:
    """Whether this system can check a run's process: containers may share a host name but not PIDs."""
    namespace = process.split("/")[2:]
    return host == socket.gethostname() and namespace in ([], _namespace().split("/")[1:])


def _namespace() -> str:
    """The PID namespace (pid_namespaces(7)) after a slash; empty if the system does not tell."""
    try:
        return f"/{os.stat('/proc/self/ns/pid').st_ino}"
    except OSError:
        return ""


def process_id(number: int) -> str | None:
    """Identify a process by its PID and, if the system tells, its start time (proc(5), field 22 of stat; PIDs are
    reused) and its PID namespace. None if there is no such process."""
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass  # it belongs to another user
    try:
        stat = Path(f"/proc/{number}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return f"{number}"
    fields = stat.rpartition(")")[2].split()
    if fields[0] in "ZX":
        return None  # a zombie: dead, but its parent has not waited for it
    return f"{number}/{next(islice(fields, 19, None), '')}{_namespace()}"
