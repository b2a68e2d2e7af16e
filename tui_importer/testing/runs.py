"""A run as a ledger is given it, for checks that need one and no import."""

from __future__ import annotations

from tui_importer.core.writing.ledger import NewRun

#: The import that such runs are of.
IMPORT_ID = "0123456789abcdef0123456789abcdef"


def new_run(run_id: str, *, file: str = "rows.csv", table: str = "t") -> NewRun:
    """A first run of :data:`IMPORT_ID`."""
    return NewRun(
        run_id=run_id,
        import_id=IMPORT_ID,
        generation=1,
        file=file,
        sha256="0" * 64,
        sheet="",
        extent="",
        request="",
        mapping="",
        columns=(),
        table=table,
        row_limit=None,
        atomic=False,
        created_table=False,
        strategy="check",
        command=None,
    )
