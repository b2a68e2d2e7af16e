"""Imports in every write mode, with a known outcome: that of a loop that writes one row after the other."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from tui_importer.core.model.plan import Options, Plan, Source, Target
from tui_importer.core.model.report import Report, SetReport
from tui_importer.core.model.write_mode import OnConflict, WriteKind, WriteMode
from tui_importer.testing.oracle import ContractError, check_totals, expect

if TYPE_CHECKING:
    from tui_importer.testing.databases import Database

#: The write modes that are tried. A row whose key is there is rejected in the first four of them.
MODES: Mapping[str, WriteMode] = {
    "create": WriteMode(WriteKind.CREATE),
    "append": WriteMode(),
    "truncate": WriteMode(WriteKind.TRUNCATE),
    "replace": WriteMode(WriteKind.REPLACE),
    "skip": WriteMode(WriteKind.APPEND, ("n",), OnConflict.SKIP),
    "upsert": WriteMode(WriteKind.UPSERT, ("n",)),
    "update": WriteMode(WriteKind.UPSERT, ("n",), update=("amount",)),
}

Row = tuple[int, int, str]

#: What is in the table before. The files have the keys of the first two, too.
_BEFORE: Sequence[Row] = ((1, 0, "old"), (4, 40, "note 4"), (1000, 0, "old"))
#: Every so many rows one has a text where a number belongs, and another violates a CHECK of the database.
_REFUSED_HERE, _REFUSED_THERE = (11, 5), (13, 6)
_FATES = ("inserted", "updated", "skipped", "rejected")


class ModeOracle:
    """Files of ``rows`` rows altogether, which are imported into one table in one mode of :data:`MODES`, and the table
    that has to come of it. Some rows are bad, unless ``refused`` is false.

    Where rows of a key update or skip one another, keys occur again and again, within a file and across files.
    """

    def __init__(self, folder: Path, mode: str, *, rows: int = 40, files: int = 1, refused: bool = True) -> None:
        self.mode = MODES[mode]
        self.table = f"oracle_{mode}"
        self.files = [folder / f"{self.table}_{number}.csv" for number in range(files)]
        self.rows = rows
        self.before: Sequence[Row] = () if self.mode.needs_new_table else _BEFORE
        keys = rows // 3 if self.mode.order_matters else rows
        self._records: list[list[tuple[int, int | None, str]]] = [[] for _ in range(files)]
        for number in range(rows):
            key = number * 7 % keys if self.mode.order_matters else number
            self._records[number * files // rows].append(
                (key, _amount(number, refused=refused), f"note {key + number // keys}")
            )
        for file, records in zip(self.files, self._records, strict=True):
            with file.open("w", newline="", encoding="utf-8") as opened:
                writer = csv.writer(opened)
                writer.writerow(["n", "amount", "note"])
                writer.writerows((key, "?" if amount is None else amount, note) for key, amount, note in records)
        self.after, self.fates, self._rejected = self._loop()

    def prepare(self, database: Database) -> None:
        """Create the table with the rows that are there before, unless the import creates it."""
        if self.mode.needs_new_table:
            return
        database.execute(
            f"CREATE TABLE {self.table} (n integer NOT NULL PRIMARY KEY, "
            "amount integer NOT NULL CHECK (amount >= 0), note varchar(100) NOT NULL)"
        )
        rows = ", ".join(f"({key}, {amount}, '{note}')" for key, amount, note in self.before)
        database.execute(f"INSERT INTO {self.table} (n, amount, note) VALUES {rows}")

    def plans(self, url: str, **options: Any) -> list[Plan]:
        """The plan of each file's import."""
        mode: Any = self.mode  # its words are those that a target takes
        target = Target(
            database=url,
            table=self.table,
            mode=mode.kind,
            key=mode.key,
            on_conflict=mode.on_conflict,
            update=mode.update,
        )
        given = Options(types={"amount": "integer"}, **options)
        return [Plan(source=Source(file=str(file)), target=target, options=given) for file in self.files]

    def plan(self, url: str, **options: Any) -> Plan:
        """The plan of the only file's import, or of all of them as one set."""
        first, *others = self.plans(url, **options)
        return msgspec.structs.replace(first, further_sources=tuple(each.source for each in others))

    def check_unfinished(self, database: Database) -> None:
        """Check that an unfinished import has left the table as it was, if its rows are seen together."""
        if self.mode.empties:
            expect("rows before the end", self._found(database), Counter(self.before))

    def check(self, database: Database, report: Report | None = None) -> None:
        """Check the table, the ledger and the report."""
        if report is not None:
            self._check_report(report)
        expect(f"rows ({self.mode.kind}, {self.mode.on_conflict})", self._found(database), Counter(self.after))
        if not (self.mode.empties and len(self.files) > 1):  # the rows of the other files are gone
            self._check_ledger(database)

    def _found(self, database: Database) -> Counter[Any]:
        return Counter(database.fetch(f"SELECT n, amount, note FROM {self.table}"))

    def _check_ledger(self, database: Database) -> None:
        sums = ", ".join(f"sum({fate})" for fate in _FATES)
        ours = f"WHERE import_id IN (SELECT import_id FROM tui_importer_run WHERE target_table = '{self.table}')"
        [found] = database.fetch(f"SELECT {sums} FROM tui_importer_batch {ours}")
        wanted = tuple(self.fates[fate] for fate in _FATES)
        if tuple(map(int, found)) != wanted:
            raise ContractError(f"the ledger counts {found} rows {', '.join(_FATES)}, instead of {wanted}")

    def _check_report(self, report: Report) -> None:
        check_totals(report, self.rows)
        reports = report.imports if isinstance(report, SetReport) else (report,)
        for file, each in enumerate(reports):
            rows = [reject.row for reject in each.rejects]
            if rows != self._rejected[file] and each.outcome != "already_imported":
                raise ContractError(f"the report rejects rows {rows} instead of {self._rejected[file]}")

    def _loop(self) -> tuple[Iterable[Row], Counter[str], list[list[int]]]:
        """The rows of the table after a loop over all rows, what became of each, and the rows of each file that are
        rejected."""
        table = {row[0]: row for row in self.before}
        fates, rejected = Counter[str](), []
        for records in self._records:
            if self.mode.empties:
                table = {}
            refused = []
            for place, record in enumerate(records, start=2):
                fate = self._write(table, record)
                fates[fate] += 1
                if fate == "rejected":
                    refused.append(place)
            rejected.append(refused)
        return table.values(), fates, rejected

    def _write(self, table: dict[int, Row], record: tuple[int, int | None, str]) -> str:
        """Write a row; returns what becomes of it."""
        key, amount, note = record
        there = table.get(key)
        if amount is None or (amount < 0 and not self.mode.needs_new_table):
            return "rejected"
        if there is None:
            table[key] = (key, amount, note)
            return "inserted"
        if self.mode.on_conflict is not OnConflict.UPDATE:
            return "skipped" if self.mode.on_conflict is OnConflict.SKIP else "rejected"
        new = (key, amount, there[2] if self.mode.update else note)
        table[key] = new
        return "skipped" if new == there else "updated"


def _amount(number: int, *, refused: bool) -> int | None:
    for (every, place), amount in ((_REFUSED_HERE, None), (_REFUSED_THERE, -1)):
        if refused and number % every == place:
            return amount
    return number % 5 * 10
