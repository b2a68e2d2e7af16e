"""Takes back what an upload has put into the table."""

from __future__ import annotations

from tui_importer.core.run.undo import Undoing
from tui_importer.errors import BusyError, DatabaseError, UsageError
from tui_importer.server.answers import UndoAnswer
from tui_importer.server.http_error import HttpError
from tui_importer.server.settings import Settings
from tui_importer.server.uploads import Upload
from tui_importer.undo import undo_run


def undo_upload(upload: Upload, settings: Settings, expected: int | None) -> UndoAnswer:
    """Take back the rows of an upload if they are as many as ``expected``; if that is None, say how many they are.

    Raises :class:`HttpError` if the upload has not ended, cannot be undone, or has another number of rows by now.
    """
    if upload.state != "ended" or not upload.run_ids:
        raise HttpError(409, "the run has not ended: stop it first")
    found: list[Undoing] = []

    def confirm(undoing: Undoing) -> bool:
        found.append(undoing)
        return undoing.rows == expected

    options = settings.plan.options
    try:
        rows = undo_run(upload.run_ids[-1], settings.database, confirm=confirm, ledger_schema=options.ledger_schema)
    except (BusyError, UsageError) as error:
        raise HttpError(409, str(error)) from error
    except DatabaseError as error:
        raise HttpError(503, "the database cannot be used right now", {"Retry-After": "10"}) from error
    [undoing] = found
    if rows is None and expected is not None:
        raise HttpError(409, f"{undoing.rows} rows would be taken out, not {expected}: ask again")
    return UndoAnswer(
        run_id=upload.run_ids[-1],
        table=undoing.table.qualified_name,
        inserted=undoing.inserted,
        rows=undoing.rows if rows is None else rows,
        undone=rows is not None,
    )
