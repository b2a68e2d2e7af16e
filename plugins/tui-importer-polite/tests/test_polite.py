"""The installed plugin, used only through the public names of tui_importer."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib.metadata import distribution
from pathlib import Path

import openpyxl
import pytest
from tui_importer_polite import Polite, PoliteOptions, tui_importer_strategies

from tui_importer import Options, Plan, PlanError, Report, Run, Source, Target
from tui_importer.events import AnyEvent, BatchCommitted, RunFinished
from tui_importer.testing import check_strategy

HERE = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep recordings apart from those of the user who runs the tests."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def orders(tmp_path: Path) -> Path:
    """300 rows; row 7 has a text where the table needs a number."""
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["number", "customer"])
    for number in range(300):
        sheet.append(["?" if number == 5 else number, f"customer {number}"])
    path = tmp_path / "orders.xlsx"
    book.save(path)
    with closing(sqlite3.connect(tmp_path / "shop.db")) as database:
        database.execute("CREATE TABLE orders (number integer NOT NULL, customer text)")
    return path


def plan(orders: Path) -> Plan:
    return Plan(
        source=Source(file=str(orders)),
        target=Target(database=str(orders.with_name("shop.db")), table="orders"),
        options=Options(strategy="polite", batch_size=50, workers=4),
    )


def imported(orders: Path) -> list[tuple[int]]:
    with closing(sqlite3.connect(orders.with_name("shop.db"))) as database:
        return database.execute("SELECT number FROM orders ORDER BY number").fetchall()


def run(orders: Path) -> Report:
    events: list[AnyEvent] = []
    orders.with_name("rejects.xlsx").unlink(missing_ok=True)
    report = Run(plan(orders), listener=events.append, rejects_file=orders.with_name("rejects.xlsx")).execute()
    assert isinstance(events[-1], RunFinished)
    return report


def test_good_rows_are_imported_and_the_bad_row_is_reported(orders: Path) -> None:
    report = run(orders)
    assert (report.outcome, report.exit_code, report.method, report.workers) == (
        "complete_with_rejects",
        3,
        "polite",
        1,
    )
    assert [(reject.cell, reject.value) for reject in report.rejects] == [("Sheet!A7", "?")]
    assert imported(orders) == [(number,) for number in range(300) if number != 5]


def test_stop_interrupts_a_rest_and_keeps_committed_rows(orders: Path) -> None:
    def listener(event: AnyEvent) -> None:
        if isinstance(event, BatchCommitted):
            run_.stop("enough")

    run_ = Run(plan(orders), listener=listener, rejects_file=orders.with_name("rejects.xlsx"))
    report = run_.execute()
    assert (report.outcome, report.exit_code, report.error) == ("stopped", 4, "enough")
    assert len(imported(orders)) == report.stats.inserted < 299


class FakeJob:
    """A job of three batches that records its rests."""

    workers = 1

    def __init__(self) -> None:
        self.written: list[object] = []
        self.rests: list[float] = []

    def batches(self) -> Iterator[object]:
        return iter(["first", "second", "third"])

    @contextmanager
    def writer(self) -> Iterator[FakeJob]:
        yield self

    def write(self, batch: object) -> None:
        threading.Event().wait(0.01)
        self.written.append(batch)

    def rest(self, seconds: float) -> bool:
        self.rests.append(seconds)
        return True


@pytest.mark.parametrize("rest", [0.0, 1.0, 30.0])
def test_strategy_rests_after_each_batch_in_proportion_to_its_duration(rest: float) -> None:
    job = FakeJob()
    Polite(options=PoliteOptions(rest=rest)).run(job)  # type: ignore[arg-type]
    assert job.written == ["first", "second", "third"]
    assert len(job.rests) == 3
    assert min(job.rests) >= 0.01 * rest
    assert max(job.rests) == 0 or rest


def test_invalid_option_value_is_refused(orders: Path) -> None:
    options = Options(strategy="polite", plugin_options={"polite": {"rest": -1}})
    with pytest.raises(PlanError, match=r"polite\.rest must be a number from 0 to 1000, not -1"):
        Run(Plan(source=Source(file=orders), options=options))


def test_strategy_fulfils_the_contract(tmp_path: Path) -> None:
    [spec] = tui_importer_strategies()
    check_strategy(spec, tmp_path, kills=4)


def test_plugin_is_listed_with_its_distribution_and_version() -> None:
    listed = subprocess.run(
        [sys.executable, "-m", "tui_importer", "plugins"], capture_output=True, text=True, check=True
    ).stdout
    [line, option] = [line for line in listed.splitlines() if "polite" in line]
    assert line.split()[:5] == [
        "strategy",
        "polite",
        "active",
        "tui-importer-polite",
        distribution("tui-importer-polite").version,
    ]
    assert option.split()[:2] == ["polite.rest", "NUMBER"]


def test_command_line_uses_the_strategy(orders: Path) -> None:
    ended = subprocess.run(
        [
            *(sys.executable, "-m", "tui_importer", "orders.xlsx", "--db", "shop.db", "--strategy", "polite", "-q"),
            *("-o", "polite.rest=0.5"),
        ],
        cwd=orders.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (3, "")
    assert len(imported(orders)) == 299


def test_readme_shows_the_complete_code() -> None:
    readme = (HERE / "README.md").read_text(encoding="utf-8")
    code = (HERE / "tui_importer_polite" / "__init__.py").read_text(encoding="utf-8")
    assert f"```python\n{code}```" in readme
    shown = tomllib.loads(readme.split("```toml\n")[1].split("```")[0])
    project = tomllib.loads((HERE / "pyproject.toml").read_text(encoding="utf-8"))
    assert shown["project"]["entry-points"] == project["project"]["entry-points"]
