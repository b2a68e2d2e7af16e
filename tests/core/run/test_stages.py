"""A stage has all facts of the one before it."""

from __future__ import annotations

from typing import Any

import pytest

from tui_importer.core.run.stages import Claimed, Opened, PreparedImport, Stage, after

SOURCE: Any = object()


def test_next_stage_keeps_the_fields_of_the_previous() -> None:
    opened = after(Stage(), Opened, source=SOURCE, sha256="0")
    assert (opened.source, opened.sha256) == (SOURCE, "0")
    assert isinstance(opened, Stage)
    assert not isinstance(opened, Claimed)


@pytest.mark.parametrize("facts", [{}, {"source": SOURCE}, {"source": SOURCE, "sha256": "0", "created": True}])
def test_stage_has_only_its_own_fields(facts: dict[str, Any]) -> None:
    with pytest.raises(TypeError):
        after(Stage(), Opened, **facts)


def test_stages_cannot_be_skipped() -> None:
    opened = after(Stage(), Opened, source=SOURCE, sha256="0")
    with pytest.raises(TypeError, match="history"):
        after(opened, PreparedImport, stage_table=None)
