"""Undoing a run for every front end: what it would take back, a question, and the taking back."""

from __future__ import annotations

from collections.abc import Callable

from tui_importer.core.model.url import parse_address
from tui_importer.core.run.undo import Undoing, carry_out, look_up
from tui_importer.errors import UsageError
from tui_importer.plugins.connecting import connected
from tui_importer.recording.recordings import Recording, recordings_folder


def undo_run(
    run_id: str,
    database: str | None = None,
    *,
    confirm: Callable[[Undoing], bool],
    ledger_schema: str | None = None,
    run_column: str = "_run",
) -> int | None:
    """Take back the rows that a run has put into its table; returns their number.

    ``database`` is by default that of the run, if it is recorded on this machine and needs no password. The rows have
    to say in ``run_column`` which run they are from (``lineage``, or ``set`` with ``{run}``). ``confirm`` is asked
    first, with the table and the number of rows; if its answer is no, nothing is changed and None is returned.
    Afterwards, the same file can be imported again.

    Raises :class:`tui_importer.errors.UsageError` with the reason if the run cannot be undone,
    :class:`tui_importer.errors.BusyError` if it is being carried out, and
    :class:`tui_importer.errors.DatabaseError` if the database does not answer.
    """
    with connected(parse_address(database or recorded_database(run_id)), "undo") as backend:
        ledger = backend.ledger(ledger_schema)
        try:
            undoing = look_up(backend, ledger, run_id, run_column)
            return carry_out(ledger, undoing) if confirm(undoing) else None
        finally:
            ledger.close()


def recorded_database(run_id: str) -> str:
    """The database of a run without its password. Raises :class:`tui_importer.errors.UsageError` if the run is not
    recorded on this machine."""
    begun = Recording(recordings_folder() / run_id.partition(".")[0]).first("run_started")
    if begun is None:
        raise UsageError(f"run {run_id} is not recorded here: name its database with --db")
    return str(begun["target"])
