"""The tables of the imports of one run for which none is named: those of the same shape go into one table.

Imports have the same shape if the names of their columns are the same, in any order: columns are matched by name.
Names of tables do not depend on how many files there are, so that a file that comes later goes into the same table.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from tui_importer.core.model.names import normalized, table_name, target_names
from tui_importer.core.model.plan import Plan, database_of
from tui_importer.core.model.standard_input import STANDARD_INPUT, shown_source, source_path
from tui_importer.core.planning.resolution import choose_target
from tui_importer.core.planning.routes import shown_headers
from tui_importer.core.source.open_source import OpenSource
from tui_importer.errors import PlanError

#: The number of tables that a note names.
_SHOWN = 8


class Shape(msgspec.Struct, frozen=True):
    """The columns of an import, and the table that it goes into if it is alone.

    ``columns`` are their names in the form of :func:`tui_importer.core.model.names.normalized`. ``matchable``: each of
    them finds its column in a table that was made from them.
    """

    plan: Plan
    sheet: str
    table: str
    columns: frozenset[str]
    matchable: bool


def shape_of(plan: Plan, source: OpenSource) -> Shape:
    """The shape of an import whose source is open."""
    layout, left_out = source.layout, set(map(normalized, plan.options.skip))
    table = choose_target(plan, layout, source).name
    if plan.columns is not None:
        return Shape(plan, source.name, table, frozenset(normalized(each.target) for each in plan.columns), True)
    shown = [normalized(header) for header in shown_headers(layout)]
    # A blank or repeated header finds no column of its own, and neither does one that is too long for a name.
    names = [normalized(name) for name in target_names(layout.headers).names]
    headers = [normalized(header) for header in layout.headers]
    matchable = all(one == other or one in left_out for one, other in zip(headers, names, strict=True))
    return Shape(plan, source.name, table, frozenset(shown) - left_out, matchable)


def tables_of(shapes: Sequence[Shape]) -> list[str]:
    """The table of each import.

    Raises :class:`PlanError` if imports of different shapes would go into the same table.
    """
    groups = list[list[int]]()
    for number, shape in enumerate(shapes):
        group = next((each for each in groups if _same(shapes[each[0]], shape)), None)
        if group is None:
            groups.append([number])
        else:
            group.append(number)
    tables = [shape.table for shape in shapes]
    for group in groups:
        if len(group) > 1:
            name = _shared_name([shapes[number] for number in group])
            for number in group:
                tables[number] = name
    _check(shapes, tables)
    return tables


def in_table(plan: Plan, table: str) -> Plan:
    """The plan with this table as its target."""
    return msgspec.structs.replace(plan, target=msgspec.structs.replace(plan.target, table=table))


def _same(one: Shape, other: Shape) -> bool:
    """Whether two imports go into one table."""
    mode = one.plan.target.write_mode
    if mode.empties or mode.needs_new_table:
        return False  # each would remove the rows of the one before it, or find its table there
    return (
        one.matchable
        and other.matchable
        and one.columns == other.columns
        and database_of(one.plan) == database_of(other.plan)
        and one.plan == msgspec.structs.replace(other.plan, source=one.plan.source)
    )


def _shared_name(shapes: Sequence[Shape]) -> str:
    """The name of the table of several imports."""
    if len({shape.table for shape in shapes}) == 1:
        return shapes[0].table
    files = {shape.plan.source.file for shape in shapes}
    if len(files) == 1:
        return table_name(source_path(files.pop()).stem)
    folders = {Path(file).parent.resolve() for file in files}
    if len(folders) == 1 and STANDARD_INPUT not in files:
        return table_name(folders.pop().name)
    return shapes[0].table


def _check(shapes: Sequence[Shape], tables: Sequence[str]) -> None:
    """Raise :class:`PlanError` if imports of different shapes would go into the same table."""
    seen: dict[tuple[str, str], Shape] = {}
    for shape, table in zip(shapes, tables, strict=True):
        first = seen.setdefault((database_of(shape.plan), table), shape)
        if first.columns == shape.columns or shape.plan.options.extra_columns != "fail":
            continue
        one, other = shown_source(first.plan.source.file), shown_source(shape.plan.source.file)
        each = "{file}"
        if one == other:
            one, other, each = f"{one}, sheet {first.sheet!r},", f"sheet {shape.sheet!r}", "{sheet}"
        raise PlanError(
            f"{one} and {other} have different columns, and would both go into table {table!r}: import them one by "
            f"one, each into a table of its own (--table '{each}'), or all of them into one that you name (--table)"
        )


def tables_note(plans: Sequence[Plan]) -> str | None:
    """Which of several imports go into which table, as far as that is known before their files are opened; None if
    nothing is."""
    files: dict[tuple[str, str], list[str]] = {}
    for plan in plans:
        if plan.target.table is not None and "{" not in plan.target.table:
            files.setdefault((database_of(plan), plan.target.table), []).append(plan.source.file)
    if len(plans) == 1 or not files:
        return None
    shown = [_goes_into(each, table) for (_, table), each in list(files.items())[:_SHOWN]]
    more = len(files) - _SHOWN
    return "; ".join([*shown, f"{more:,} more {'table' if more == 1 else 'tables'}"] if more > 0 else shown)


def _goes_into(files: Sequence[str], table: str) -> str:
    if len(files) == 1:
        return f"{shown_source(files[0])} goes into table {table!r}"
    return f"{len(files):,} {'files' if len({*files}) == len(files) else 'sheets'} go into table {table!r}"
