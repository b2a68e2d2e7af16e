"""The fields for where rows go, and how."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Input, Label, Select

from tui_importer.core.model.count_or_auto import format_count
from tui_importer.core.model.plan import Plan
from tui_importer.core.model.write_mode import WriteKind
from tui_importer.plugins.choice import target_address
from tui_importer.tui.draft import count_or_auto
from tui_importer.tui.terminal import Glyphs


class TargetFields(Vertical):
    """Fields for database, table, write mode, strategy, workers and batch size."""

    def __init__(self, plan: Plan, strategies: Sequence[str], glyphs: Glyphs, id: str) -> None:  # noqa: A002  # as in textual
        super().__init__(id=id)
        self._plan = plan
        self._strategies = strategies
        self._shown_database = glyphs.text(target_address(plan).display)

    def compose(self) -> ComposeResult:
        plan, options = self._plan, self._plan.options
        with Horizontal(classes="setup-line"):
            yield Label("into")
            yield Input(self._shown_database, compact=True, id="setup-database")
            yield Label("table")
            yield Input(plan.target.table or "", placeholder="automatic", compact=True, id="setup-table")
        with Horizontal(classes="setup-line"):
            yield Label("mode")
            modes = [(kind.value, kind.value) for kind in WriteKind]
            yield Select[str](modes, value=plan.target.mode, allow_blank=False, compact=True, id="setup-mode")
            yield Label("strategy")
            names = [(Content(name), name) for name in self._strategies]
            yield Select[str](names, value=options.strategy, allow_blank=False, compact=True, id="setup-strategy")
            yield Label("workers")
            yield Input(format_count(options.workers), compact=True, id="setup-workers", max_length=4)
            yield Label("batch")
            yield Input(format_count(options.batch_size), compact=True, id="setup-batch", max_length=7)

    @property
    def database(self) -> str | None:
        """The address that was typed. If the field was not changed, the given one, which may hold a password."""
        typed = self._typed("database").strip()
        return self._plan.target.database if typed == self._shown_database else typed

    @property
    def mode(self) -> str:
        """The kind of the write mode."""
        return self._chosen("mode")

    @property
    def strategy(self) -> str:
        """The name of the strategy."""
        return self._chosen("strategy")

    def set_table(self, name: str) -> None:
        """Fill the field for the table, without a message."""
        table = self.query_one("#setup-table", Input)
        with table.prevent(Input.Changed):
            table.value = name

    def set_mode(self, mode: str) -> None:
        """Choose a write mode, without a message."""
        select = self.query_one("#setup-mode", Select)
        with select.prevent(Select.Changed):
            select.value = mode

    def values(self) -> dict[str, Any]:
        """What the fields say, by the parameters of :meth:`tui_importer.tui.draft.Draft.plan`. Raises
        :class:`PlanError` for a text that is not a number."""
        return {
            "database": self.database,
            "table": self._typed("table").strip() or None,
            "mode": self.mode,
            "strategy": self.strategy,
            "workers": count_or_auto(self._typed("workers"), "workers"),
            "batch_size": count_or_auto(self._typed("batch"), "batch"),
        }

    def _typed(self, name: str) -> str:
        return self.query_one(f"#setup-{name}", Input).value

    def _chosen(self, name: str) -> str:
        return str(self.query_one(f"#setup-{name}", Select).value)
