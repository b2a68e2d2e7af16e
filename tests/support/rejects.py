"""Where a test keeps rejects."""

from __future__ import annotations

from collections.abc import Iterable

from tui_importer.events import Reject


class RejectStore:
    """Where rejects are kept, unless the disk is full."""

    def __init__(self, *, full: bool = False) -> None:
        self.full = full
        self.rejects: list[Reject] = []

    def add_many(self, rejects: Iterable[Reject]) -> None:
        if self.full:
            raise OSError("no space left")
        self.rejects += rejects
