"""A PostgreSQL server to measure against."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.postgres import SERVER_VARIABLE, postgres_server


@contextmanager
def postgres() -> Iterator[str]:
    """The address of a server on this machine, with its defaults: commits wait for the disk."""
    if given := os.environ.get(SERVER_VARIABLE):
        yield given
        return
    with postgres_server() as server:
        yield server.get_uri()
