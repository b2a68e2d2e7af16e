"""JSON of texts that UTF-8 cannot encode."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_importer.core.model.json_text import decode_json, encode_json


class Sample(msgspec.Struct, frozen=True):
    name: str
    rows: tuple[tuple[str, ...], ...] = ()


@given(st.text(st.characters()), st.lists(st.lists(st.text(st.characters())).map(tuple)).map(tuple))
def test_every_text_round_trips(name: str, rows: tuple[tuple[str, ...], ...]) -> None:
    sample = Sample(name, rows)
    data = encode_json(sample)
    data.decode("utf-8")
    assert decode_json(data, Sample) == sample


@pytest.mark.parametrize("data", [b"", b"{", b'"a', b"{}", b'{"name": 1}', b'{"name": 1, "rows": [["\\udce9"]]}'])
def test_invalid_json_is_refused(data: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_json(data, Sample)
