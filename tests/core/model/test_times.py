from __future__ import annotations

import datetime as dt

from hypothesis import given
from hypothesis import strategies as st

from tui_importer.core.model.times import rfc3339

ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: dt.timezone(dt.timedelta(minutes=minutes)))


@given(st.datetimes(dt.datetime(1000, 1, 2), dt.datetime(9999, 12, 30), timezones=ZONES))
def test_timestamps_round_trip_to_the_millisecond(moment: dt.datetime) -> None:
    text = rfc3339(moment)
    assert len(text) == len("2026-11-26T01:02:03.004Z")
    assert text.endswith("Z")
    read = dt.datetime.fromisoformat(text)
    assert dt.timedelta() <= moment - read < dt.timedelta(milliseconds=1)
