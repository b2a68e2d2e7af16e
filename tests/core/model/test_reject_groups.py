"""Like rejects are told as one: by column, constraint and kind of reason, whatever else their reasons say."""

from __future__ import annotations

import csv
import random
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_importer import Options, Plan, Run, Source, Target
from tui_importer.core.model.reject_groups import MAX_GROUPS, OTHERS, SEVERAL_SOURCES, GroupKey, RejectGroups
from tui_importer.core.model.report import CELLS_PER_REASON, ReasonGroup
from tui_importer.events import Fault, Reject
from tui_importer.recording.follow import all_lines
from tui_importer.recording.recordings import Recording
from tui_importer.text.summary import summary_lines

if TYPE_CHECKING:
    from tests.conftest import Database


def reject(row: int, *faults: Fault) -> Reject:
    return Reject(sheet="S", row=row, faults=faults, values=())


def fault(row: int, reason: str, **facts: Any) -> Fault:
    return Fault(cell=f"S!A{row}", column="a", value=None, reason=reason, **facts)


def grouped(rejects: Sequence[Reject]) -> list[ReasonGroup]:
    groups = RejectGroups()
    for each in rejects:
        groups.add(each)
    return groups.take()


@pytest.mark.parametrize(
    ("reasons", "kind", "said"),
    [
        (("key is there: (n)=(15)", "key is there: (n)=(17)"), "23505", "key is there: (n)=(…)"),
        (("key is there: (n)=(15)",) * 2, "23505", "key is there: (n)=(15)"),
        (('no such label: "ok"', 'no such label: "okay"'), "22P02", 'no such label: "…"'),
        (('value "12" is out of range', 'value "132" is out of range'), "22003", 'value "…" is out of range'),
        (("45 characters long; the column takes 20",) * 2, None, "45 characters long; the column takes 20"),
        (
            ("45 characters long; the column takes 20", "44 characters long; the column takes 20"),
            None,
            "… characters long; the column takes 20",
        ),
        (("left", "right"), "P0001 f() line 3", "left"),  # nothing in common
    ],
)
def test_reasons_are_grouped_ignoring_row_values(reasons: Sequence[str], kind: str | None, said: str) -> None:
    rejects = [reject(row, fault(row, reason, kind=kind)) for row, reason in enumerate(reasons, start=2)]
    assert grouped(rejects) == [ReasonGroup("a", said, 2, ("S!A2", "S!A3"))]


def test_groups_differ_by_column_constraint_and_kind() -> None:
    faults = [
        fault(2, "x", kind="1"),
        fault(3, "x", kind="2"),
        fault(4, "x", kind="1", constraint="c"),
        Fault(cell="S!B5", column="b", value=None, reason="x", kind="1"),
        fault(6, "x"),
    ]
    groups = grouped([reject(row, each) for row, each in enumerate(faults, start=2)])
    assert [group.count for group in groups] == [1] * 5
    assert [group.constraint for group in groups] == [None, None, "c", None, None]


def test_groups_differ_by_source() -> None:
    groups = RejectGroups()
    for source in (2, 1, 2):
        groups.add(reject(source, fault(source, "blank")), source)
    assert groups.take() == [
        ReasonGroup("a", "blank", 2, ("S!A2", "S!A2"), source=2),
        ReasonGroup("a", "blank", 1, ("S!A1",), source=1),
    ]


def test_overflow_groups_are_per_source_up_to_the_limit() -> None:
    groups, one_too_many = RejectGroups(), MAX_GROUPS + 1
    for number in range(MAX_GROUPS):
        groups.add(reject(number, fault(number, f"reason {chr(0x100 + number)}")))
    for source in range(1, one_too_many + 1):
        groups.add(reject(source, fault(source, "another")), source)
    others = [group for group in groups.take() if group.reason == OTHERS]
    assert [group.source for group in others] == [SEVERAL_SOURCES, *range(1, one_too_many)]
    assert {group.count for group in others} == {1}


words = st.sampled_from(["a", "b 1", "b 2", 'c "d"', 'c "e"', "\ud800"])
some_faults = st.builds(
    Fault,
    cell=words,
    column=st.none() | words,
    value=st.none(),
    reason=words,
    kind=st.none() | words,
    constraint=st.none() | words,
)
some_rejects = st.builds(reject, st.integers(1, 9), some_faults)


@given(rejects=st.lists(some_rejects, max_size=30, unique_by=lambda one: one.row), seed=st.integers(0, 99))
def test_grouping_is_independent_of_order(rejects: list[Reject], seed: int) -> None:
    """Parallel workers find rejects in any order, and a resumed import reads them by row."""
    shuffled = random.Random(seed).sample(rejects, len(rejects))
    one, other = grouped(rejects), grouped(shuffled)
    assert [(group.column, group.count, group.cells, group.constraint) for group in one] == [
        (group.column, group.count, group.cells, group.constraint) for group in other
    ]
    assert sum(group.count for group in one) == len(rejects)
    assert len(one) == len({GroupKey.of(fault) for each in rejects for fault in each.faults})
    assert all(1 <= len(group.cells) <= CELLS_PER_REASON for group in one)


POSTGRES = """
CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF NEW.n = 1 THEN RAISE EXCEPTION '% is no name', NEW.name; END IF;
    IF NEW.n = 2 THEN RAISE EXCEPTION 'number % has a name', NEW.n; END IF;
    RETURN NEW;
END $$;
CREATE TYPE mood AS ENUM ('ok');
CREATE TABLE t (id integer PRIMARY KEY, n integer, name text, mood mood);
CREATE TRIGGER no BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION no();
"""
SQLITE = "CREATE TABLE t (id integer PRIMARY KEY, n integer, name text, mood text CHECK (mood = 'ok'));"


def sheet(path: Path, *, raising: bool) -> Path:
    """400 rows, of which 100 each have a key twice, a mood that is none and, where that is refused, a name."""
    with path.open("w", newline="") as file:
        write = csv.writer(file).writerow
        write(["id", "n", "name", "mood"])
        for number in range(100):
            write([number, 0, "", "ok"])
            write([number, 0, "", "ok"])
            write([1000 + number, 0, "", f"glad {number}"])
            write([2000 + number, 1 + number % 2 if raising else 0, f"name {number}", "ok"])
    return path


@pytest.mark.parametrize("strategy", ["batched", "sequential", "async"])
@pytest.mark.parametrize("kind", ["postgres", "sqlite"])
def test_many_duplicate_keys_form_one_group(
    request: pytest.FixtureRequest, kind: str, strategy: str, tmp_path: Path
) -> None:
    database: Database = request.getfixturevalue(kind)
    database.execute(POSTGRES if kind == "postgres" else SQLITE)
    plan = Plan(
        source=Source(file=str(sheet(tmp_path / "t.csv", raising=kind == "postgres"))),
        target=Target(database=database.url, table="t"),
        options=Options(strategy=strategy, batch_size=90),
    )
    run = Run(plan, rejects_file=tmp_path / "rejects.xlsx", recordings=tmp_path)
    report = run.execute()
    by_reason = {group.reason: group for group in report.reject_groups}
    if kind == "postgres":
        assert {reason: group.count for reason, group in by_reason.items()} == {
            'duplicate key value violates unique constraint "t_pkey": Key (id)=(…) already exists.': 100,
            'invalid input value for enum mood: "glad …"': 100,
            "name … is no name": 50,
            "number 2 has a name": 50,
        }
        keys = by_reason['duplicate key value violates unique constraint "t_pkey": Key (id)=(…) already exists.']
        assert keys.constraint == "t_pkey"
    else:
        assert {reason: group.count for reason, group in by_reason.items()} == {
            "UNIQUE constraint failed: t.id": 100,
            "CHECK constraint failed: mood = 'ok'": 100,
        }
        keys = by_reason["UNIQUE constraint failed: t.id"]
    assert (keys.column, keys.cells) == ("id", ("t!A3", "t!A7", "t!A11"))
    # The dashboard draws the last line of this kind.
    recording = Recording(tmp_path / report.run_id)
    *_, last = [line.what for line in all_lines(recording) if isinstance(line.what, tuple)]
    assert last == report.reject_groups
    assert recording.report() == report
    lines = summary_lines(report)
    told = lines[lines.index("rejected:") + 1 :]
    assert len([line for line in told if line.startswith(("  100  ", "   50  "))]) == len(report.reject_groups)
