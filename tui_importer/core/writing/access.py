"""The access that a run needs, so that a missing privilege is reported before the run begins."""

from __future__ import annotations

import msgspec

from tui_importer.core.model.table import Table


class Access(msgspec.Struct, frozen=True):
    """The access needed to insert into ``columns`` of ``table``.

    ``creates_table``: the run creates the table first. ``creates_schema``: and before it the schema, if that is not
    there. ``stages``: it also creates a staging table beside it.
    ``reads``: it also reads the table. ``updates``: it also updates rows. ``empties``: it removes all rows.
    """

    table: Table
    columns: tuple[str, ...]
    creates_table: bool = False
    creates_schema: bool = False
    stages: bool = False
    reads: bool = False
    updates: bool = False
    empties: bool = False
