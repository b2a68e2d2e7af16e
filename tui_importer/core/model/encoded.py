"""Rows in the form in which a database takes them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol


class EncodedBatch(Protocol):
    """All rows of a batch, encoded in ``format``.

    It is lazy and works by row range: what has not been encoded yet is encoded when it is asked for, so that isolating
    a bad row encodes the rows around it and no others.
    """

    @property
    def format(self) -> str:
        """The name of the encoding, as a backend and whoever encodes for it know it."""

    def __len__(self) -> int:
        """How many rows there are."""

    def chunks(self, start: int, stop: int) -> Iterable[bytes]:
        """Rows ``start`` to ``stop`` (exclusive) as bytes, in pieces of any length."""
