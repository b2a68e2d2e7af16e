"""The plan of an import of mended rejects: that of the import that rejected them, for the sheet that they come in."""

from __future__ import annotations

from collections.abc import Mapping
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
    headers = shown_headers(layout)
    places = {normalized(header): place for place, header in reversed([*enumerate(headers, layout.first_column)])}
    columns = []
    for column in past.columns:
        place = places.get(normalized(column.source))
        if place is None:
            raise PlanError(no_such_column(column.source, headers))
        columns.append(msgspec.structs.replace(column, letter=column_letters(place)))
    constants = {
        column: value.replace("{file}", PurePath(past.file).name).replace("{sheet}", past.sheet)
        for column, value in plan.options.set_columns.items()
    }
    options = msgspec.structs.replace(
        plan.options, schema="auto", types={}, skip=(), rename={}, set=constants, lineage=False, extra_columns="ignore"
    )
    return msgspec.structs.replace(plan, columns=tuple(columns), options=options)


def rows_that_mend(keys: Mapping[int, RejectKey], run_id: str) -> dict[int, int]:
    """The row of the first sheet that each row mends. Raises :class:`PlanError` for the reject of another import."""
    for row, key in keys.items():
        if key.run != run_id:
            raise PlanError(
                f"row {row:,} is a reject of run {key.run}, and others are of run {run_id}: keep those of one run"
            )
    return {row: key.row for row, key in keys.items()}


def _mode_of_mended(mode: WriteMode) -> WriteMode:
    """The mode for rows that are added to a table that is there already, and full."""
    if mode.empties:
        return WriteMode(WriteKind.CREATE, mode.key, mode.on_conflict, mode.update).after_creation
    return mode.after_creation
