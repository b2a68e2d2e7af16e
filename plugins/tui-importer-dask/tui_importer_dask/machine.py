"""What a dask worker must share with the run: the source's file always, and the machine if the database is on it."""

from __future__ import annotations

import os
import platform
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from tui_importer import ImportSpec

_URL = re.compile(r"(?P<scheme>[^:/]+)://(?:[^/?#]*@)?(?P<host>[^/?#]*)(?:/(?P<path>[^?#]*))?(?:\?(?P<query>.*))?")
#: Other ways to name a host, in a URL's query or in a libpq keyword string.
_HOST = re.compile(r"(?:^|[\s&])(?:host|hostaddr)\s*=\s*'?([^\s&']+)")
_SERVICE = re.compile(r"(?:^|[\s&])service\s*=")
_HERE = re.compile(r"localhost|127\.[\d.]+|\[?::1\]?|/.*|@.*", re.IGNORECASE)
#: Kinds of databases that are files.
_FILES = ("sqlite", "duckdb")
_PORT = re.compile(r":\d*$")


@dataclass(frozen=True, slots=True)
class Sight:
    """What is seen from a process: its ``machine``, the ``size`` of the source in bytes or the ``error`` that keeps it
    from being read, and the identity of the database's ``folder``, None if there is no such folder."""

    machine: str
    size: int | None
    error: str | None
    folder: tuple[int, int] | None


def look(spec: ImportSpec, folder: str | None) -> Sight:
    """Look at the source of an import, and at the database's ``folder`` if it is a file."""
    size, error = None, None
    try:
        with spec.path.open("rb") as opened:
            size = os.fstat(opened.fileno()).st_size
    except (OSError, ValueError) as failure:
        error = "no such file" if isinstance(failure, FileNotFoundError) else _reason(failure)
    return Sight(_machine(), size, error, None if folder is None else _identity(folder))


def database_folder(address: str) -> str | None:
    """The folder of a database that is a file; None for all others."""
    url = _URL.fullmatch(address)
    if url is None or url["host"] or not (url["path"] or "").startswith("/"):
        return None
    return str(Path(unquote(url["path"], errors="surrogateescape")).parent)


def is_relative_file(address: str) -> bool:
    """Whether a database is a file that is named relative to the current folder."""
    url = _URL.fullmatch(address)
    return url is not None and url["scheme"].split("+")[0] in _FILES and not (url["path"] or "").startswith("/")


def is_on_this_machine(address: str) -> bool:
    """Whether a database's address means another database on each machine, or another file in each folder."""
    url = _URL.fullmatch(address)
    if url is None:  # a libpq keyword string
        named, described = [], address
    else:
        named, described = [url["host"]] if url["host"] else [], url["query"] or ""
    if _SERVICE.search(described):
        return False  # the service file says where, that of each machine
    hosts = [_PORT.sub("", host) for text in (named + _HOST.findall(described)) for host in unquote(text).split(",")]
    if not hosts:
        # Without a host, libpq and others take this machine; a URL of nothing but parameters is its driver's to read.
        return url is None or url["scheme"].startswith("postgres") or bool(url["path"])
    return any(_HERE.fullmatch(host) for host in hosts)


def _identity(folder: str) -> tuple[int, int] | None:
    try:
        found = Path(folder).stat()
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino


def _machine() -> str:
    """What processes share that can reach the same local servers: the running kernel and its network interfaces."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {Path('/proc/self/ns/net').stat().st_ino}"
    except OSError:  # not Linux
        return platform.node()


def _reason(error: OSError | ValueError) -> str:
    return f"cannot be read: {getattr(error, 'strerror', None) or error}"
