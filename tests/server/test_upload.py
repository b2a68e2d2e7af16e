"""POST /upload: what the founding program did, without its faults."""

from __future__ import annotations

import json
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.server.conftest import Served, numbered
from tests.support.make_sample import BAD_ROWS, SAMPLE_PATH

if TYPE_CHECKING:
    from tests.conftest import Database

pytestmark = pytest.mark.once

METHODS = ("batch", "async", "concurrent", "sequential")
ROW_BY_ROW = ("concurrent", "sequential")


@pytest.mark.once
@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_sample_file_is_uploaded_with_every_method(
    serve: Callable[..., Served], kind: str, request: pytest.FixtureRequest
) -> None:
    database: Database = request.getfixturevalue(kind)
    served = serve("--db", database.url)
    inserted = 0
    for method in METHODS:
        # Row by row, each row is a commit: 1,000 of them show what 10,000 would.
        rows = 1_000 if method in ROW_BY_ROW else 10_000
        bad = sum(row <= 1 + rows for row in BAD_ROWS)
        answer = served.post(f"/upload?method={method}&again=true&limit={rows}", SAMPLE_PATH, "sample_data.xlsx")
        assert answer.status_code == 200, answer.text
        said = answer.json()
        stats = said["stats"]
        assert (stats["total_records"], stats["success_count"], stats["error_count"]) == (rows, rows - bad, bad)
        assert stats["duration"].endswith("s")
        assert stats["records_per_second"] > 0
        assert (said["method"], said["outcome"]) == (method, "complete_with_rejects")
        assert said["message"] == f"{bad} rows were rejected, every other row is in"
        assert (said["rejects_total"], len(said["rejects"])) == (bad, bad)
        assert said["rejects"][1]["cell"] == "Sheet1!C217"
        assert served.recording(said["run_id"]).report() is not None
        inserted += rows - bad
        assert database.scalar("SELECT count(*) FROM businesses") == inserted


def test_upload_by_curl_to_a_server_without_options(serve: Callable[..., Served], tmp_path: Path) -> None:
    served = serve()
    port = served.url.rpartition(":")[2]
    ended = subprocess.run(
        ["curl", "-sS", "-X", "POST", f"http://localhost:{port}/upload?method=batch", "-F", f"file=@{SAMPLE_PATH}"],
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert json.loads(ended.stdout)["stats"]["success_count"] == 9_987
    with closing(sqlite3.connect(tmp_path / "here" / "businesses.db")) as database:
        assert database.execute("SELECT count(*) FROM businesses").fetchone() == (9_987,)


def test_second_upload_of_the_same_file_is_recognised(shared: Served) -> None:
    rows = numbered(120, first=1_000)
    first = shared.post("/upload", rows).json()
    second = shared.post("/upload?method=sequential", rows, "another name.csv").json()
    assert (first["outcome"], first["stats"]["inserted"]) == ("complete", 120)
    assert (second["outcome"], second["message"]) == ("already_imported", "already imported: nothing was written")
    assert (second["stats"]["inserted"], second["stats"]["skipped"]) == (0, 120)


def test_undecodable_file_name_is_shown_escaped(shared: Served) -> None:
    body = PART.replace(b"a.csv", b"caf\xe9.csv") + b"--x--\r\n"
    upload = shared.client.post("/upload?dry_run=true", content=body, headers=FORM).json()
    assert shared.client.get(f"/runs/{upload['id']}").json()["file"] == r"caf\xe9.csv"


FORM = {"Content-Type": "multipart/form-data; boundary=x"}
PART = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\nn\n1\n\r\n'
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "/upload?method=magic": (
        {"files": {"file": ("a.csv", b"n\n1\n")}},
        "unknown strategy 'magic': known are async, batched, sequential, threaded",
    ),
    "/upload": ({}, "no file was sent: send a multipart form with a field 'file' (curl -F file=@NAME)"),
    "/upload?": (
        {"files": {"file": ("a.pdf", b"%PDF")}},
        "no reader opens .pdf: known are .csv, .ods, .tab, .tsv, .txt, .xls, .xlsb, .xlsm, .xlsx, .xltm, .xltx",
    ),
    "/upload?sheet=": ({"files": {"file": ("a.csv", b"")}}, "sheet: expected `str` of length >= 1"),
    "/runs?sheet=all": (
        {"files": {"file": ("a.csv", b"")}},
        "sheet: an upload is one sheet, and 'all' may name several",
    ),
    "/runs?sheet=Q*": ({"files": {"file": ("a.csv", b"")}}, "sheet: an upload is one sheet, and 'Q*' may name several"),
    "/runs": ({"files": {"other": ("a.csv", b"")}}, "unknown field 'other' in the form: its one field is 'file'"),
    "/runs?": ({"data": {"file": "text"}, "files": {"x": ("", b"")}}, "field 'file' has to be a file with a name"),
    "/runs?workers=9": ({"files": {"file": ("a.csv", b"")}}, "workers must be 8 or fewer here"),
    "/runs?workers=many": (
        {"files": {"file": ("a.csv", b"")}},
        "workers: 'many' is neither a whole number",
    ),
    "/runs?db=x": ({"files": {"file": ("a.csv", b"")}}, "unknown option 'db': known are method, sheet, range"),
    "/runs?date_format=soon": ({"files": {"file": ("a.csv", b"")}}, "date_format must be like DD.MM.YYYY"),
    "/runs?null_if=a=": ({"files": {"file": ("a.csv", b"")}}, "'a=' is not [COLUMN=]VALUE"),
    "/runs?limit=1&limit=2": ({"files": {"file": ("a.csv", b"")}}, "limit is given twice"),
    "/runs?atomic=true": ({"content": PART, "headers": FORM}, "the request's body ended in the middle of its"),
    "/runs?again=true": ({"content": b"nothing", "headers": FORM}, "the request's body is not a well-formed multipart"),
    "/runs?verify=true": ({"content": PART * 2 + b"--x--\r\n", "headers": FORM}, "the form has two fields 'file'"),
    "/runs?dry_run=true": ({"content": b"--x--\r\n", "headers": FORM}, ""),
}


@pytest.mark.parametrize("path", WRONG)
def test_invalid_uploads_are_refused_in_one_sentence(shared: Served, path: str) -> None:
    request, sentence = WRONG[path]
    answer: httpx.Response = shared.client.post(path, **request)
    assert answer.status_code == 400
    assert list(answer.json()) == ["error"]
    said = answer.json()["error"]
    assert said.startswith(sentence)
    assert "\n" not in said
    assert "Traceback" not in said


@pytest.mark.parametrize("content", [b"", b"not a workbook", b"PK\x03\x04 nor this"])
def test_invalid_workbook_is_refused_without_server_details(shared: Served, content: bytes) -> None:
    answer = shared.post("/upload", content, "a.xlsx")
    assert answer.status_code == 400
    assert str(shared.state) not in answer.text
    assert shared.run(answer.json()["id"])["outcome"] == "failed"


def test_answer_within_returns_202_with_the_run_location(serve: Callable[..., Served]) -> None:
    served = serve("--db", "t.db", "--table", "t", "--answer-within", "0.1")
    answer = served.post("/upload?max_rate=20&batch_size=1", numbered(40))
    assert answer.status_code == 202
    assert served.ended(answer.headers["Location"].rpartition("/")[2])["outcome"] == "complete"


def test_dry_run_writes_nothing_and_sheet_can_be_selected(shared: Served) -> None:
    answer = shared.post("/upload?dry_run=true&limit=5", numbered(9, first=5_000)).json()
    assert answer["stats"]["total_records"] == 5
    wrong = shared.post("/upload?sheet=Nowhere", SAMPLE_PATH, "sample.xlsx")
    assert wrong.status_code == 400
    assert "Nowhere" in wrong.json()["error"]


def test_value_formats_are_query_parameters(serve: Callable[..., Served], tmp_path: Path) -> None:
    served = serve("--db", "t.db", "--table", "t")
    content = b"day,amount,note\n01/02/2024,NA,NA\n03/04/2024,-,x\n05/06/2024,2.5,y\n"
    answer = served.client.post(
        "/upload?date_format=mdy&null_if=amount=NA&null_if=amount=-", files={"file": ("a.csv", content)}
    )
    assert answer.status_code == 200, answer.text
    with closing(sqlite3.connect(tmp_path / "here" / "t.db")) as connection:
        assert connection.execute("select * from t").fetchall() == [
            ("2024-01-02", None, "NA"),
            ("2024-03-04", None, "x"),
            ("2024-05-06", 2.5, "y"),
        ]


def test_health_includes_the_database(shared: Served) -> None:
    said = shared.client.get("/health")
    assert (said.status_code, said.json()["status"], said.json()["database"]) == (200, "ok", "ok")
