"""The stages of several imports are added up."""

from __future__ import annotations

from tui_importer.core.model.stage_seconds import STAGES, StageSeconds


def test_stages_are_added_up_and_listed_in_order() -> None:
    total = StageSeconds.total([StageSeconds(open=1.0, server=2.0), StageSeconds(server=0.5, other=0.25)])
    assert total == StageSeconds(open=1.0, server=2.5, other=0.25)
    assert [name for name, _ in total.items()] == list(STAGES)
    assert dict(total.items())["server"] == 2.5
    assert StageSeconds.total([]) == StageSeconds()
