"""What is said of the table that an import goes into, before it begins."""

from __future__ import annotations

from typing import Literal

from tui_importer.core.model.write_mode import WriteKind, WriteMode
from tui_importer.process.messages import TargetSeen
from tui_importer.text.numbers import plural

Level = Literal["info", "warning", "error"]

#: What becomes of the rows of a table that exists, by the write mode.
_ADDED = "the sheet's rows are added to them"
_DOUBLED = "those of an earlier version of the file will be there twice, unless a key is given (m)"
_FATES_OF_ROWS = {
    WriteKind.TRUNCATE: "all rows in it are removed, once the sheet's are loaded",
    WriteKind.REPLACE: "all rows in it are removed, once the sheet's are loaded",
    WriteKind.UPSERT: "those whose key is in the sheet are updated",
}


def can_begin(seen: TargetSeen, mode: WriteMode) -> bool:
    """Whether nothing about the table is against the import."""
    return seen.obstacle is None and not (seen.exists and mode.needs_new_table) and not _lacks_key(seen, mode)


def target_status(seen: TargetSeen, mode: WriteMode, *, dry_run: bool, others: int = 0) -> tuple[str, Level]:
    """Return a sentence about the table, and how much it matters. ``others`` is how many other sources of the run go
    into it."""
    sharing = f", for this source and {plural(others, 'other')}" if others else ""
    if seen.obstacle is not None and not mode.needs_new_table:
        return seen.obstacle, "error"
    if _lacks_key(seen, mode):
        return f"table {seen.table} is not there yet: name the columns that identify a row (m)", "error"
    if not seen.exists:
        return f"table {seen.table} {'would' if dry_run else 'will'} be created in {seen.database}{sharing}", "info"
    if mode.needs_new_table:
        return f"table {seen.table} exists, with {plural(seen.rows, 'row')}: it cannot be created", "error"
    if seen.rows:
        fate = _DOUBLED if seen.doubles else _FATES_OF_ROWS.get(mode.kind, _ADDED)
        meanwhile = "" if dry_run else f"; others see {mode.kind.seen_meanwhile}"
        return f"table {seen.table} holds {plural(seen.rows, 'row')} already: {fate}{meanwhile}", "warning"
    return f"table {seen.table} exists and is empty{sharing}", "info"


def _lacks_key(seen: TargetSeen, mode: WriteMode) -> bool:
    """Whether rows are to be updated by the primary key of a table that is not there."""
    return not seen.exists and mode.kind is WriteKind.UPSERT and not mode.key
