"""The OpenAPI document and the server agree, whatever schemathesis thinks of."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.server.conftest import SLOW, Served, numbered
from tests.support.plugins import WITH_OPTIONS, install_plugin
from tui_importer.server.upload_options import FIELDS

TOKEN = "schemathesis-has-this-token"
#: No schema can say what a workbook is, so one that is none may be refused.
CONFIGURATION = """
[generation]
max-examples = 8
database = "none"
[parameters]
"path.id" = "RUN"
"path.name" = "in"
[[operations]]
include-name = "POST /upload"
checks.positive_data_acceptance.expected-statuses = ["2xx", "400", "409", "429"]
[[operations]]
include-name = "POST /runs"
checks.positive_data_acceptance.expected-statuses = ["2xx", "400", "409", "429"]
"""


@pytest.mark.once
def test_schemathesis_finds_no_violations(serve: Callable[..., Served], tmp_path: Path) -> None:
    install_plugin(tmp_path / "site", "slow", WITH_OPTIONS)  # whose options are part of the document
    environment = {"PYTHONPATH": str(tmp_path / "site")}
    (tmp_path / "in").mkdir()
    served = serve(
        *("--db", "t.db", "--table", "t", "--max-waiting", "1000", "--watch", str(tmp_path / "in")),
        token=TOKEN,
        environment=environment,
    )
    id_ = served.begin(numbered(2_000), **SLOW)
    served.at_work(id_)
    (tmp_path / "schemathesis.toml").write_text(CONFIGURATION.replace("RUN", id_))
    ended = subprocess.run(
        [
            *(str(Path(sys.executable).parent / "schemathesis"), "--config-file", str(tmp_path / "schemathesis.toml")),
            *("run", f"{served.url}/openapi.json", "--header", f"Authorization: Bearer {TOKEN}", "--seed", "1"),
            *("--checks", "all", "--request-timeout", "30", "--no-color"),
            # All requests are about the one run above, which one of them may have deleted: it is not the run that a
            # request before has created.
            *("--exclude-checks", "ensure_resource_availability"),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout[-8_000:] + ended.stderr
    assert not [line for line in served.lines() if line["level"] == "error"]


def test_every_option_is_a_documented_parameter(shared: Served) -> None:
    document = shared.client.get("/openapi.json").json()
    for path in ("/upload", "/runs"):
        named = {parameter["name"] for parameter in document["paths"][path]["post"]["parameters"]}
        assert named == {*FIELDS, "Idempotency-Key"}
    assert "security" not in document
