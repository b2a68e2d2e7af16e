"""Groups of similar rejects, as used by the report, the summary, the dashboard and the HTTP API."""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from tui_importer.core.model.patterns import pattern
from tui_importer.core.model.report import CELLS_PER_REASON, ReasonGroup
from tui_importer.events import Fault, Reject

#: The number of separate groups: more than a screen shows. All further ones of a source are counted together.
MAX_GROUPS = 100
#: Stands for the source of faults that are counted together after as many groups again.
SEVERAL_SOURCES = 0
#: The reason under which faults of all further groups are counted.
OTHERS = "other reasons"

#: Stands for the part in which the reasons of a group differ.
_ELLIPSIS = "…"
_NUMBER = pattern(r"\d+")
#: The partial word at the end of a common beginning, and that at the start of a common end.
_BROKEN_END, _BROKEN_BEGINNING = pattern(r"\w+\Z"), pattern(r"\A\w+")


class GroupKey(NamedTuple):
    """What similar faults share: the column, the constraint, the kind of reason and the source.

    If a fault has no kind, it is the reason with its numbers replaced.
    """

    column: str | None
    constraint: str | None
    kind: str
    source: int = 1

    @classmethod
    def of(cls, fault: Fault, source: int = 1) -> GroupKey:
        """The key of the group that a fault belongs to."""
        kind = _NUMBER.sub("#", fault.reason) if fault.kind is None else fault.kind
        return cls(fault.column, fault.constraint, kind, source)

    @classmethod
    def of_others(cls, source: int) -> GroupKey:
        """The key of the group of all faults of a source that belong to no other group."""
        return cls(None, None, OTHERS, source)


class _Cell(NamedTuple):
    """The cell of a fault, ordered as in the sheet."""

    row: int
    number: int
    cell: str


class _Group(msgspec.Struct):
    """The faults of one key: the common beginning and end of their reasons, and the cells of the first few."""

    reason: str
    beginning: str
    end: str
    count: int = 0
    cells: list[_Cell] = msgspec.field(default_factory=list)

    def add(self, fault: Fault, cell: _Cell) -> None:
        self.count += 1
        if fault.reason != self.reason:
            self.beginning = _common(self.beginning, fault.reason)
            self.end = _common(self.end[::-1], fault.reason[::-1])[::-1]
        if len(self.cells) < CELLS_PER_REASON or cell < self.cells[-1]:
            insort(self.cells, cell)
            del self.cells[CELLS_PER_REASON:]

    def common_reason(self) -> str:
        """The common reason; an ellipsis replaces the part in which the reasons differ."""
        if self.beginning == self.reason:
            return self.reason
        beginning, end = _BROKEN_END.sub("", self.beginning), _BROKEN_BEGINNING.sub("", self.end)
        return f"{beginning}{_ELLIPSIS}{end}" if beginning or end else self.reason


class RejectGroups:
    """Counts faults by source, column, constraint and kind of reason. A row with several faults counts in several
    groups."""

    def __init__(self) -> None:
        self.changed = False
        self._groups: dict[GroupKey, _Group] = {}
        self._faults = 0

    def add(self, reject: Reject, source: int = 1) -> None:
        """Count the faults of one reject from this source."""
        self.changed = True
        for fault in reject.faults:
            self._faults += 1
            key = self._key(fault, source)
            if key not in self._groups:
                reason = fault.reason if key.kind != OTHERS else OTHERS
                self._groups[key] = _Group(reason, reason, reason)
            self._groups[key].add(fault, _Cell(reject.row, self._faults, fault.cell))

    def _key(self, fault: Fault, source: int) -> GroupKey:
        """The key of the fault's own group, if there is room for it; else that of others."""
        groups, own = self._groups, GroupKey.of(fault, source)
        if own in groups or len(groups) < MAX_GROUPS:
            return own
        others = GroupKey.of_others(source)
        return others if others in groups or len(groups) < 2 * MAX_GROUPS else GroupKey.of_others(SEVERAL_SOURCES)

    def take(self) -> list[ReasonGroup]:
        """The current groups, the most frequent first, then by their sources and first cells."""
        self.changed = False
        return list(self._sorted())

    def _sorted(self) -> Iterator[ReasonGroup]:
        for key, group in sorted(self._groups.items(), key=_order):
            reason = OTHERS if key == GroupKey.of_others(key.source) else group.common_reason()
            cells = tuple(cell.cell for cell in group.cells)
            yield ReasonGroup(key.column, reason, group.count, cells, key.constraint, key.source)


def _order(item: tuple[GroupKey, _Group]) -> tuple[int, int, _Cell]:
    key, group = item
    return -group.count, key.source, group.cells[0]


def _common(one: str, other: str) -> str:
    """The common beginning of both texts."""
    if other.startswith(one):
        return one
    for place, (left, right) in enumerate(zip(one, other, strict=False)):
        if left != right:
            return one[:place]
    return other
