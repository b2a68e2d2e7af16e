"""The outcome of writing one batch."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from tui_importer.events import Reject


class BatchOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a writer has committed of one batch, and what that took.

    The sheet rows ``first_row`` to ``last_row`` are completed; ``last_row`` is None if nothing is committed, and before
    the batch's last row if the writer failed or was stopped between two rows. ``skipped`` rows were accepted by the
    database without an error but are not in the table; ``skipped_rows`` are the first of them (sheet rows from 1) if
    rows were written one by one. ``rejects`` are in sheet order. ``seconds`` is the time from the first statement to
    the last commit, ``retries`` the number of further attempts after transient errors. ``defaults`` is the number of
    blanks that took the column's default, by column. Of the seconds, ``send_seconds`` were spent handing rows to the
    database's client, if the session tells them apart, and ``ledger_seconds`` on entries of the ledger.
    """

    worker: int
    first_row: int
    last_row: int | None
    inserted: int = 0
    updated: int = 0
    skipped: int = 0
    rejects: tuple[Reject, ...] = ()
    seconds: float = 0.0
    retries: int = 0
    skipped_rows: tuple[int, ...] = ()
    defaults: Mapping[str, int] = msgspec.field(default_factory=dict)
    send_seconds: float = 0.0
    ledger_seconds: float = 0.0
