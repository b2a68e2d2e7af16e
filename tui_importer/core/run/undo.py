"""Takes back what an import has put into its table, as far as its rows say which run they are from."""

from __future__ import annotations

import msgspec

from tui_importer.core.model.names import normalized
from tui_importer.core.model.table import Table
from tui_importer.core.writing.backend import Backend
from tui_importer.core.writing.ledger import Ledger, PastRun, RunState
from tui_importer.errors import UsageError


class Undoing(msgspec.Struct, frozen=True):
    """What undoing would take back: ``rows`` rows of ``table`` in whose ``column`` is the id of one of the ``runs``.

    These have put in ``inserted`` rows; they are several if the import was resumed.
    """

    runs: tuple[PastRun, ...]
    table: Table
    column: str
    rows: int
    inserted: int


def look_up(backend: Backend, ledger: Ledger, run_id: str, column: str) -> Undoing:
    """What undoing the import of this id would take back.

    Raises :class:`UsageError` with the reason if it cannot be undone, and
    :class:`~tui_importer.errors.BusyError` if it is being carried out.
    """
    runs = tuple(ledger.generation_of(run_id))
    if not runs:
        raise UsageError(f"the ledger of this database knows no run {run_id!r} (tui-importer runs --db URL lists them)")
    latest = runs[0]
    if any(each.state is RunState.EMPTIED for each in runs):
        raise UsageError(f"the rows of run {run_id} were taken out of table {latest.table!r} already")
    table = backend.catalog.reflect(latest.table)
    if table is None:
        raise UsageError(f"there is no table {latest.table!r} any more")
    known = next((each.name for each in table.columns if normalized(each.name) == normalized(column)), None)
    if known is None:
        raise UsageError(
            f"table {latest.table!r} has no column {column!r}, so nothing says which rows are from run {run_id}: "
            "import with --lineage to be able to undo it"
        )
    counts = ledger.counts(latest.import_id, latest.generation)
    if counts.updated:
        raise UsageError(
            f"run {run_id} has updated {counts.updated:,} rows of table {latest.table!r}, whose values from before "
            "nobody knows: it cannot be undone"
        )
    rows = ledger.undo(runs, table, known, commit=False)
    return Undoing(runs, table, known, rows, counts.inserted)


def carry_out(ledger: Ledger, undoing: Undoing) -> int:
    """Take the rows back; returns their number. Raises :class:`~tui_importer.errors.BusyError` if the import was begun
    meanwhile."""
    return ledger.undo(undoing.runs, undoing.table, undoing.column, commit=True)
