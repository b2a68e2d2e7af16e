"""A request that is sent again, and requests that are too many."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.server.conftest import SLOW, Served, numbered, until

if TYPE_CHECKING:
    from tests.conftest import Database


@pytest.mark.once
@pytest.mark.parametrize("path", ["/runs", "/upload"])
def test_request_with_idempotency_key_can_be_repeated(shared: Served, path: str) -> None:
    rows, key = numbered(20, first=2_000 if path == "/runs" else 2_100), {"Idempotency-Key": f"key-of{path}"}
    first = shared.post(path, rows, headers=key)
    second = shared.post(path, rows, headers=key)
    assert first.status_code == second.status_code
    assert first.headers["Location"] == second.headers["Location"]
    assert "Idempotency-Replayed" not in first.headers
    assert second.headers["Idempotency-Replayed"] == "true"
    run = shared.ended(first.json()["id"])
    assert (run["outcome"], len(run["run_ids"])) == ("complete", 1)
    # The same key with other content, or with other options, is a mistake of the client.
    assert shared.post(path, rows + b"7,x\n", headers=key).status_code == 422
    assert shared.post(f"{path}?limit=1", rows, headers=key).status_code == 422
    assert shared.post(path, rows, headers={"Idempotency-Key": "a b"}).status_code == 400
    assert len([folder for folder in shared.uploads if folder.name.endswith(".part")]) == 0


@pytest.mark.once
def test_idempotency_key_survives_a_restart(serve: Callable[..., Served]) -> None:
    served = serve("--db", "t.db", "--table", "t")
    first = served.post("/upload", numbered(5), headers={"Idempotency-Key": "k"}).json()
    served.stop()
    served.start()
    second = served.post("/upload", numbered(5), headers={"Idempotency-Key": "k"})
    assert second.json() == first
    assert second.headers["Idempotency-Replayed"] == "true"


@pytest.mark.once
def test_idempotency_key_is_reserved_during_upload(shared: Served) -> None:
    release, begun = threading.Event(), threading.Event()

    def slowly() -> object:
        yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\nn,note\n'
        begun.set()
        release.wait(60)
        yield b"3000,x\n\r\n--x--\r\n"

    headers = {"Idempotency-Key": "slow", "Content-Type": "multipart/form-data; boundary=x"}
    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(httpx.post, f"{shared.url}/runs", content=slowly(), headers=headers, timeout=60)  # type: ignore[arg-type]
        begun.wait(60)
        until(lambda: any(folder.name.endswith(".part") for folder in shared.uploads))
        meanwhile = shared.post("/runs", b"n,note\n3000,x\n", headers={"Idempotency-Key": "slow"})
        release.set()
        assert sending.result().status_code == 202
    assert meanwhile.status_code == 409


@pytest.mark.once
def test_full_queue_refuses_uploads_with_retry_after(serve: Callable[..., Served]) -> None:
    served = serve("--db", "t.db", "--table", "t", "--max-runs", "1", "--max-waiting", "2")
    ids = [served.begin(numbered(900, first=1000 * number), **SLOW) for number in range(3)]
    states = [served.run(id_)["state"] for id_ in ids]
    assert states == ["running", "waiting", "waiting"]
    assert [served.run(id_)["position"] for id_ in ids] == [None, 1, 2]
    for path in ("/runs", "/upload"):
        refused = served.post(path, numbered(1))
        assert refused.status_code == 429
        assert 1 <= int(refused.headers["Retry-After"]) <= 300
        assert "2 uploads wait for their turn" in refused.json()["error"]
    assert served.client.get("/health").json()["waiting"] == 2
    # One that waits can be cancelled or forgotten without ever having begun.
    assert served.client.post(f"/runs/{ids[2]}/cancel").status_code == 202
    assert served.run(ids[2])["error"] == "stopped before it began"
    assert served.client.post(f"/runs/{ids[1]}/pause").status_code == 409
    assert served.client.delete(f"/runs/{ids[1]}").status_code == 204
    assert served.post("/runs", numbered(1)).status_code == 202
    served.client.post(f"/runs/{ids[0]}/cancel")
    assert served.ended(ids[0])["outcome"] == "stopped"


@pytest.mark.once
@pytest.mark.parametrize("query", ["", "?atomic=true"])
def test_concurrent_uploads_create_one_table(serve: Callable[..., Served], postgres: Database, query: str) -> None:
    served = serve("--db", postgres.url, "--table", "t", "--max-runs", "4")
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda one: served.post(f"/upload{query}", numbered(50, first=100 * one)), range(6)))
    assert [answer.json().get("outcome") for answer in answers] == ["complete"] * 6
    assert postgres.fetch("SELECT count(*), count(DISTINCT n) FROM t") == [(300, 300)]


@pytest.mark.once
def test_concurrent_uploads_of_the_same_content_are_serialized(serve: Callable[..., Served]) -> None:
    served = serve("--db", "t.db", "--table", "t", "--max-runs", "4")
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: served.post("/upload", numbered(500)).json(), range(4)))
    assert sorted(answer["outcome"] for answer in answers) == ["already_imported"] * 3 + ["complete"]
    assert sum(answer["stats"]["inserted"] for answer in answers) == 500
