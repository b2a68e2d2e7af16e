"""Taking back a run over HTTP: the number of rows first, then only with that number."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import sqlite_database
from tests.server.conftest import Served, numbered

Serve = Callable[..., Served]
OPTIONS = ("--table", "t", "--lineage")


@pytest.mark.once
def test_rows_are_taken_out_once_their_number_is_confirmed(serve: Serve, tmp_path: Path) -> None:
    served = serve(*OPTIONS, "--db", str(tmp_path / "t.db"), "--allow-undo")
    database = sqlite_database(tmp_path / "t.db")
    first, second = served.begin(numbered(5)), served.begin(numbered(3, first=100))
    run_id = served.ended(first)["run_id"]
    served.ended(second)
    preview = {"run_id": run_id, "table": "t", "inserted": 5, "rows": 5, "undone": False}
    answer = served.client.get(f"/runs/{first}/undo")
    assert (answer.status_code, answer.json()) == (200, preview)
    wrong = served.client.post(f"/runs/{first}/undo?rows=8")
    assert (wrong.status_code, wrong.json()["error"]) == (409, "5 rows would be taken out, not 8: ask again")
    assert served.client.post(f"/runs/{first}/undo").status_code == 400
    assert served.client.post(f"/runs/{first}/undo?rows=x").status_code == 400
    assert database.scalar("SELECT count(*) FROM t") == 8
    done = served.client.post(f"/runs/{first}/undo?rows=5")
    assert (done.status_code, done.json()) == (200, {**preview, "undone": True})
    assert database.fetch("SELECT min(n), count(*) FROM t") == [(100, 3)]
    again = served.client.post(f"/runs/{first}/undo?rows=5")
    assert (again.status_code, "already" in again.json()["error"]) == (409, True)


@pytest.mark.once
def test_undo_is_refused_where_it_is_not_allowed(serve: Serve, tmp_path: Path) -> None:
    served = serve(*OPTIONS, "--db", str(tmp_path / "t.db"))
    id_ = served.begin(numbered(5))
    served.ended(id_)
    for method, query in (("GET", ""), ("POST", "?rows=5")):
        answer = served.client.request(method, f"/runs/{id_}/undo{query}")
        assert (answer.status_code, "--allow-undo" in answer.json()["error"]) == (409, True)
    assert sqlite_database(tmp_path / "t.db").scalar("SELECT count(*) FROM t") == 5
    assert served.client.get("/runs/nothing/undo").status_code == 404
