"""A source with a known outcome for every row, and what must be true after its import."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tui_importer.core.model.plan import Options, Plan, Source, Target
from tui_importer.core.model.report import Report

if TYPE_CHECKING:
    from tui_importer.testing.databases import Database


class ContractError(AssertionError):
    """A plugin violates the contract."""


class Oracle:
    """A CSV file of ``rows`` numbered rows (from 0), some of them bad: those in ``refused_here`` have a text where a
    number belongs, those in ``refused_there`` violate a CHECK of the database."""

    def __init__(
        self,
        folder: Path,
        *,
        rows: int = 60,
        refused_here: Collection[int] = (7, 31, 32),
        refused_there: Collection[int] = (3, 20, 59),
        table: str = "oracle",
    ) -> None:
        self.table = table
        self.file = folder / f"{table}.csv"
        self.rows = rows
        self.rejected = sorted({*refused_here, *refused_there})
        self.accepted = [number for number in range(rows) if number not in self.rejected]
        with self.file.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["n", "amount", "note"])
            for number in range(rows):
                amount = "?" if number in refused_here else -1 if number in refused_there else number * 10
                writer.writerow([number, amount, f"note {number}"])

    def prepare(self, database: Database) -> None:
        """Create the empty table."""
        database.execute(
            f"CREATE TABLE {self.table} (n integer NOT NULL, amount integer NOT NULL CHECK (amount >= 0), "
            "note varchar(100) NOT NULL)"
        )

    def plan(self, url: str, **options: Any) -> Plan:
        """The plan of the import."""
        return Plan(
            source=Source(file=str(self.file)),
            target=Target(database=url, table=self.table),
            options=Options(**options),
        )

    def check_table(self, database: Database) -> None:
        """Check that every accepted row is in the table, once and unchanged."""
        found = Counter(database.fetch(f"SELECT n, amount, note FROM {self.table}"))
        wanted = Counter((number, number * 10, f"note {number}") for number in self.accepted)
        expect("rows", found, wanted)

    def check_ledger(self, database: Database) -> None:
        """Check that every rejected row is in the ledger once, and that its intervals cover every row once."""
        ours = f"WHERE import_id IN (SELECT import_id FROM tui_importer_run WHERE target_table = '{self.table}')"
        query = f"SELECT sheet_row FROM tui_importer_reject {ours}"
        found = Counter(number for (number,) in database.fetch(query))
        expect("rejects in the ledger", found, Counter(number + 2 for number in self.rejected))
        query = f"SELECT sum(inserted), sum(rejected) FROM tui_importer_batch {ours}"
        [[inserted, rejected]] = database.fetch(query)
        if (inserted, rejected) != (len(self.accepted), len(self.rejected)):
            raise ContractError(
                f"the ledger counts {inserted} rows in and {rejected} rejected, "
                f"instead of {len(self.accepted)} and {len(self.rejected)}"
            )

    def check_report(self, report: Report) -> None:
        """Check that the run completed, and that its numbers add up to the source."""
        check_totals(report, self.rows)
        rows = [reject.row - 2 for reject in report.rejects]
        if rows != self.rejected:
            raise ContractError(f"the report rejects rows {rows} instead of {self.rejected}")

    def check(self, database: Database, report: Report | None = None) -> None:
        """Check the table, the ledger and the report."""
        if report is not None:
            self.check_report(report)
        self.check_table(database)
        self.check_ledger(database)


def check_totals(report: Report, rows: int) -> None:
    """Raise :class:`ContractError` unless the run completed, and its counts add up to the rows of the source."""
    if report.outcome not in ("complete", "complete_with_rejects"):
        raise ContractError(f"the import has not come to its end: {report.outcome}, {report.error}")
    stats = report.stats
    completed = stats.inserted + stats.updated + stats.skipped + stats.error_count
    if not stats.total_records == completed == rows:
        raise ContractError(f"{rows} rows were read, the report has {stats}")


def expect(what: str, found: Counter[Any], wanted: Counter[Any]) -> None:
    """Raise :class:`ContractError` unless what was found is what is wanted, each as often."""
    missing, surplus = wanted - found, found - wanted
    if missing or surplus:
        raise ContractError(f"{what}: {_some(missing)} missing, {_some(surplus)} too many")


def _some(items: Counter[Any]) -> str:
    shown: Sequence[Any] = list(items.elements())[:5]
    return f"{items.total()} ({', '.join(map(str, shown))}{', ...' if items.total() > len(shown) else ''})"
