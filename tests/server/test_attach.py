"""An uploaded run on the terminal dashboard."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.server.conftest import SLOW, Served, numbered
from tests.support.terminal import Terminal

pytestmark = pytest.mark.once


def test_attach_shows_an_uploaded_run_live_and_sends_it_orders(serve: Callable[..., Served], tmp_path: Path) -> None:
    served = serve("--db", "t.db", "--table", "directory")
    id_ = served.begin(numbered(300), **SLOW)
    run = served.at_work(id_)
    with Terminal(["attach", run["run_id"]], tmp_path, environment={"XDG_STATE_HOME": str(served.state)}) as terminal:
        terminal.until("LOADING")
        assert "upload.csv" in terminal.text
        assert "directory" in terminal.text
        terminal.type("p")
        served.wait(id_, lambda run: run["state"] == "paused")
        terminal.until("PAUSED")
        served.client.post(f"/runs/{id_}/resume")
        terminal.until("LOADING")
        served.client.post(f"/runs/{id_}/cancel")
        served.ended(id_)
        terminal.until("STOPPED")
