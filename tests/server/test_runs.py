"""Runs as resources: begun, listed, followed, given orders, and forgotten."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from typing import Any

import openpyxl
import pytest

from tests.server.conftest import SLOW, Served, numbered, until
from tests.support.make_sample import SAMPLE_PATH
from tui_importer.core.model.counters import Snapshot
from tui_importer.recording.control import ChangeWorkers, Pause, Stop, give_order
from tui_importer.recording.follow import Follower, headers, rejected_rows

pytestmark = pytest.mark.once


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    found = Served(tmp_path_factory.mktemp("runs"), "--db", "target.db", "--max-runs", "4", "--table", "t")
    yield found
    found.close()


def stream(served: Served, id_: str, last: str | None = None, query: str = "") -> list[dict[str, str]]:
    """The server-sent events until the stream ends."""
    asked = {} if last is None else {"Last-Event-ID": last}
    with served.client.stream("GET", f"/runs/{id_}/events{query}", headers=asked) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        text = answer.read().decode()
    blocks = [block for block in text.split("\n\n") if block and not block.startswith(":")]
    return [dict(line.split(": ", 1) for line in block.split("\n")) for block in blocks]


def test_run_is_reported_from_start_to_end(served: Served) -> None:
    id_ = served.begin(numbered(300, bad=3), max_rejects=50, method="concurrent")
    run = served.ended(id_)
    assert (run["outcome"], run["exit_code"], run["error"], run["method"]) == ("complete", 0, None, "concurrent")
    assert (run["stats"]["total_records"], run["file"], run["table"]) == (300, "rows.csv", "t")
    assert run["options"] == {"max_rejects": "50", "method": "concurrent"}
    listed = served.client.get("/runs", params={"limit": 1}).json()
    assert [one["id"] for one in listed["runs"]] == [id_]
    older = served.client.get("/runs", params={"before": id_}).json()["runs"]
    assert id_ not in [one["id"] for one in older]
    assert served.run(run["run_id"]) == run


def test_event_stream_resumes_from_any_id(served: Served) -> None:
    id_ = served.begin(numbered(50, first=400), batch_size=10)
    served.ended(id_)
    whole = stream(served, id_)
    assert (whole[0]["event"], whole[1]["event"], whole[-1]["event"]) == ("run", "run_started", "end")
    assert [event["event"] for event in whole].count("batch_committed") >= 5
    assert json.loads(whole[-1]["data"])["outcome"] == "complete"
    for place, event in enumerate(whole[1:-2], start=1):
        assert stream(served, id_, event["id"])[1:] == whole[place + 1 :]
    over = served.client.get(f"/runs/{id_}/events", headers={"Last-Event-ID": whole[-2]["id"]})
    assert over.status_code == 204
    assert stream(served, id_, "of another server")[1:] == whole[1:]


def test_events_are_streamed_during_the_run(served: Served) -> None:
    id_ = served.begin(numbered(900, first=5_000), **SLOW)
    seen: list[str] = []
    with served.client.stream("GET", f"/runs/{id_}/events") as answer:
        for line in answer.iter_lines():
            if line.startswith("data: ") and json.loads(line[6:]).get("event") == "progress":
                fields: dict[str, Any] = json.loads(line[6:])
                if fields["workers"]:
                    seen.append(fields["workers"][0]["state"])
                    break
    assert seen
    assert served.run(id_)["state"] == "running"
    served.client.post(f"/runs/{id_}/cancel")
    served.ended(id_)


@pytest.mark.parametrize("query", ["", "?dry_run=true"])
def test_rejects_are_available_as_json_and_as_a_workbook(serve: Callable[..., Served], query: str) -> None:
    served = serve("--db", "t.db")
    answer = served.post(f"/runs{query}", SAMPLE_PATH, "sample.xlsx")
    run = served.ended(answer.json()["id"])
    assert run["rejects_total"] == len(run["rejects"]) == run["stats"]["error_count"] == 13
    if not query:
        again = served.post("/upload?method=async", SAMPLE_PATH, "sample.xlsx").json()
        assert (again["outcome"], again["rejects_total"], again["rejects"]) == ("already_imported", 13, run["rejects"])
        run = served.run(again["id"])
    said = served.client.get(f"/runs/{run['id']}/rejects").json()
    assert (said["total"], said["complete"], len(said["rejects"])) == (run["rejects_total"], True, run["rejects_total"])
    assert said["rejects"] == run["rejects"]
    for ask in ({"params": {"format": "xlsx"}}, {"headers": {"Accept": answer_type("xlsx")}}):
        got = served.client.get(f"/runs/{run['id']}/rejects", **ask)  # type: ignore[arg-type]
        assert got.headers["content-type"] == answer_type("xlsx")
        book = openpyxl.load_workbook(io.BytesIO(got.content))
        assert book.worksheets[0].max_row == 1 + run["rejects_total"]
    assert served.client.get(f"/runs/{run['id']}/rejects?format=pdf").status_code == 400
    with_rejects = stream(served, run["id"], query="?rejects=true")
    assert [event["event"] for event in with_rejects].count("row_rejected") == (0 if run["resumes"] else 13)


def answer_type(suffix: str) -> str:
    return {"xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"}[suffix]


def test_run_can_be_paused_stopped_and_resumed(served: Served) -> None:
    rows = numbered(120, first=600)
    id_ = served.begin(rows, **SLOW)
    served.at_work(id_)
    assert served.client.post(f"/runs/{id_}/pause").status_code == 202
    paused = served.wait(id_, lambda run: run["state"] == "paused")
    assert served.client.delete(f"/runs/{id_}").status_code == 409
    assert served.client.post(f"/runs/{id_}/resume").status_code == 202
    served.wait(id_, lambda run: run["progress"]["inserted"] > paused["progress"]["inserted"])
    assert served.client.post(f"/runs/{id_}/cancel").status_code == 202
    stopped = served.ended(id_)
    assert (stopped["outcome"], stopped["resumable"]) == ("stopped", True)
    assert 0 < stopped["stats"]["inserted"] < 120
    for word in ("pause", "cancel"):
        assert served.client.post(f"/runs/{id_}/{word}").status_code == 409
    assert served.client.post(f"/runs/{id_}/resume").status_code == 202
    done = served.ended(id_)
    assert (done["outcome"], len(done["run_ids"]), done["resumable"]) == ("complete", 2, False)
    assert done["stats"]["inserted"] + stopped["stats"]["inserted"] == 120
    assert served.client.post(f"/runs/{id_}/resume").status_code == 409
    # Both executions are in the stream, one after the other.
    ids = [event["id"].partition("-")[0] for event in stream(served, id_) if "id" in event]
    assert set(ids) == {"1", "2"}
    assert ids == sorted(ids)


def test_dashboard_shows_and_controls_an_uploaded_run(serve: Callable[..., Served], postgres: Any) -> None:
    served = serve("--db", postgres.url, "--table", "t")
    id_ = served.begin(numbered(2_000), max_rate=40, batch_size=4, workers=2)
    run = served.wait(id_, lambda run: run["progress"] and run["progress"]["inserted"] >= 20)
    recording = served.recording(run["run_id"])
    assert recording.alive
    follower = Follower(recording)
    until(lambda: any(isinstance(line.what, Snapshot) for line in follower.poll()))
    assert headers(recording) == ("n", "note")
    assert list(rejected_rows(recording)) == []
    give_order(recording.folder, ChangeWorkers(workers=3))
    served.wait(id_, lambda run: run["progress"]["workers_wanted"] == 3)
    give_order(recording.folder, Pause())
    served.wait(id_, lambda run: run["state"] == "paused")
    give_order(recording.folder, Stop())
    assert served.ended(id_)["outcome"] == "stopped"
    follower.close()
    command = recording.command
    assert command is not None
    assert str(served.state) in command  # it can be typed anywhere


def test_deleted_upload_leaves_no_file(served: Served) -> None:
    id_ = served.begin(numbered(30, first=900), timeout=0.2, **SLOW)
    run = served.ended(id_)
    assert run["outcome"] == "stopped"
    [folder] = [path for path in served.uploads if path.name == id_]
    assert (folder / "upload.csv").exists()
    recording = served.recording(run["run_id"])
    assert recording.folder.exists()
    assert served.client.delete(f"/runs/{id_}").status_code == 204
    assert not folder.exists()
    assert not recording.folder.exists()
    for path in (f"/runs/{id_}", f"/runs/{run['run_id']}", f"/runs/{id_}/events", f"/runs/{id_}/rejects"):
        assert served.client.get(path).status_code == 404
    assert served.client.delete(f"/runs/{id_}").status_code == 404


def test_uploaded_file_is_deleted_when_no_longer_needed(served: Served) -> None:
    id_ = served.begin(numbered(3, first=990))
    served.ended(id_)
    [folder] = [path for path in served.uploads if path.name == id_]
    until(lambda: [path.name for path in folder.iterdir()] == ["record.json"])  # its end is seen before it is noted
