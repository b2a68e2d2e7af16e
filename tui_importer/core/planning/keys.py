"""The key of a write mode: which columns it is, and that the table enforces it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain

import msgspec
from msgspec.structs import replace

from tui_importer.core.model.names import normalized
from tui_importer.core.model.table import UNIQUE_KINDS, Constraint, ConstraintKind, Table
from tui_importer.core.model.write_mode import OnConflict, WriteMode
from tui_importer.core.planning.routes import ColumnRoute, no_such_column
from tui_importer.errors import PlanError


def resolved_mode(mode: WriteMode, routes: Sequence[ColumnRoute], table: Table, *, exists: bool) -> WriteMode:
    """The mode with its columns as they are named in the table, and with the primary key if no key was given.

    Raises :class:`PlanError` if a column is not imported, or if a table that ``exists`` does not enforce the key.
    """
    key, update = _targets("--key", mode.key, routes), _targets("--update", mode.update, routes)
    if not key and mode.on_conflict is OnConflict.UPDATE:
        key = _primary_key(table, routes, exists=exists)
    if key and exists and not _enforces(table, key):
        raise PlanError(
            f"table {table.qualified_name!r} does not keep {_listed(key)} unique, so that a row cannot be found by "
            f"this key: CREATE UNIQUE INDEX ON {_quoted(table)} ({', '.join(map(_quote, key))})"
        )
    return msgspec.structs.replace(mode, key=key, update=update)


def with_required_key(routes: Sequence[ColumnRoute], mode: WriteMode) -> list[ColumnRoute]:
    """The routes; a row without a value in a column of the key is rejected."""
    return [replace(route, required=True) if route.target in mode.key else route for route in routes]


def with_key(table: Table, mode: WriteMode) -> Table:
    """The table that will be created, with the key of the mode as its primary key, or unique beside an identity."""
    if not mode.key:
        return table
    kind = ConstraintKind.PRIMARY if table.identity is None else ConstraintKind.UNIQUE
    columns = tuple(replace(column, nullable=False) if column.name in mode.key else column for column in table.columns)
    return replace(table, columns=columns, declared=(*table.declared, Constraint(kind, mode.key)))


def _targets(option: str, names: Iterable[str], routes: Sequence[ColumnRoute]) -> tuple[str, ...]:
    """The target columns of these names, each a header or a target, or several with commas between them."""
    targets = {normalized(name): route.target for route in routes for name in (route.header, route.target)}
    found = []
    for name in chain.from_iterable([each] if normalized(each) in targets else each.split(",") for each in names):
        target = targets.get(normalized(name))
        if target is None:
            raise PlanError(f"{option}: {no_such_column(name, [route.header for route in routes])}")
        found.append(target)
    return tuple(found)


def _primary_key(table: Table, routes: Sequence[ColumnRoute], *, exists: bool) -> tuple[str, ...]:
    primary = next((each for each in table.constraints if each.kind is ConstraintKind.PRIMARY), None)
    if primary is None or not exists:
        what = "has no primary key" if exists else "is not there yet"
        raise PlanError(f"table {table.qualified_name!r} {what}: name the columns that identify a row with --key")
    missing = [column for column in primary.columns if all(route.target != column for route in routes)]
    if missing:
        raise PlanError(
            f"the primary key of table {table.qualified_name!r} is {_listed(primary.columns)}, and no column of the "
            f"sheet gives {_listed(missing)}: name the columns that identify a row with --key"
        )
    return primary.columns


def _enforces(table: Table, key: Sequence[str]) -> bool:
    return any(
        each.kind in UNIQUE_KINDS and not each.partial and set(each.columns) == set(key) for each in table.constraints
    )


def _listed(columns: Iterable[str]) -> str:
    return ", ".join(map(repr, columns))


def _quoted(table: Table) -> str:
    return ".".join(_quote(part) for part in (table.schema, table.name) if part)


def _quote(name: str) -> str:
    """A name as an identifier of SQL, for people to copy."""
    return '"' + name.replace('"', '""') + '"'
