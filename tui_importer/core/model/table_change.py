"""What an import will do to rows that are in its table already, and the question about it."""

from __future__ import annotations

import msgspec

from tui_importer.core.model.write_mode import OnConflict, WriteMode


class TableChange(msgspec.Struct, frozen=True):
    """An import in ``mode`` into ``table``, which holds ``rows`` rows. ``doubles``: rows of an earlier version of the
    file are among them, and will be there twice."""

    table: str
    rows: int
    mode: WriteMode
    doubles: bool = False

    @property
    def question(self) -> str | None:
        """What has to be confirmed before the import begins; None if it changes and doubles no row."""
        rows = f"{self.rows:,} row{'' if self.rows == 1 else 's'} of table {self.table}"
        if not self.rows:
            return None
        if self.mode.empties:
            return f"Remove {rows} once the sheet's are loaded?"
        if self.mode.on_conflict is OnConflict.UPDATE:
            return f"Of {rows}, update those whose key is in the sheet?"
        if self.doubles:
            return f"Add the sheet to {rows}, though an earlier version of it is among them?"
        return None
