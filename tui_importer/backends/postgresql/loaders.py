"""Loads dates and intervals that no Python type holds as text: psycopg raises errors for ``infinity`` and dates BC, and
takes a month for thirty days."""

from __future__ import annotations

from typing import Any, ClassVar

import psycopg
from psycopg.abc import AdaptContext, Buffer
from psycopg.adapt import Loader
from psycopg.types.datetime import DateLoader, IntervalLoader, TimestampLoader, TimestamptzLoader


class _OrText(Loader):
    """Loads what another loader refuses as text."""

    other: ClassVar[type[Loader]]

    def __init__(self, oid: int, context: AdaptContext | None = None) -> None:
        super().__init__(oid, context)
        self._load = self.other(oid, context).load

    def load(self, data: Buffer) -> Any:
        try:
            return self._load(data)
        except psycopg.DataError:
            return bytes(data).decode()


class _DateOrText(_OrText):
    other = DateLoader


class _TimestampOrText(_OrText):
    other = TimestampLoader


class _TimestamptzOrText(_OrText):
    other = TimestamptzLoader


class _IntervalOrText(_OrText):
    other = IntervalLoader

    def load(self, data: Buffer) -> Any:
        text = bytes(data).decode()
        return text if "mon" in text or "year" in text or "infinity" in text else super().load(data)


def register_loaders(connection: psycopg.Connection[Any]) -> None:
    """Register the loaders for the queries of a connection."""
    for name, loader in (
        ("date", _DateOrText),
        ("timestamp", _TimestampOrText),
        ("timestamptz", _TimestamptzOrText),
        ("interval", _IntervalOrText),
    ):
        connection.adapters.register_loader(name, loader)
