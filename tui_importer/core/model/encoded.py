"""Rows in a database's encoding."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol


class EncodedBatch(Protocol):
    """All rows of a batch, encoded in ``format``.

    Encoding is lazy and by row range, so that isolating a bad row encodes only the rows around it.
    """

    @property
    def format(self) -> str:
        """The name of the encoding, by which a backend and an encoder refer to it."""

    def __len__(self) -> int:
        """The number of rows."""

    def chunks(self, start: int, stop: int) -> Iterable[bytes]:
        """Rows ``start`` to ``stop`` (exclusive) as bytes, in pieces of any length."""
