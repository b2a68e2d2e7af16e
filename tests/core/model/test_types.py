from __future__ import annotations

import pytest

from tui_importer.core.model.types import TIMESTAMPTZ, ColumnType, Kind


def test_timestamptz_round_trips_as_text() -> None:
    assert ColumnType.parse("timestamptz") == TIMESTAMPTZ
    assert str(TIMESTAMPTZ) == "timestamptz"
    assert TIMESTAMPTZ.timezone


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind is not Kind.TIMESTAMP])
def test_only_timestamps_may_have_a_time_zone(kind: Kind) -> None:
    with pytest.raises(ValueError, match=f"kind {kind.value} has no time zone"):
        ColumnType(kind, timezone=True)
