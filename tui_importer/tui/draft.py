"""An import being set up: what was asked for on the command line, and what was changed on the screen."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

import msgspec

from tui_importer.core.model.plan import ColumnPlan, Plan, checked
from tui_importer.errors import PlanError
from tui_importer.process.messages import Inspected

#: What the key for types goes through, from whatever was found.
TYPES = ("text", "integer", "numeric", "float", "boolean", "date", "time", "timestamp", "interval")


@dataclass(frozen=True, slots=True)
class DraftColumn:
    """A column of the sheet as the mapping shows it. ``found`` is the type that was found, ``type`` the one wanted;
    ``findings`` says that the evidence begins with something to look at."""

    letter: str
    header: str
    target: str
    found: str
    type: str
    required: bool
    evidence: str
    findings: bool = False
    taken: bool = True


@dataclass(frozen=True, slots=True)
class Draft:
    """The import as it would be begun now. ``given`` is the plan of the command line."""

    given: Plan
    columns: tuple[DraftColumn, ...] = field(default=())

    def inspected(self, inspected: Inspected) -> Draft:
        """The draft once the source is known; what was changed of a column that is still there stays changed."""
        changed = {(column.letter, column.header): column for column in self.columns}
        columns = []
        for column in inspected.plan.columns or ():
            before = changed.get((column.letter, column.source))
            columns.append(_column(column, inspected, before))
        return replace(self, columns=tuple(columns))

    def toggled(self, place: int) -> Draft:
        """With the column left out, or taken in again."""
        return self._with(place, replace(self.columns[place], taken=not self.columns[place].taken))

    def retyped(self, place: int) -> Draft:
        """With the column's next type; after the last one comes again what was found."""
        column = self.columns[place]
        ring = [column.found, *(type_ for type_ in TYPES if type_ != column.found)]
        at = ring.index(column.type) if column.type in ring else 0
        return self._with(place, replace(column, type=ring[(at + 1) % len(ring)]))

    def plan(
        self,
        *,
        sheet: str | None,
        header_row: int | None,
        database: str | None,
        table: str | None,
        mode: str,
        strategy: str,
        workers: int | None,
        batch_size: int | None,
    ) -> Plan:
        """The whole plan; raises :class:`PlanError` where it makes no sense."""
        given = self.given
        if self.columns and not any(column.taken for column in self.columns):
            raise PlanError("no column is left: take one in again")
        types = dict(given.options.types)
        for column in self.columns:
            if column.type != column.found:
                types[column.target] = column.type
        left_out = tuple(column.header for column in self.columns if not column.taken)
        source = msgspec.structs.replace(given.source, sheet=sheet, header_row=header_row)
        target = msgspec.structs.replace(given.target, database=database, table=table, mode=_mode(mode))
        options = msgspec.structs.replace(
            given.options,
            strategy=strategy,
            workers=workers,
            batch_size=batch_size,
            types=types,
            skip=(*given.options.skip, *left_out),
        )
        return checked(msgspec.structs.replace(given, source=source, target=target, options=options))

    def _with(self, place: int, column: DraftColumn) -> Draft:
        return replace(self, columns=(*self.columns[:place], column, *self.columns[place + 1 :]))


def count_or_auto(text: str, what: str) -> int | None:
    """A whole number from 1, or None for ``auto`` and nothing; raises :class:`PlanError` for anything else."""
    text = text.strip()
    if text in ("", "auto"):
        return None
    if text.isascii() and text.isdigit() and int(text) >= 1:
        return int(text)
    raise PlanError(f"{what}: {text!r} is neither a whole number from 1 nor auto")


def header_row(text: str) -> int | None:
    """A sheet row, 0 for none, or None where it is to be found; raises :class:`PlanError` for anything else."""
    text = text.strip()
    if text in ("", "auto"):
        return None
    if text in ("0", "none"):
        return 0
    return count_or_auto(text, "header row")


def about(column: ColumnPlan) -> str:
    """How notes about a column begin."""
    return f"column {column.source!r}: "


def _column(column: ColumnPlan, inspected: Inspected, before: DraftColumn | None) -> DraftColumn:
    findings = [note.removeprefix(about(column)) for note in inspected.notes if note.startswith(about(column))]
    return DraftColumn(
        letter=column.letter,
        header=column.source,
        target=column.target,
        found=column.type,
        type=before.type if before else column.type,
        required=column.required,
        evidence="; ".join([*findings, inspected.evidence.get(column.letter, "")]),
        findings=bool(findings),
        taken=before.taken if before else True,
    )


def _mode(mode: str) -> Literal["append", "create"]:
    if mode == "append":
        return "append"
    if mode == "create":
        return "create"
    raise PlanError(f"mode {mode!r} is not known here")
