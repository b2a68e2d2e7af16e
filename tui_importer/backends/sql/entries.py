"""The entries of the ledger, and the rejects among their rows: what of an import is done."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from tui_importer.backends.sql.database import SqlConnection
from tui_importer.backends.sql.dialects import Sql
from tui_importer.backends.sql.ledger_tables import COUNTS, LedgerSql, insertion
from tui_importer.core.model.completed_rows import Interval
from tui_importer.core.writing.ledger import Claim, Counts, Entry, Generation, ResumePoint
from tui_importer.events import Reject


def key_of(generation: Generation | Claim) -> dict[str, Any]:
    """The values of a generation, for ``{of_generation}`` of a statement."""
    return {"import_id": generation.import_id, "round": generation.generation}


def reject(body: str) -> Reject:
    """The reject that a row of the ledger holds."""
    return msgspec.convert(json.loads(body), Reject)


def counts(connection: SqlConnection, ledger: LedgerSql, generation: Generation) -> Counts:
    """The sums over the entries of a generation."""
    sums = Sql(", ".join(f"COALESCE(SUM({name}), 0)" for name in COUNTS))
    query = ledger.compose("SELECT {sums} FROM {batch} WHERE {of_generation}", sums=sums)
    [found] = connection.rows(query, key_of(generation))
    return Counts(*map(int, found))


def find(connection: SqlConnection, ledger: LedgerSql, claim: Claim, first_row: int) -> Entry | None:
    """The entry that begins at a row, with its rejects."""
    query = "SELECT last_row, {counts} FROM {batch} WHERE {of_generation} AND first_row = :first_row"
    bodies = (
        "SELECT body FROM {reject} WHERE {of_generation} AND sheet_row BETWEEN :first_row AND :last_row "
        "ORDER BY sheet_row"
    )
    key = {**key_of(claim), "first_row": first_row}
    found = connection.row(ledger.compose(query, counts=COUNTS), key)
    if found is None:
        return None
    last_row, inserted, updated, skipped, _ = found
    rejects = connection.rows(ledger.compose(bodies), {**key, "last_row": last_row})
    return Entry(
        first_row=first_row,
        last_row=last_row,
        inserted=inserted,
        updated=updated,
        skipped=skipped,
        rejects=[reject(body) for (body,) in rejects],
    )


def rejects_after(ledger: LedgerSql, rows: int) -> str:
    """The query for the sheet rows and bodies of the next rejects after the sheet row ``:last``."""
    query = "SELECT sheet_row, body FROM {reject} WHERE {of_generation} AND sheet_row > :last ORDER BY sheet_row"
    return ledger.dialect.limited(ledger.compose(query), rows)


def resume_point(connection: SqlConnection, ledger: LedgerSql, claim: Claim, taken_over: str | None) -> ResumePoint:
    """What earlier runs have done; ``taken_over`` is the run that had the claim before."""
    # Rows below 1 are no rows: they are scripts.
    query = "SELECT first_row, last_row, {counts} FROM {batch} WHERE {of_generation} AND first_row > 0"
    rejected = "SELECT sheet_row FROM {reject} WHERE {of_generation}"
    entries = connection.rows(ledger.compose(query, counts=COUNTS), key_of(claim))
    rows = connection.rows(ledger.compose(rejected), key_of(claim)) if entries else ()
    return ResumePoint(
        claim=claim,
        intervals=[Interval(entry[0], entry[1]) for entry in entries],
        rejected_rows=[row for (row,) in rows],
        counts=Counts(*(sum(entry[place] for entry in entries) for place in range(2, 2 + len(COUNTS)))),
        taken_over=taken_over,
    )


def merge(connection: SqlConnection, ledger: LedgerSql, claim: Claim) -> None:
    """Merge adjacent entries of the generation."""
    names = [column.name for column in ledger.tables.batch.columns]
    query = "SELECT {names} FROM {batch} WHERE {of_generation} ORDER BY first_row"
    entries = connection.rows(ledger.compose(query, names=names), key_of(claim))
    whole: list[dict[str, Any]] = []
    for entry in entries:
        values = dict(zip(names, entry, strict=True))
        if whole and values["first_row"] <= whole[-1]["last_row"] + 1:
            whole[-1]["last_row"] = max(whole[-1]["last_row"], values["last_row"])
            whole[-1]["run_id"] = claim.run_id
            for name in COUNTS:
                whole[-1][name] += values[name]
        else:
            whole.append(values)
    if len(whole) < len(entries):
        connection.execute(ledger.compose("DELETE FROM {batch} WHERE {of_generation}"), key_of(claim))
        connection.execute_many(insertion(ledger.dialect, ledger.tables.batch, names), whole)


def count_suppressed(connection: SqlConnection, ledger: LedgerSql, claim: Claim, moved: int) -> None:
    """Record in the entries of the generation that ``moved`` of their rows were inserted and the others skipped."""
    query = "SELECT first_row, inserted FROM {batch} WHERE {of_generation}"
    counted = (
        "UPDATE {batch} SET inserted = inserted - :skipped, skipped = skipped + :skipped "
        "WHERE {of_generation} AND first_row = :first_row"
    )
    entries = connection.rows(ledger.compose(query), key_of(claim))
    # PEP 249: -1 if the driver cannot tell. No error was raised, so the rows were inserted.
    missing = max(0, sum(inserted for _, inserted in entries) - moved) if moved >= 0 else 0
    for first_row, inserted in entries:
        if not missing:
            return
        skipped = min(missing, inserted)
        missing -= skipped
        values = {**key_of(claim), "first_row": first_row, "skipped": skipped}
        connection.execute(ledger.compose(counted), values)
