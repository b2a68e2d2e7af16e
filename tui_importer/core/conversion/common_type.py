"""The type of one column of a table that several sources fill, from what was inferred of the column in each of them.

The cells of typed sources are looked at together, as if they were one sheet's. Texts of an untyped source (CSV) may be
written in a form of their own, so only their types are compared: then the narrowest type is taken that holds the
values of all. Sources without values in the column have no say.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce

from tui_importer.core.conversion.inference import NUMERIC, ColumnInference, Inferred
from tui_importer.core.model.types import DATE, FLOAT, INTEGER, TEXT, TIMESTAMP, ColumnType

#: Types of which each holds the values of those before it.
_CHAINS = ((INTEGER, FLOAT, NUMERIC), (DATE, TIMESTAMP))


def common_type(columns: Iterable[tuple[ColumnInference, Inferred]]) -> ColumnType:
    """The type that fits every cell of the column in each source; text if there are no values.

    Each column comes with its result.
    """
    together = ColumnInference()
    types: set[ColumnType] = set()
    for column, found in columns:
        if not column.has_values:
            continue
        if column.is_typed:
            together.include(column)
        else:
            types.add(found.type)
    if together.has_values:
        types.add(together.result().type)
    if FLOAT in types and together.has_long_integers:
        return TEXT
    return reduce(_wider, types) if types else TEXT


def _wider(one: ColumnType, other: ColumnType) -> ColumnType:
    if one == other:
        return one
    for chain in _CHAINS:
        if one in chain and other in chain:
            return max(one, other, key=chain.index)
    return TEXT
