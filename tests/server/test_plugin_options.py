"""Options of plugins over HTTP, with a plugin that is installed."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.server.conftest import Served, numbered
from tests.support.plugins import WITH_OPTIONS, install_plugin


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server with a plugin that has options, one of which it was started with."""
    folder = tmp_path_factory.mktemp("served")
    install_plugin(folder / "site", "slow", WITH_OPTIONS)
    options = ("--db", "target.db", "--table", "t", "-o", "slow.pause=0.25", "-o", "slow.note=seen")
    served = Served(folder, *options, environment={"PYTHONPATH": str(folder / "site")})
    yield served
    served.close()


def parameters(served: Served) -> dict[str, dict[str, Any]]:
    document = served.client.get("/openapi.json").json()
    return {parameter["name"]: parameter for parameter in document["paths"]["/upload"]["post"]["parameters"]}


def test_plugin_options_are_query_parameters(served: Served) -> None:
    answer = served.post("/upload?method=slow&slow.order=last&slow.careful=true", numbered(30))
    assert answer.status_code == 200, answer.text
    report = served.recording(answer.json()["run_id"]).report()
    assert report is not None
    assert report.plugin_options == {"slow": {"pause": 0.25, "note": "seen", "order": "last", "careful": True}}
    [seen] = (served.state / "tui-importer" / "uploads").glob("*/seen")
    assert "pause=0.25, order=<Order.LAST: 'last'>, depth=None, careful=True" in seen.read_text()


def test_openapi_describes_plugin_options_with_the_server_defaults(served: Served) -> None:
    found = parameters(served)
    assert found["slow.pause"] == {
        "name": "slow.pause",
        "in": "query",
        "description": "Seconds to rest after each batch.",
        "schema": {"type": "number", "minimum": 0, "maximum": 9, "default": 0.25, "x-strategy": "slow"},
    }
    assert found["slow.order"]["schema"]["enum"] == ["first", "last"]
    assert found["lines.upper"]["schema"] == {"type": "boolean", "default": False}


def test_clients_cannot_set_text_options(served: Served) -> None:
    """They might be paths."""
    assert not {"slow.note", "lines.comment", "plugin_options"} & {*parameters(served)}


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("slow.pause=10", "slow.pause must be a number from 0 to 9, not 10.0"),
        ("slow.pause=nan", "slow.pause must be a number from 0 to 9, not 'nan'"),
        ("slow.careful=yes", "slow.careful must be true or false, not 'yes'"),
        ("slow.order=frist", "slow.order must be one of first, last, not 'frist': did you mean 'first'?"),
        ("slow.order=first&slow.order=last", "slow.order is given twice"),
        ("slow.careful=true&slow.pause=0", "the options of strategy 'slow' are not valid: careful needs a pause"),
        ("slow.note=x", "unknown option 'slow.note': known are method, sheet"),
        ("idle.pause=1", "unknown option 'idle.pause': known are"),
        ("plugin_options=x", "unknown option 'plugin_options': known are"),
    ],
)
def test_invalid_plugin_options_are_refused_in_one_sentence(served: Served, query: str, said: str) -> None:
    answer = served.post(f"/upload?{query}", numbered(3))
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(said)


@pytest.mark.once
def test_idempotency_key_with_other_options_is_refused(served: Served) -> None:
    headers = {"Idempotency-Key": "of-the-options"}
    rows = numbered(5, first=900)
    assert served.post("/upload?slow.depth=2", rows, headers=headers).status_code == 200
    assert served.post("/upload?slow.depth=3", rows, headers=headers).status_code == 422
    replayed = served.post("/upload?slow.depth=2", rows, headers=headers)
    assert replayed.headers["Idempotency-Replayed"] == "true"


@pytest.mark.once
@pytest.mark.parametrize(
    ("given", "said"),
    [
        ('[options.plugin_options.slow]\npause = "x"', "slow.pause must be a number from 0 to 9, not 'x'"),
        ("[options.plugin_options.slwo]\npause = 1", "did you mean 'slow'?"),
    ],
)
def test_server_with_invalid_plugin_options_does_not_start(tmp_path: Path, given: str, said: str) -> None:
    install_plugin(tmp_path / "site", "slow", WITH_OPTIONS)
    (tmp_path / "plan.toml").write_text(f'[source]\nfile = "a.csv"\n{given}\n')
    ended = subprocess.run(
        [sys.executable, "-m", "tui_importer", "serve", "--port", "0", "--table", "t", "--schema", "plan.toml"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path / "site"), "XDG_STATE_HOME": str(tmp_path / "state")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    assert said in ended.stderr


@pytest.mark.once
def test_upload_keeps_its_plugin_options_on_disk(served: Served) -> None:
    id_ = served.begin(numbered(4, first=500), **{"slow.depth": 4})
    served.ended(id_)
    record = served.state / "tui-importer" / "uploads" / id_ / "record.json"
    assert json.loads(record.read_bytes())["options"] == {"plugin_options": {"slow": {"depth": 4}}}
