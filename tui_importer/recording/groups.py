"""The rejects of a run by column and reason, counted as they happen."""

from __future__ import annotations

from tui_importer.core.report import CELLS_PER_REASON, ReasonGroup
from tui_importer.events import Reject

#: Groups that are told apart: more than a screen shows. What comes in others counts as one.
MAX_GROUPS = 100
#: What the faults of all further groups are counted under.
OTHERS = "other reasons"


class RejectGroups:
    """Counts faults by column and reason. A row with several faults counts in the group of each."""

    def __init__(self) -> None:
        self.changed = False
        self._groups: dict[tuple[str | None, str], tuple[int, list[str]]] = {}

    def add(self, reject: Reject) -> None:
        """Count the faults of one reject."""
        self.changed = True
        for fault in reject.faults:
            key = (fault.column, fault.reason)
            if key not in self._groups and len(self._groups) >= MAX_GROUPS:
                key = (None, OTHERS)
            count, cells = self._groups.setdefault(key, (0, []))
            if len(cells) < CELLS_PER_REASON:
                cells.append(fault.cell)
            self._groups[key] = (count + 1, cells)

    def take(self) -> list[ReasonGroup]:
        """The groups as they stand, the most frequent first."""
        self.changed = False
        groups = [
            ReasonGroup(column, reason, count, tuple(cells))
            for (column, reason), (count, cells) in self._groups.items()
        ]
        return sorted(groups, key=lambda group: -group.count)
