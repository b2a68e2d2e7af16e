"""A sheet with nothing but bad rows: all of them can be had, and the server never holds them all at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import psutil
import pytest

from tests.server.conftest import Served

if TYPE_CHECKING:
    from tests.conftest import Database

pytestmark = pytest.mark.once


def test_rejects_are_streamed(serve: Callable[..., Served], sqlite: Database) -> None:
    sqlite.execute("CREATE TABLE t (n integer)")
    rows, served = 8_000, serve("--db", sqlite.url, "--table", "t")
    run = served.ended(served.begin(f"n\n{('x' * 4_000 + chr(10)) * rows}".encode()))
    assert run["rejects_total"] == rows
    server = psutil.Process(served.process.pid)
    before = server.memory_info().rss
    with served.client.stream("GET", f"/runs/{run['id']}/rejects") as answer:
        size = sum(map(len, answer.iter_bytes()))
    assert size > rows * 4_000
    assert server.memory_info().rss - before < size / 2
    said = served.client.get(f"/runs/{run['id']}/rejects").json()
    assert (len(said["rejects"]), said["total"], said["complete"]) == (rows, rows, True)
