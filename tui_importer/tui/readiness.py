"""Whether the import that is being set up can begin."""

from __future__ import annotations

from tui_importer.core.model.plan import Plan
from tui_importer.core.model.table_change import TableChange
from tui_importer.core.source.layout import Layout
from tui_importer.process.messages import Inspected, TargetSeen
from tui_importer.tui.target_status import can_begin


class Readiness:
    """What the inspections have found, and which plan can be carried out.

    ``source`` is the inspected source, None until it has been inspected. ``begin_pending``: the user has begun the
    import, which begins as soon as the inspections find nothing against it. ``question`` is to be confirmed before.
    """

    def __init__(self) -> None:
        self.source: Inspected | None = None
        self.begin_pending = False
        self.question: str | None = None
        self._inspected_plan: Plan | None = None
        self._valid_plan: Plan | None = None

    @property
    def layout(self) -> Layout | None:
        """The layout of the sheet; None if it is not known."""
        return None if self.source is None else self.source.layout

    def inspect_source(self) -> None:
        """The source is being inspected: what was found before may not be true of it."""
        self.source = self._valid_plan = None

    def inspect_target(self, plan: Plan | None) -> None:
        """The target of this plan is being inspected; None if the plan is not valid."""
        self._inspected_plan = plan

    def target_seen(self, seen: TargetSeen) -> Plan | None:
        """The target has been inspected. Returns the plan that it was inspected for; None if that was not valid."""
        self._valid_plan, plan = None, self._inspected_plan
        if plan is not None:
            mode = plan.target.write_mode
            if can_begin(seen, mode) and self.source is not None:
                self._valid_plan = plan
            change = TableChange(seen.table, seen.rows, mode, seen.doubles)
            self.question = None if plan.options.dry_run else change.question
            if self.source is not None and self._valid_plan is None:
                self.begin_pending = False
        return plan

    def allows(self, plan: Plan) -> bool:
        """Whether the inspections have found nothing against this plan."""
        return plan == self._valid_plan

    def reset(self) -> None:
        """Begin nothing before the target has been inspected again."""
        self.begin_pending, self._valid_plan = False, None
