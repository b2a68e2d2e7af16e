"""Like rejects are told as one over HTTP, too."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.core.model.test_reject_groups import SQLITE, sheet
from tests.server.conftest import Served

if TYPE_CHECKING:
    from tests.conftest import Database


@pytest.mark.once
def test_http_api_returns_the_reject_groups_of_the_report(
    serve: Callable[..., Served], sqlite: Database, tmp_path: Path
) -> None:
    sqlite.execute(SQLITE)
    served = serve("--db", sqlite.url, "--table", "t")
    run = served.ended(served.begin(sheet(tmp_path / "t.csv", raising=False).read_bytes()))
    assert [(group["reason"], group["count"], len(group["cells"])) for group in run["reject_groups"]] == [
        ("UNIQUE constraint failed: t.id", 100, 3),
        ("CHECK constraint failed: mood = 'ok'", 100, 3),
    ]
