"""Whether there is something to draw on."""

from __future__ import annotations

import pytest

from tui_importer.console.terminals import DRIVER_VARIABLE, on_a_terminal


def test_environments_that_emulate_a_terminal_are_recognised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(DRIVER_VARIABLE, raising=False)
    monkeypatch.setenv("TERM", "dumb")
    assert not on_a_terminal()
    monkeypatch.setenv(DRIVER_VARIABLE, "textual.drivers.web_driver:WebDriver")
    assert on_a_terminal()
