"""A cell that a library hides."""

from __future__ import annotations

import msgspec

from tui_importer.core.model.cells import Cell


class HiddenCell(msgspec.Struct, frozen=True):
    """A cell that a library shows as blank, or with another value than ``value``. ``row`` is its sheet row (from 1),
    ``column`` its sheet column (from 0). A ``rich`` cell holds a picture or a data type, which is not a value."""

    row: int
    column: int
    value: Cell
    rich: bool = False
