"""A PostgreSQL server for the benchmarks."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.postgres import SERVER_VARIABLE, postgres_server


@contextmanager
def postgres() -> Iterator[str]:
    """Yield the address of a server on this machine, with default settings: commits wait for the disk."""
    if given := os.environ.get(SERVER_VARIABLE):
        yield given
        return
    with postgres_server() as server:
        yield server.get_uri()
