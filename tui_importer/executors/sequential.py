"""Imports one after another."""

from __future__ import annotations

from tui_importer.core.scheduling.executor import ImportQueue


class Sequential:
    """The next import begins when the one before it has ended."""

    def run(self, queue: ImportQueue) -> None:
        for each in queue.imports():
            each.carry_out()
