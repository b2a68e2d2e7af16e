"""Rejected rows that come back mended: only they go in, once, where and how the others went."""

from __future__ import annotations

import csv
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import openpyxl
import pytest

from tests.support.kills import import_despite_kills, pairs
from tui_importer import (
    ColumnFormat,
    Formats,
    Options,
    Plan,
    PlanError,
    Report,
    Source,
    SourceError,
    Target,
    UsageError,
    inspect_source,
    mended_plan,
    run_import,
)
from tui_importer.core.model.mending import KEY_HEADER
from tui_importer.rejects.recognition import mended_run
from tui_importer.testing import Failpoint

if TYPE_CHECKING:
    from tests.conftest import Database

#: Rows 3, 5 and 6 of the sheet are rejected: no number, a number twice, and an error cell.
ROWS = [("1", "a", "2024-03-01"), ("x", "b", "2024-03-02"), ("2", "c", ""), ("1", "twice", ""), ("3", "#N/A", "")]
CREATE = "CREATE TABLE t (n INTEGER PRIMARY KEY, note TEXT NOT NULL, day DATE)"


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture(params=["postgresql", "sqlite", "generic"])
def database(request: pytest.FixtureRequest) -> Database:
    name = "postgres" if request.param == "postgresql" else request.param
    found: Database = request.getfixturevalue(name)
    found.execute(CREATE)
    return found


def write_source(path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["n", "note", "day"])
    for number, note, day in ROWS:
        sheet.append([int(number) if number.isdigit() else number, note, day or None])
    sheet["B6"].data_type = "e"
    book.save(path)


def first_import(database: Database, **options: Any) -> Report:
    write_source(Path("rows.xlsx"))
    plan = Plan(
        source=Source(file="rows.xlsx"),
        target=Target(database=database.url, table="t"),
        options=Options(**options),
    )
    report = run_import(plan)
    assert (report.stats.inserted, report.stats.error_count) == (2, 3), report
    return report


def mend(path: str, changes: Mapping[str, object], to: str = "mend.xlsx") -> None:
    """Change cells of a reject workbook and save it as another one, as a spreadsheet program does."""
    book = openpyxl.load_workbook(path)
    sheet = book.active
    assert sheet is not None
    for cell, value in changes.items():
        sheet[cell] = value
    book.save(to)


def import_mended(database: Database, file: str = "mend.xlsx") -> Report:
    return run_import(mended_plan(file, database=database.url))


def numbers(database: Database) -> list[tuple[Any, ...]]:
    return database.fetch("SELECT n, note FROM t ORDER BY n")


def test_only_mended_rows_are_imported(database: Database) -> None:
    first_import(database)
    mend("rows.rejects.xlsx", {"A2": 7, "B3": "changed, but not its key"})
    report = import_mended(database)
    assert (report.stats.inserted, report.stats.error_count, report.exit_code) == (1, 2, 3)
    assert numbers(database) == [(1, "a"), (2, "c"), (7, "b")]
    assert [reject.cell for reject in report.rejects] == ["Rejects!A3", "Rejects!B4"]


def test_rows_that_are_still_bad_come_back_in_a_new_workbook(database: Database) -> None:
    first_import(database)
    mend("rows.rejects.xlsx", {"A2": 7})
    report = import_mended(database)
    assert report.rejects_file is not None
    mend(report.rejects_file, {"A2": 8, "B3": "found"}, "again.xlsx")
    report = import_mended(database, "again.xlsx")
    assert (report.stats.inserted, report.exit_code) == (2, 0)
    assert numbers(database) == [(1, "a"), (2, "c"), (3, "found"), (7, "b"), (8, "twice")]


def test_the_same_file_twice_changes_nothing(database: Database) -> None:
    first_import(database)
    mend("rows.rejects.xlsx", {"A2": 7, "A3": 8, "B4": "found"})
    assert import_mended(database).stats.inserted == 3
    before = numbers(database)
    report = import_mended(database)
    assert (report.stats.inserted, report.stats.skipped, report.exit_code) == (0, 3, 0)
    assert numbers(database) == before


def test_rows_of_another_version_of_the_file_are_imported_once(database: Database) -> None:
    first_import(database)
    mend("rows.rejects.xlsx", {"A2": 7}, "one.xlsx")
    assert import_mended(database, "one.xlsx").stats.inserted == 1
    mend("one.xlsx", {"A2": 70, "A3": 8}, "two.xlsx")
    report = import_mended(database, "two.xlsx")
    assert (report.stats.inserted, report.stats.skipped, report.stats.error_count) == (1, 1, 1)
    assert numbers(database) == [(1, "a"), (2, "c"), (7, "b"), (8, "twice")]
    assert import_mended(database, "one.xlsx").stats.inserted == 0


def test_rows_may_be_sorted_and_deleted_and_columns_moved(database: Database) -> None:
    first_import(database)
    book = openpyxl.load_workbook("rows.rejects.xlsx")
    [header, x, _, error] = ([cell.value for cell in row] for row in book.active.iter_rows())
    moved = openpyxl.Workbook()
    for row in (header, error, x):
        row[0], row[1] = row[1], row[0]
        moved.active.append(row)
    moved.active["A2"], moved.active["B3"] = "found", 7
    moved.save("mend.xlsx")
    assert import_mended(database).stats.inserted == 2
    assert numbers(database) == [(1, "a"), (2, "c"), (3, "found"), (7, "b")]


def test_lineage_names_the_first_file_and_row(database: Database) -> None:
    database.execute("DROP TABLE t")
    write_source(Path("rows.xlsx"))
    plan = Plan(
        source=Source(file="rows.xlsx"),
        target=Target(database=database.url, table="t"),
        options=Options(lineage=True),
    )
    report = run_import(plan)
    assert report.stats.error_count == 1
    mend("rows.rejects.xlsx", {"B2": "found"})
    mended = import_mended(database)
    assert mended.stats.inserted == 1
    [found] = database.fetch("SELECT _file, _sheet, _row, _run FROM t WHERE note = 'found'")
    assert [str(each) for each in found] == ["rows.xlsx", "Sheet", "6", mended.run_id]


def test_an_upsert_updates_with_mended_rows(postgres: Database) -> None:
    postgres.execute(CREATE)
    postgres.execute("INSERT INTO t VALUES (7, 'old', NULL)")
    write_source(Path("rows.xlsx"))
    target = Target(database=postgres.url, table="t", mode="upsert", key=("n",))
    assert run_import(Plan(source=Source(file="rows.xlsx"), target=target)).stats.error_count == 2
    mend("rows.rejects.xlsx", {"A2": 7})
    report = import_mended(postgres)
    assert (report.stats.updated, report.stats.error_count) == (1, 1)
    assert ("b",) in postgres.fetch("SELECT note FROM t WHERE n = 7")


def test_mended_rows_of_a_replaced_table_are_added(sqlite: Database) -> None:
    sqlite.execute(CREATE)
    sqlite.execute("INSERT INTO t VALUES (99, 'old', NULL)")
    write_source(Path("rows.xlsx"))
    target = Target(database=sqlite.url, table="t", mode="truncate")
    report = run_import(Plan(source=Source(file="rows.xlsx"), target=target))
    assert report.stats.error_count == 3
    mend("rows.rejects.xlsx", {"A2": 7})
    assert import_mended(sqlite).stats.inserted == 1
    assert [number for number, _ in numbers(sqlite)] == [1, 2, 7]


def test_undone_import_of_mended_rows_opens_the_rejects_again(sqlite: Database) -> None:
    from tui_importer.core.model.url import parse_address
    from tui_importer.core.run.undo import carry_out, look_up
    from tui_importer.plugins.connecting import connected

    sqlite.execute("DROP TABLE IF EXISTS t")
    write_source(Path("rows.xlsx"))
    target = Target(database=sqlite.url, table="t")
    run_import(Plan(source=Source(file="rows.xlsx"), target=target, options=Options(lineage=True)))
    mend("rows.rejects.xlsx", {"B2": "found"})
    run_id = import_mended(sqlite).run_id
    with connected(parse_address(sqlite.url), "test") as backend:
        ledger = backend.ledger(None)
        assert carry_out(ledger, look_up(backend, ledger, run_id, "_run")) == 1
        ledger.close()
    mend("mend.xlsx", {"B2": "found again"}, "two.xlsx")
    assert import_mended(sqlite, "two.xlsx").stats.inserted == 1


def test_numbers_are_not_read_by_the_formats_of_texts(sqlite: Database) -> None:
    """1.234 was a number; as a text it would be 1234 where the decimal mark is a comma."""
    sqlite.execute("CREATE TABLE t (n INTEGER NOT NULL, price NUMERIC)")
    book = openpyxl.Workbook()
    assert book.active is not None
    for row in (["n", "price"], [1, "2,5"], ["x", 1.234], ["y", "1.234,5"], ["z", -7]):
        book.active.append(row)
    book.save("rows.xlsx")
    formats = Formats(all=ColumnFormat(decimal_mark=","))
    plan = Plan(source=Source(file="rows.xlsx"), target=Target(database=sqlite.url, table="t"), formats=formats)
    assert run_import(plan).stats.error_count == 3
    mend("rows.rejects.xlsx", {"A2": 2, "A3": 3, "A4": 4})
    assert import_mended(sqlite).stats.inserted == 3
    assert sqlite.fetch("SELECT n, price FROM t ORDER BY n") == [(1, 2.5), (2, 1.234), (3, 1234.5), (4, -7)]


@pytest.mark.parametrize("table", [None, "{file}_{sheet}", '"Mixed Case"'])
def test_mended_rows_go_into_the_table_that_was_chosen_for_the_others(sqlite: Database, table: str | None) -> None:
    write_source(Path("rows.xlsx"))
    first = run_import(Plan(source=Source(file="rows.xlsx"), target=Target(database=sqlite.url, table=table)))
    assert first.stats.error_count == 1
    mend("rows.rejects.xlsx", {"B2": "found"})
    report = import_mended(sqlite)
    assert (report.stats.inserted, report.target.table) == (1, first.target.table)


def test_last_row_is_not_taken_for_totals(sqlite: Database) -> None:
    sqlite.execute("CREATE TABLE t (note TEXT NOT NULL, n INTEGER NOT NULL, m INTEGER)")
    Path("rows.csv").write_text("note,n,m\na,1,1\nb,2,2\nTotal,x,3\nc,4,4\n")
    run_import(Plan(source=Source(file="rows.csv"), target=Target(database=sqlite.url, table="t")))
    mend("rows.rejects.xlsx", {"B2": 3})
    assert import_mended(sqlite).stats.inserted == 1


def test_mended_workbook_is_inspected_without_its_reasons(sqlite: Database) -> None:
    sqlite.execute(CREATE)
    first_import(sqlite)
    found = inspect_source(mended_plan("rows.rejects.xlsx", database=sqlite.url), ask_database=True)
    assert [column.source for column in found.plan.columns or ()] == ["n", "note", "day"]
    assert found.plan.target.table == "t"
    assert inspect_source(mended_plan("rows.rejects.xlsx")).plan.columns is not None


def test_columns_of_the_same_name_stay_apart(sqlite: Database) -> None:
    Path("rows.csv").write_text("n,note,note\n1,a,b\nx,c,d\n")
    options = Options(types={"n": "integer"})
    run_import(Plan(source=Source(file="rows.csv"), target=Target(database=sqlite.url, table="t"), options=options))
    mend("rows.rejects.xlsx", {"A2": 2})
    assert import_mended(sqlite).stats.inserted == 1
    assert sqlite.fetch("SELECT * FROM t ORDER BY n") == [(1, "a", "b"), (2, "c", "d")]
    mend("rows.rejects.xlsx", {"A2": 3, "C1": "remark"}, "other.xlsx")
    assert "2 were imported" in str(import_mended(sqlite, "other.xlsx").error)


def without_keys(sheet: Any) -> None:
    sheet.cell(2, key_column(sheet)).value = None


def key_twice(sheet: Any) -> None:
    column = key_column(sheet)
    sheet.cell(3, column).value = sheet.cell(2, column).value


def other_run(sheet: Any) -> None:
    sheet.cell(3, key_column(sheet)).value = "20200101-000000-0000000:9"


def other_row(sheet: Any) -> None:
    column = key_column(sheet)
    sheet.cell(3, column).value = str(sheet.cell(3, column).value).partition(":")[0] + ":4"


def without_column(sheet: Any) -> None:
    sheet["B1"] = "remark"


def key_column(sheet: Any) -> int:
    return int(next(cell.column for cell in sheet[1] if cell.value == KEY_HEADER))


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (without_keys, "row 2 of sheet 'Rejects' has no key"),
        (key_twice, "rows 2 and 3 of sheet 'Rejects' are the same rejected row"),
        (other_run, "row 3 is a reject of run 20200101-000000-0000000, and others are of run"),
        (other_row, "row 3 says that it mends row 4, which was not rejected"),
        (without_column, "the sheet has no column 'note'"),
    ],
)
def test_file_that_cannot_be_taken_for_the_rejects_is_refused(
    sqlite: Database, damage: Callable[[Any], None], reason: str
) -> None:
    sqlite.execute(CREATE)
    first_import(sqlite)
    book = openpyxl.load_workbook("rows.rejects.xlsx")
    damage(book.active)
    book.active["A2"] = 7
    book.save("mend.xlsx")
    try:
        error = import_mended(sqlite).error
    except (SourceError, PlanError) as refused:
        error = str(refused)
    assert error is not None
    assert reason in error
    assert numbers(sqlite) == [(1, "a"), (2, "c")]


@pytest.mark.parametrize("name", ["saved_by_libreoffice.ods", "saved_by_libreoffice.xlsx"])
def test_keys_survive_being_saved_by_libreoffice(name: str) -> None:
    file = Path(__file__).parent / "files" / name
    assert mended_run(file) == "20261127-155715-00ab03a"


@pytest.mark.once
@pytest.mark.skipif(shutil.which("soffice") is None, reason="LibreOffice is not installed")
@pytest.mark.parametrize("kind", ["ods", "xlsx"])
def test_rejects_are_mended_in_libreoffice(sqlite: Database, tmp_path: Path, kind: str) -> None:
    sqlite.execute(CREATE)
    first_import(sqlite)
    mend("rows.rejects.xlsx", {"A2": 7, "A3": "8"}, "mend.xlsx")
    profile = f"-env:UserInstallation=file://{tmp_path}/profile"
    saved = ["soffice", profile, "--headless", "--convert-to", kind, "--outdir", "saved", "mend.xlsx"]
    subprocess.run(saved, check=True, capture_output=True, timeout=120)
    report = import_mended(sqlite, f"saved/mend.{kind}")
    assert (report.stats.inserted, report.stats.error_count) == (2, 1)
    assert numbers(sqlite) == [(1, "a"), (2, "c"), (7, "b"), (8, "twice")]


@pytest.mark.once
@pytest.mark.parametrize(("kind", "strategy", "failpoint"), pairs(("postgres", "sqlite")))
def test_mended_rows_are_in_once_after_kills(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str, strategy: str, failpoint: Failpoint
) -> None:
    database: Database = request.getfixturevalue(kind)
    database.execute("CREATE TABLE t (n INTEGER NOT NULL, note TEXT)")
    Path("rows.csv").write_text("n,note\n" + "".join(f"{'' if n % 2 else n},{n}\n" for n in range(60)))
    target = Target(database=database.url, table="t")
    assert run_import(Plan(source=Source(file="rows.csv"), target=target)).stats.error_count == 30
    mend("rows.rejects.xlsx", {f"A{row}": 2 * row - 3 for row in range(2, 30)})
    plan = mended_plan("mend.xlsx", database=database.url)
    options = msgspec.structs.replace(plan.options, strategy=strategy, batch_size=4, workers=2)
    plan = msgspec.structs.replace(plan, options=options)
    import_despite_kills(plan, tmp_path, failpoint)
    assert database.fetch("SELECT n, note FROM t ORDER BY n") == [(n, str(n)) for n in range(60) if n not in (57, 59)]
    mend("mend.xlsx", {"A30": 57, "A31": 59}, "last.xlsx")
    report = import_mended(database, "last.xlsx")
    assert (report.stats.inserted, report.stats.skipped) == (2, 28)


def test_other_files_are_not_taken_for_rejects(tmp_path: Path) -> None:
    write_source(tmp_path / "rows.xlsx")
    assert mended_run(tmp_path / "rows.xlsx") is None
    (tmp_path / "text.csv").write_text(f"a,b\n1,{KEY_HEADER}\n")
    assert mended_run(tmp_path / "text.csv") is None
    with pytest.raises(SourceError, match="is not a workbook of rejected rows"):
        mended_plan(tmp_path / "rows.xlsx")


def test_rejects_saved_as_text_are_imported(sqlite: Database) -> None:
    sqlite.execute(CREATE)
    first_import(sqlite)
    book = openpyxl.load_workbook("rows.rejects.xlsx")
    rows = [[cell.value for cell in row] for row in book.active.iter_rows()]
    rows[1][0] = "7"
    with open("mend.csv", "w", newline="") as file:
        csv.writer(file).writerows(rows)
    assert import_mended(sqlite, "mend.csv").stats.inserted == 1


def test_rejects_of_a_run_that_is_not_recorded_need_its_plan(sqlite: Database, tmp_path: Path) -> None:
    sqlite.execute(CREATE)
    first_import(sqlite)
    mend("rows.rejects.xlsx", {"A2": 7})
    with pytest.raises(UsageError, match="which rejected these rows, is not recorded here"):
        mended_plan("mend.xlsx", recordings=tmp_path)
    given = mended_plan("mend.xlsx", database=sqlite.url)
    plan = Plan(source=given.source, target=Target(database=sqlite.url, table="t"))
    assert run_import(plan).stats.inserted == 1


def test_recorded_plan_holds_no_password(postgres: Database, state_folder: Path) -> None:
    postgres.execute(CREATE)
    write_source(Path("rows.xlsx"))
    url = postgres.url.replace("postgresql://postgres@", "postgresql://postgres:hunter2@")
    report = run_import(Plan(source=Source(file="rows.xlsx"), target=Target(database=url, table="t")))
    assert report.stats.error_count == 3
    recorded = [path.read_bytes() for path in state_folder.rglob("plans.json")]
    assert recorded
    assert not any(b"hunter2" in each for each in recorded)


def test_mended_rows_cannot_replace_a_table() -> None:
    with pytest.raises(PlanError, match="mended rejects are added"):
        Plan(source=Source(file="a.xlsx", mends="20200101-000000-0000000"), target=Target(mode="replace"))
    with pytest.raises(PlanError, match="mended rejects are added"):
        Plan(source=Source(file="a.xlsx", mends="20200101-000000-0000000"), options=Options(atomic=True))


def test_recorded_plans_are_read_back(sqlite: Database, state_folder: Path) -> None:
    sqlite.execute(CREATE)
    report = first_import(sqlite, strategy="sequential")
    [path] = [path for path in state_folder.rglob("plans.json") if path.parent.name == report.run_id]
    assert path.stat().st_mode & 0o777 == 0o600
    [plan] = msgspec.json.decode(path.read_bytes(), type=list[Plan])
    assert plan.options.strategy == "sequential"
