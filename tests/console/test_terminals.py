"""Whether there is something to draw on."""

from __future__ import annotations

import pytest

from tui_importer.console.terminals import DRIVER_VARIABLE, on_a_terminal


def test_what_draws_in_a_terminals_stead_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(DRIVER_VARIABLE, raising=False)
    monkeypatch.setenv("TERM", "dumb")
    assert not on_a_terminal()
    monkeypatch.setenv(DRIVER_VARIABLE, "textual.drivers.web_driver:WebDriver")
    assert on_a_terminal()
