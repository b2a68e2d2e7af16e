"""Sources of the same columns in one run go into one table, from the file to the database."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from openpyxl import Workbook

from tests.conftest import Database
from tests.support.once import once_sets
from tui_importer import Options, Plan, PlanError, Report, SetReport, Source, Target, run_import
from tui_importer.events import AnyEvent, LoadingStarted, RunNoticed
from tui_importer.plugins.registry import load_registry
from tui_importer.plugins.tables import with_shared_tables

JAN, FEB, MAR = "id,amount\n1,10\n2,20\n", "amount,ID\n1.5,3\n2.25,4\n", "Id,Amount\n5,\n"
PATIENCE = 60.0


@pytest.fixture
def incoming(tmp_path: Path) -> Path:
    """A folder of two months and a file with other columns."""
    folder = tmp_path / "incoming"
    folder.mkdir()
    for name, text in {"jan": JAN, "feb": FEB, "prices": "item,price\nx,3\n"}.items():
        (folder / f"{name}.csv").write_text(text)
    return folder


def plan_of(files: Sequence[Path], database: Database, table: str | None = None, **options: object) -> Plan:
    first, *others = (Source(file=file) for file in files)
    return Plan(
        source=first,
        further_sources=tuple(others),
        target=Target(database=database.url, table=table),
        options=Options(**{"executor": "processes", "plugin_options": {"processes": {"jobs": 1}}} | options),  # type: ignore[arg-type]
    )


def run(plan: Plan) -> tuple[SetReport, list[AnyEvent]]:
    heard: list[AnyEvent] = []
    report = run_import(plan, listener=heard.append)
    assert isinstance(report, SetReport)
    assert report.error is None
    return report, heard


def outcomes(report: SetReport) -> list[str]:
    return [each.outcome for each in report.imports]


def amounts(database: Database, table: str = "incoming") -> list[tuple[int, float | None]]:
    return [
        (id_, None if amount is None else float(amount))
        for id_, amount in database.fetch(f"SELECT id, amount FROM {table} ORDER BY id")
    ]


ALL = [(1, 10.0), (2, 20.0), (3, 1.5), (4, 2.25)]


@pytest.mark.parametrize(
    ("database", "jobs"), [("postgresql", 3), ("sqlite", 1), *once_sets(("generic", 3))], indirect=["database"]
)
def test_files_of_a_folder_go_into_its_table_with_types_for_all(incoming: Path, database: Database, jobs: int) -> None:
    files = [incoming / f"{name}.csv" for name in ("jan", "feb", "prices")]
    side_by_side = {"processes": {"jobs": jobs}}
    report, heard = run(plan_of(files, database, plugin_options=side_by_side))
    assert outcomes(report) == ["complete"] * 3
    assert amounts(database) == ALL
    assert database.fetch("SELECT item, price FROM prices") == [("x", 3)]
    notes = (
        f"2 files go into table 'incoming'; {incoming / 'prices.csv'} goes into table 'prices'",
        "table 'incoming' is new: its 2 sources are read first, for the types of its columns",
    )
    assert report.notes == notes
    said = [event for event in heard if isinstance(event, (RunNoticed, LoadingStarted))]
    assert [each.message for each in said if isinstance(each, RunNoticed)] == list(notes)
    assert isinstance(said[1], RunNoticed)  # before anything is written

    again, _ = run(plan_of(files, database, plugin_options=side_by_side))
    assert outcomes(again) == ["already_imported"] * 3
    assert amounts(database) == ALL
    (incoming / "mar.csv").write_text(MAR)
    further, _ = run(plan_of([incoming / "mar.csv", *files], database, plugin_options=side_by_side))
    assert outcomes(further) == ["complete"] + ["already_imported"] * 3
    assert amounts(database) == [*ALL, (5, None)]
    assert len(further.notes) == 1  # the table is there, so no source is read for its types


def test_import_alone_is_the_same_import(incoming: Path, database: Database) -> None:
    files = [incoming / "jan.csv", incoming / "feb.csv"]
    run(plan_of(files, database))
    for file in reversed(files):
        alone = run_import(Plan(source=Source(file=file), target=Target(database=database.url, table="incoming")))
        assert alone.outcome == "already_imported"
    assert amounts(database) == ALL


def test_import_alone_before_is_passed_over(incoming: Path, sqlite: Database) -> None:
    run_import(Plan(source=Source(file=incoming / "feb.csv"), target=Target(database=sqlite.url, table="incoming")))
    report, _ = run(plan_of([incoming / "jan.csv", incoming / "feb.csv"], sqlite))
    assert outcomes(report) == ["complete", "already_imported"]
    assert amounts(sqlite) == ALL


def test_table_that_is_named_has_types_for_all(incoming: Path, database: Database) -> None:
    report, _ = run(plan_of([incoming / "jan.csv", incoming / "feb.csv"], database, table="t"))
    assert report.imports[0].columns[1].type == "float"
    assert amounts(database, "t") == ALL


@pytest.mark.once
@pytest.mark.parametrize(
    ("database", "options"),
    [("postgresql", {"verify": True}), ("postgresql", {"atomic": True}), ("sqlite", {"verify": True})],
    indirect=["database"],
)
def test_imports_side_by_side_into_one_table_keep_out_of_each_others_way(
    tmp_path: Path, database: Database, options: dict[str, bool]
) -> None:
    files = [tmp_path / f"{number}.csv" for number in range(3)]
    for number, file in enumerate(files):
        lines = (f"{number * 2000 + row},{row}\n" for row in range(2000))
        file.write_text("id,amount\n" + "".join(lines))
    report, _ = run(plan_of(files, database, table="t", plugin_options={"processes": {"jobs": 3}}, **options))
    assert outcomes(report) == ["complete"] * 3
    assert database.fetch("SELECT count(*), min(id), max(id) FROM t") == [(6_000, 0, 5_999)]


@pytest.mark.once
def test_months_of_a_workbook_go_into_its_table(tmp_path: Path, sqlite: Database) -> None:
    book = Workbook()
    book.active.title = "Jan"
    for name, rows in {
        "Jan": [["id", "amount"], [1, 10], [2, 20]],
        "Feb": [["amount", "id"], [1.5, 3], [2.25, 4]],
        "Empty": [],
    }.items():
        page = book[name] if name in book.sheetnames else book.create_sheet(name)
        for row in rows:
            page.append(row)
    book.save(tmp_path / "months.xlsx")
    plan = Plan(source=Source(file=tmp_path / "months.xlsx", sheet="all"), target=Target(database=sqlite.url))
    report, _ = run(plan)
    assert report.notes[0] == "2 sheets go into table 'months'"
    assert amounts(sqlite, "months") == ALL
    assert outcomes(run(plan)[0])[:2] == ["already_imported"] * 2


@pytest.mark.once
def test_upsert_into_a_shared_table_takes_the_last_file(incoming: Path, sqlite: Database) -> None:
    (incoming / "feb.csv").write_text("id,amount\n2,2.5\n3,7\n")
    plan = plan_of([incoming / "jan.csv", incoming / "feb.csv"], sqlite, plugin_options={"processes": {"jobs": 2}})
    target = Target(database=sqlite.url, mode="upsert", key=["id"])
    run(Plan(source=plan.source, further_sources=plan.further_sources, target=target, options=plan.options))
    assert amounts(sqlite) == [(1, 10.0), (2, 2.5), (3, 7.0)]


@pytest.mark.once
def test_dry_run_and_unreadable_file_leave_the_groups_as_they_are(incoming: Path, sqlite: Database) -> None:
    (incoming / "broken.xlsx").write_bytes(b"PK\x03\x04 no workbook")
    files = [incoming / name for name in ("jan.csv", "broken.xlsx", "feb.csv")]
    report = run_import(plan_of(files, sqlite, dry_run=True))
    assert isinstance(report, SetReport)
    assert outcomes(report) == ["complete", "failed", "complete"]
    assert {each.target.table for each in report.imports} >= {"incoming"}
    assert report.imports[0].columns[1].type == "float"
    assert not Path(sqlite.url).exists()


@pytest.mark.once
def test_tables_are_chosen_once(incoming: Path, sqlite: Database) -> None:
    registry = load_registry()
    plans = [
        Plan(source=Source(file=incoming / f"{name}.csv"), target=Target(database=sqlite.url))
        for name in ("jan", "feb", "prices")
    ]
    chosen = with_shared_tables(plans, registry)
    assert [each.target.table for each in chosen] == ["incoming", "incoming", "prices"]
    assert with_shared_tables(chosen, registry) == chosen
    assert with_shared_tables(plans[1:], registry) == tuple(plans[1:])
    (incoming / "costs.csv").write_text("item,price\ny,4\n")
    with pytest.raises(PlanError, match="different columns"):
        run_import([*plans, Plan(source=Source(file=incoming / "costs.csv"), target=Target(database=sqlite.url))])
    assert not Path(sqlite.url).exists()


@pytest.mark.once
@pytest.mark.parametrize("kind", ["postgres", "sqlite"])
def test_killed_run_is_continued_by_the_same_command(incoming: Path, kind: str, request: pytest.FixtureRequest) -> None:
    database: Database = request.getfixturevalue(kind)
    rows = 3_000
    for number, name in enumerate(("apr", "feb", "jan")):
        first = number * rows
        lines = (f"{first + row},{first + row}{'.5' * (name == 'feb')}\n" for row in range(rows))
        (incoming / f"{name}.csv").write_text("id,amount\n" + "".join(lines))
    command = [sys.executable, "-m", "tui_importer", "incoming", "--db", database.url, "--no-ui", "-q"]
    slow = [*command, "--batch-size", "50", "--max-rate", "3000"]
    for seen in (rows // 2, rows + rows // 2):
        process = subprocess.Popen(slow, cwd=incoming.parent)
        ends = time.monotonic() + PATIENCE
        while _count(database) < seen:
            assert process.poll() is None
            assert time.monotonic() < ends
            time.sleep(0.05)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert seen <= _count(database) < 3 * rows
    assert subprocess.run(command, cwd=incoming.parent, check=False).returncode == 0
    expected = [(row, row + 0.5 * (rows <= row < 2 * rows)) for row in range(3 * rows)]
    assert amounts(database) == expected
    assert subprocess.run(command, cwd=incoming.parent, check=False).returncode == 0
    assert amounts(database) == expected


def _count(database: Database) -> int:
    try:
        return int(database.scalar("SELECT count(*) FROM incoming"))
    except Exception:  # noqa: BLE001  # there is no table yet, or it is being written
        return 0


@pytest.mark.once
def test_sources_of_one_table_differ_only_where_they_may(tmp_path: Path, sqlite: Database) -> None:
    """Blanks, error cells and words in one of the files decide the types as they would in one sheet."""
    (tmp_path / "a.csv").write_text("id,when,note,size\n1,2026-01-31,5,\n")
    (tmp_path / "b.csv").write_text("id,when,note,size\n2,2026-01-31 10:00,x,1\n")
    report, _ = run(plan_of([tmp_path / "a.csv", tmp_path / "b.csv"], sqlite, table="t"))
    types: Report = report.imports[0]
    assert [each.type for each in types.columns] == ["integer", "timestamp", "text", "integer"]
    assert sqlite.fetch("SELECT note, size FROM t ORDER BY id") == [("5", None), ("x", 1)]
