"""The imports of a run: one for each source of its plans."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.conftest import sqlite_database
from tui_importer import Options, Plan, PlanError, SetReport, Source, Target, inspect_source, run_import
from tui_importer.core.planning.expansion import expand, only_import
from tui_importer.core.source.reader import SheetInfo
from tui_importer.errors import SourceError
from tui_importer.events import AnyEvent, RowRejected
from tui_importer.recording.follow import all_lines, rejected_rows
from tui_importer.recording.recordings import recordings, recordings_folder


def no_sheets(plan: Plan) -> Sequence[SheetInfo]:
    raise AssertionError("no file has to be opened")


A, B, C = (Source(file=f"{name}.csv") for name in "abc")


def test_plan_of_one_source_is_not_expanded() -> None:
    plan = Plan(source=A, target=Target(table="t"))
    assert plan.sources == (A,)
    [only] = expand([plan], no_sheets)
    assert only is plan
    assert only_import(plan, no_sheets) is plan


def test_each_source_is_expanded_to_an_import_with_the_same_target_and_options() -> None:
    target, options = Target(table="t"), Options(workers=1)
    several = Plan(source=A, further_sources=(B, C), target=target, options=options)
    assert several.sources == (A, B, C)
    alone = tuple(Plan(source=each, target=target, options=options) for each in (A, B, C))
    assert expand([several], no_sheets) == alone
    assert expand(expand([several], no_sheets), no_sheets) == expand([several], no_sheets)


def test_imports_of_several_plans_keep_their_order() -> None:
    plans = [Plan(source=C), Plan(source=A, further_sources=(B,)), Plan(source=A)]
    assert [each.source for each in expand(plans, no_sheets)] == [C, A, B, A]


SHEETS = (SheetInfo("Jan"), SheetInfo("Feb"), SheetInfo("Jan (old)", hidden=True), SheetInfo("Q*"), SheetInfo("Quit"))


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        ("all", ["Jan", "Feb", "Q*", "Quit"]),
        ("ALL", ["Jan", "Feb", "Q*", "Quit"]),
        ("j*", ["Jan"]),
        ("[JF]??", ["Jan", "Feb"]),
        ("q*", ["Q*"]),
        ("jan (*", []),
        ("x*", []),
    ],
)
def test_pattern_matches_only_visible_sheets(wanted: str, names: list[str]) -> None:
    plan = Plan(source=Source(file="a.xlsx", sheet=wanted), further_sources=(B,))
    if not names:
        with pytest.raises(SourceError, match=r"there is no sheet that matches .*: there are 'Jan', 'Feb'"):
            expand([plan], lambda plan: SHEETS)
        return
    *sheets, last = expand([plan], lambda plan: SHEETS)
    assert [each.source for each in sheets] == [Source(file="a.xlsx", sheet=name, may_be_empty=True) for name in names]
    assert last.source == B


@pytest.mark.parametrize("wanted", ["Jan", 2, None])
def test_sheet_name_or_number_selects_one_sheet(wanted: str | int | None) -> None:
    plan = Plan(source=Source(file="a.xlsx", sheet=wanted))
    assert expand([plan], no_sheets) == (plan,)


def test_sheet_named_all_is_selected_by_its_name() -> None:
    plan = Plan(source=Source(file="a.xlsx", sheet="all"))
    [found] = expand([plan], lambda plan: [SheetInfo("First"), SheetInfo("All")])
    assert found.source.sheet == "All"


def test_single_import_functions_refuse_a_plan_of_several_sources() -> None:
    several = Plan(source=A, further_sources=(B, C))
    with pytest.raises(PlanError, match="the plan has 3 sources"):
        only_import(several, no_sheets)
    with pytest.raises(PlanError, match="the plan has 3 sources"):
        inspect_source(several)


def test_plan_of_several_sources_is_one_run_with_the_same_import_ids(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for number, name in enumerate("ab"):
        Path(f"{name}.csv").write_text(f"n\n{number}\n")
    target = Target(database="all.db", table="t")
    alone = run_import(Plan(source=B, target=target), record=False)
    report = run_import(Plan(source=A, further_sources=(B,), target=target), record=False)
    assert isinstance(report, SetReport)
    assert [each.outcome for each in report.imports] == ["complete", "already_imported"]
    assert report.imports[1].resumes == alone.run_id
    assert sqlite_database(tmp_path / "all.db").fetch("SELECT n FROM t ORDER BY n") == [(0,), (1,)]


def test_rejects_name_their_source_in_events_report_and_recording(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    for name in "ab":
        Path(f"{name}.csv").write_text("n\n1\nx\n")
    heard: list[AnyEvent] = []
    target, options = Target(database="all.db", table="t"), Options(types={"n": "integer"})
    report = run_import(Plan(source=A, further_sources=(B,), target=target, options=options), listener=heard.append)
    assert isinstance(report, SetReport)
    assert [(event.source, event.reject.row) for event in heard if isinstance(event, RowRejected)] == [(1, 3), (2, 3)]
    for number, each in enumerate(report.imports, start=1):
        assert [reject.source for reject in each.rejects] == [number]
        assert [(group.source, group.count) for group in each.reject_groups] == [(number, 1)]
    [recording] = recordings(recordings_folder())
    groups = [line.what for line in all_lines(recording) if isinstance(line.what, tuple)]
    assert [(group.source, group.count) for group in groups[-1]] == [(1, 1), (2, 1)]
    assert [event.source for event in rejected_rows(recording)] == [1, 2]
    assert [event.source for event in rejected_rows(recording, 2)] == [2]
