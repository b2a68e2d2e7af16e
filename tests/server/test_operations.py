"""What an operator needs: metrics, logs, and a health check that harms nobody."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.server.conftest import SLOW, Served, numbered, until
from tests.support.make_sample import SAMPLE_PATH

if TYPE_CHECKING:
    from tests.conftest import Database


def metrics(served: Served) -> dict[str, float]:
    """Samples by name and labels."""
    text = served.client.get("/metrics").text
    return {
        sample.name + "".join(f" {value}" for value in sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.mark.once
def test_metrics_count_requests_and_imports(serve: Callable[..., Served]) -> None:
    served = serve("--db", "t.db")
    served.post("/upload", SAMPLE_PATH, "sample.xlsx")
    served.post("/upload", SAMPLE_PATH, "sample.xlsx")
    served.post("/upload", b"a,b\n1,2\n")
    served.client.get("/runs/nothing")
    found = metrics(served)
    assert found["tui_importer_runs_total complete_with_rejects"] == 1
    assert found["tui_importer_runs_total already_imported"] == 1
    assert found["tui_importer_runs_total failed"] == 1
    assert found["tui_importer_rows_total inserted"] == 9_987
    assert found["tui_importer_rows_total skipped"] == 10_000
    assert found["tui_importer_rejects_total"] == found["tui_importer_rows_total rejected"] == 13
    assert found["tui_importer_retries_total"] == 0
    assert found["tui_importer_run_seconds_count"] == 3
    assert found["tui_importer_run_rows_per_second_count"] == 2
    assert found["tui_importer_upload_bytes_total"] == 2 * SAMPLE_PATH.stat().st_size + 8
    assert found["tui_importer_http_requests_total upload POST 200"] == 2
    assert found["tui_importer_http_requests_total upload POST 400"] == 1
    assert found["tui_importer_http_requests_total run GET 404"] == 1
    assert found["tui_importer_http_request_seconds_count upload"] == 3
    assert (found["tui_importer_running"], found["tui_importer_waiting"], found["tui_importer_receiving"]) == (0, 0, 0)


@pytest.mark.once
def test_metrics_have_gauges_and_count_rejects_once(serve: Callable[..., Served], postgres: Database) -> None:
    postgres.execute("CREATE TABLE t (n integer NOT NULL, note text)")
    served = serve("--db", postgres.url, "--table", "t", "--max-runs", "1")
    id_ = served.begin(b"n,note\n,bad\n,bad\n" + numbered(120).partition(b"\n")[2], workers=1, **SLOW)
    served.begin(numbered(5, first=100))
    served.wait(id_, lambda run: run["progress"] and run["progress"]["rows_per_second"] and run["progress"]["inserted"])
    found = metrics(served)
    assert (found["tui_importer_running"], found["tui_importer_waiting"]) == (1, 1)
    assert found["tui_importer_rows_per_second"] > 0
    served.client.post(f"/runs/{id_}/cancel")
    assert served.ended(id_)["rejects_total"] == 2
    served.client.post(f"/runs/{id_}/resume")
    assert served.ended(id_)["rejects_total"] == 2
    found = metrics(served)
    assert found["tui_importer_rejects_total"] == 2
    assert found["tui_importer_rows_total inserted"] == 125


def test_logs_are_json_lines_without_client_input(shared: Served) -> None:
    shared.client.get('/runs/"%0a{"ts":1}?secret=canary', headers={"X-Canary": "canary"})
    shared.post("/upload?dry_run=true", numbered(2), "canary.csv")
    request_id = shared.client.get("/health").headers["X-Request-Id"]
    until(lambda: request_id in shared.log.read_text())
    requests = [line for line in shared.lines() if line["event"] == "request"]  # every line is an object
    assert requests[-1]["request_id"] == request_id
    [asked, sent] = requests[-3:-1]
    assert (asked["path"], asked["status"]) == ('/runs/"\n{"ts":1}', 404)
    assert {"level", "logger", "client", "method", "bytes_out", "seconds"} <= set(sent)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", sent["ts"])
    assert (sent["status"], sent["bytes_in"] > 27) == (200, True)
    assert "canary" not in shared.log.read_text()
