"""The plan of an import of mended rejects: that of the import that rejected them, for the sheet that they come in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Protocol

import msgspec

from tui_importer.core.model.cells import column_letters
from tui_importer.core.model.mending import RejectKey
from tui_importer.core.model.names import normalized
from tui_importer.core.model.plan import ColumnPlan, Plan, Source
from tui_importer.core.model.write_mode import WriteKind, WriteMode
from tui_importer.core.planning.routes import no_such_column, shown_headers
from tui_importer.core.source.layout import Layout
from tui_importer.errors import PlanError


class RejectingImport(Protocol):
    """What the ledger knows of the import that rejected the rows."""

    @property
    def file(self) -> str: ...

    @property
    def sheet(self) -> str: ...

    @property
    def columns(self) -> tuple[ColumnPlan, ...]: ...


def plan_of_mended(plan: Plan, source: Source) -> Plan:
    """The plan of an import of mended rejects from a ``source``, by the plan of the import that rejected them.

    The rows are added to a table that is there now, and is not emptied for them; no script is executed again.
    """
    target = plan.target.in_mode(_mode_of_mended(plan.target.write_mode))
    options = msgspec.structs.replace(
        plan.options, atomic=False, verify=False, again=False, dry_run=False, before=None, after=None
    )
    return msgspec.structs.replace(plan, source=source, further_sources=(), target=target, options=options)


def resolved_by(past: RejectingImport, plan: Plan, layout: Layout) -> Plan:
    """The plan of mended rejects with the columns of the import that rejected them, and with its file and sheet where
    rows say where they come from.

    ``layout`` is that of the sheet with the mended rows, whose columns may have been moved. Raises :class:`PlanError`
    if one is missing.
    """
    columns = tuple(
        msgspec.structs.replace(column, letter=column_letters(place))
        for column, place in zip(past.columns, _places(past.columns, layout), strict=True)
    )
    constants = {
        column: value.replace("{file}", PurePath(past.file).name).replace("{sheet}", past.sheet)
        for column, value in plan.options.set_columns.items()
    }
    options = msgspec.structs.replace(
        plan.options, schema="auto", types={}, skip=(), rename={}, set=constants, lineage=False, extra_columns="ignore"
    )
    return msgspec.structs.replace(plan, columns=columns, options=options)


def _places(columns: Sequence[ColumnPlan], layout: Layout) -> list[int]:
    """The sheet column (from 0) of each column, by its header; those of one header are in the order that they had."""
    headers = shown_headers(layout)
    places: dict[str, list[int]] = {}
    for place, header in enumerate(headers, layout.first_column):
        places.setdefault(normalized(header), []).append(place)
    wanted = Counter(normalized(column.source) for column in columns)
    for column in columns:
        name = normalized(column.source)
        if name not in places:
            raise PlanError(no_such_column(column.source, headers))
        if len(places[name]) != wanted[name] and max(len(places[name]), wanted[name]) > 1:
            raise PlanError(
                f"the sheet has {len(places[name])} columns {column.source!r}, of which {wanted[name]} were imported: "
                "nothing says which"
            )
    remaining = {name: iter(found) for name, found in places.items()}
    return [next(remaining[normalized(column.source)]) for column in columns]


def rows_that_mend(keys: Mapping[int, RejectKey], run_id: str) -> dict[int, int]:
    """The row of the first sheet that each row mends. Raises :class:`PlanError` for the reject of another import."""
    for row, key in keys.items():
        if key.run != run_id:
            raise PlanError(
                f"row {row:,} is a reject of run {key.run}, and others are of run {run_id}: keep those of one run"
            )
    return {row: key.row for row, key in keys.items()}


def _mode_of_mended(mode: WriteMode) -> WriteMode:
    """The mode for rows that are added to a table that exists and has rows."""
    if mode.empties:
        return WriteMode(WriteKind.CREATE, mode.key, mode.on_conflict, mode.update).after_creation
    return mode.after_creation
