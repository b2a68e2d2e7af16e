"""The columns of ``--set``, resolved: their values, types and targets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec.structs import replace

from tui_importer.core.conversion.convert import Conversion
from tui_importer.core.conversion.set_columns import SetColumn, filled_in
from tui_importer.core.model.names import normalized
from tui_importer.core.model.plan import Plan
from tui_importer.core.model.standard_input import shown_source
from tui_importer.core.model.table import Table, TableColumn
from tui_importer.core.model.types import ColumnType, Kind
from tui_importer.core.planning.routes import no_such_target

#: A whole number as it is usually written; anything else is text unless the table or ``--type`` says more.
_WHOLE_NUMBER_DIGITS = 18


def resolved_set_columns(
    plan: Plan, table: Table, *, sheet: str, run_id: str, exists: bool
) -> tuple[Table, tuple[SetColumn, ...]]:
    """The columns that are filled with a value, and the table with them if it is to be created.

    Raises :class:`PlanError` for a column that a table that ``exists`` does not have, and for a value that it does not
    take.
    """
    places = {"file": Path(shown_source(plan.source.file)).name, "sheet": sheet, "row": "{row}", "run": run_id}
    by_name = {normalized(column.name): column for column in table.columns}
    types = {normalized(name): ColumnType.parse(text) for name, text in plan.options.types.items()}
    columns, added = list[SetColumn](), list[TableColumn]()
    for name, given in plan.options.set_columns.items():
        value = filled_in(given, places, f"--set {name}")
        known = by_name.get(normalized(name))
        if known is None and exists:
            raise no_such_target(name, table)
        if known is None:
            known = TableColumn(name, types.get(normalized(name), _type_of(value)))
            added.append(known)
        column = SetColumn(known.name, value, Conversion(known.type, not (known.nullable or known.default)))
        column.column([1])  # raises for a value that the column does not take
        columns.append(column)
    return replace(table, columns=(*table.columns, *added)), tuple(columns)


def other_types(types: Mapping[str, str], set_columns: Sequence[str]) -> dict[str, str]:
    """The types that are given for columns of the sheet."""
    apart = set(map(normalized, set_columns))
    return {name: text for name, text in types.items() if normalized(name) not in apart}


def _type_of(value: str) -> ColumnType:
    digits = value.replace("{row}", "1").removeprefix("-")
    whole = digits.isascii() and digits.isdigit() and len(digits) <= _WHOLE_NUMBER_DIGITS
    return ColumnType(Kind.INTEGER if whole and (digits == "0" or digits[0] != "0") else Kind.TEXT)
