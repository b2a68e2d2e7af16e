"""Rows whose key may be in the table: the outcome is that of a loop over the sheet, whatever writes them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.exactly_once.conftest import Importer
from tests.support.examples import examples
from tests.support.kills import import_despite_kills, pairs
from tui_importer import Options, Plan, Source, Target
from tui_importer.testing import Failpoint

if TYPE_CHECKING:
    from tests.conftest import Database

STRATEGIES = ("sequential", "threaded", "batched", "async")
CREATE = (
    "CREATE TABLE t (id INTEGER PRIMARY KEY, code INTEGER UNIQUE, "
    "size INTEGER CHECK (size < 8), note VARCHAR(20) DEFAULT 'none' NOT NULL)"
)
HEADER = "id,code,size,note"
Row = tuple[Any, ...]


@pytest.fixture(params=["postgresql", "sqlite"])
def database(request: pytest.FixtureRequest) -> Database:
    found: Database = request.getfixturevalue("postgres" if request.param == "postgresql" else "sqlite")
    return found


@dataclass
class RowByRowModel:
    """A plain loop that writes one row after the other."""

    table: dict[int, Row]
    mode: str
    update: Sequence[str] = ()
    fates: Counter[str] = field(default_factory=Counter)

    def write(self, row: Row) -> None:
        self.fates[self._write(row)] += 1

    def _write(self, row: Row) -> str:
        key, code, size, note = row
        there = self.table.get(key)
        if size is not None and size >= 8:  # a CHECK holds for every row that is offered
            return "rejected"
        if there is not None and self.mode == "append":
            return "skipped"
        new: Row = (key, code, size, note if note is not None else "none")
        if there is not None:
            columns = self.update or ("code", "size", "note")
            chosen = (
                code if "code" in columns else there[1],
                size if "size" in columns else there[2],
                # A blank that takes the default of a new row leaves that of an old one as it is.
                note if "note" in columns and note is not None else there[3],
            )
            new = (key, *chosen)
        if new[1] is not None and any(each[1] == new[1] for other, each in self.table.items() if other != key):
            return "rejected"
        if new == there:
            return "skipped"
        self.table[key] = new
        return "inserted" if there is None else "updated"


def fates(report: Any) -> dict[str, int]:
    stats = report.stats
    found = {
        "inserted": stats.inserted,
        "updated": stats.updated,
        "skipped": stats.skipped,
        "rejected": stats.error_count,
    }
    return {fate: count for fate, count in found.items() if count}


def fill(database: Database, rows: Sequence[Row]) -> None:
    database.execute("DROP TABLE IF EXISTS t")
    database.execute(CREATE)
    for key, code, size, note in rows:
        values = (str(key), *("NULL" if each is None else str(each) for each in (code, size)), f"'{note}'")
        database.execute(f"INSERT INTO t VALUES ({', '.join(values)})")


def table(database: Database) -> dict[int, Row]:
    return {row[0]: tuple(row) for row in database.fetch("SELECT * FROM t")}


def text(rows: Sequence[Row]) -> list[list[object]]:
    return [["" if cell is None else cell for cell in row] for row in rows]


def existing_rows() -> st.SearchStrategy[list[Row]]:
    row = st.tuples(st.integers(0, 5), st.integers(0, 7) | st.none(), st.integers(0, 7) | st.none(), st.just("old"))
    return st.lists(
        row, max_size=5, unique_by=(lambda each: each[0], lambda each: -1 - each[0] if each[1] is None else each[1])
    )


rows_of_files = st.lists(
    st.tuples(
        st.integers(0, 7),
        st.integers(0, 7) | st.none(),
        st.integers(0, 8) | st.none(),
        st.sampled_from(["old", "new", None]),
    ),
    min_size=1,
    max_size=14,
)


@given(
    there=existing_rows(),
    rows=rows_of_files,
    strategy=st.sampled_from(STRATEGIES),
    batch_size=st.sampled_from([1, 3, 5, 50]),
    mode=st.sampled_from(["upsert", "append"]),
    update=st.sampled_from([(), ("size",), ("note", "code")]),
)
@settings(max_examples=examples(40))
def test_upsert_equals_a_row_by_row_model(
    database: Database,
    importer: Importer,
    there: list[Row],
    rows: list[Row],
    strategy: str,
    batch_size: int,
    mode: str,
    update: tuple[str, ...],
) -> None:
    update = update if mode == "upsert" else ()
    fill(database, there)
    loop = RowByRowModel({row[0]: row for row in there}, mode, update)
    for row in rows:
        loop.write(row)
    importer.write(text(rows), header=HEADER)
    report = importer.run(
        database.url,
        mode=mode,
        key=("id",),
        update=update,
        strategy=strategy,
        batch_size=batch_size,
        workers=3,
        again=True,
        rejects_ok=True,
    )
    assert report.error is None
    assert table(database) == loop.table
    assert fates(report) == loop.fates


@pytest.mark.once
@pytest.mark.parametrize(("database", "strategy", "failpoint"), pairs(("postgresql", "sqlite")), indirect=["database"])
def test_last_row_per_key_is_kept_after_kills(
    database: Database, importer: Importer, tmp_path: Path, strategy: str, failpoint: Failpoint
) -> None:
    rows: list[Row] = [(number % 7, None, number % 9, f"note {number}") for number in range(40)]
    fill(database, [(3, None, 1, "old")])
    loop = RowByRowModel({3: (3, None, 1, "old")}, "upsert")
    for row in rows:
        loop.write(row)
    importer.write(text(rows), header=HEADER)
    plan = Plan(
        source=Source(file=str(importer.file)),
        target=Target(database=database.url, table="t", mode="upsert"),
        options=Options(strategy=strategy, batch_size=6, workers=2),
    )
    code, report = import_despite_kills(plan, tmp_path, failpoint)
    assert code == 3
    assert report is not None
    assert table(database) == loop.table
    found = database.fetch("SELECT sum(inserted), sum(updated), sum(skipped), sum(rejected) FROM tui_importer_batch")
    wanted = ("inserted", "updated", "skipped", "rejected")
    assert [tuple(map(int, row)) for row in found] == [tuple(loop.fates[fate] for fate in wanted)]
    assert report.rejects_total == loop.fates["rejected"]
