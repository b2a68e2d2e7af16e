"""Where the time of an import went."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self

import msgspec

#: The stages, in the order of a row's way. ``other`` is what belongs to none of them.
STAGES = ("open", "parse", "convert", "encode", "send", "server", "ledger", "index", "other")


class StageSeconds(msgspec.Struct, frozen=True, kw_only=True):
    """The duration of an import in seconds, divided into what it was bound by. The stages add up to the duration.

    Reading and writing overlap, so the time of one is hidden behind the other: while the reading thread works, the time
    is that of what it does (``parse``, ``convert``, ``encode``), and while it waits for workers, or has ended, that of
    what the workers do (``send``, ``server``, ``ledger``), in the proportion of all that they did.

    ``open``: until the sheet is open. ``parse``: reading rows, twice where types are inferred. ``convert``: casts and
    checks. ``encode``: into the form that the database takes. ``send``: handing it to the database's client.
    ``server``: waiting for the database, also to connect and to create the table. ``ledger``: claims, entries and
    rejects. ``index``: creating indexes. ``other``: the rest, such as waiting for ``--max-rate``.
    """

    open: float = 0.0
    parse: float = 0.0
    convert: float = 0.0
    encode: float = 0.0
    send: float = 0.0
    server: float = 0.0
    ledger: float = 0.0
    index: float = 0.0
    other: float = 0.0

    @classmethod
    def total(cls, each: Iterable[Self]) -> Self:
        """The sum of several imports."""
        several = list(each)
        return cls(**{name: sum(getattr(one, name) for one in several) for name in STAGES})

    def items(self) -> list[tuple[str, float]]:
        """The stages with their seconds, in the order of a row's way."""
        return [(name, getattr(self, name)) for name in STAGES]
