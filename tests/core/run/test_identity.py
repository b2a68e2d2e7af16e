"""Two imports are the same where nothing that matters differs, and only there."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tui_importer.core.model.plan import ColumnPlan, Options, Plan, Source, Target
from tui_importer.core.model.write_mode import WriteKind, WriteMode
from tui_importer.core.run.identity import Identity, digest, identify
from tui_importer.core.source.layout import Layout

COLUMNS = (ColumnPlan(source="A", letter="A", target="a", type="integer"),)


def identity(plan: Plan | None = None, **parts: Any) -> Identity:
    plan = plan or Plan(source=Source(file="x.csv"), target=Target(table="t"))
    known = {"sha256": "0", "sheet": "S", "layout": Layout(1, 2, None, 0, ("A",)), "columns": COLUMNS, "table": "t"}
    return identify(plan, **{**known, **parts})


def plan(source: dict[str, Any] | None = None, **options: Any) -> Plan:
    return Plan(source=Source(file="x.csv", **(source or {})), target=Target(table="t"), options=Options(**options))


@pytest.mark.parametrize(
    "parts",
    [
        {"sha256": "1"},
        {"sheet": "T"},
        {"table": "u"},
        {"layout": Layout(3, 4, None, 0, ("A",))},
        {"plan": plan({"range": "A1:B9"})},
        {"columns": (msgspec.structs.replace(COLUMNS[0], target="b"),)},
        {"columns": (msgspec.structs.replace(COLUMNS[0], letter="B"),)},
        {"plan": plan(error_cells="null")},
        {"plan": plan(uncalculated="null")},
    ],
    ids=str,
)
def test_relevant_changes_give_another_import_id(parts: dict[str, Any]) -> None:
    assert identity(**parts).import_id != identity().import_id


@pytest.mark.parametrize(
    "parts",
    [
        {"plan": plan({"limit": 5})},
        {"plan": plan(strategy="async", workers=7, batch_size=3, retry_for=1.0)},
        {"columns": (msgspec.structs.replace(COLUMNS[0], type="text"),)},
        {"plan": Plan(source=Source(file="elsewhere/y.csv"), target=Target(table="t"))},
    ],
    ids=str,
)
def test_irrelevant_changes_keep_the_import_id(parts: dict[str, Any]) -> None:
    """Strategy, row limit and the location of the file do not affect the identity."""
    assert identity(**parts).import_id == identity().import_id


def test_write_mode_affects_the_import_id_unless_rows_are_only_added() -> None:
    create = Plan(source=Source(file="x.csv"), target=Target(table="t", mode="create"))
    assert identity(create) == identity()
    modes = [WriteMode(WriteKind.UPSERT), WriteMode(WriteKind.UPSERT, ("a",)), WriteMode(WriteKind.REPLACE)]
    assert len({replace(identity(), mode=mode.identity).import_id for mode in (WriteMode(), *modes)}) == 4


def test_different_requests_may_have_the_same_import_id() -> None:
    asked = identity(plan(types={"A": "text"}))
    assert asked.request != identity().request
    assert asked.import_id == identity().import_id


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(codec="utf-8"), max_size=5),
    lambda inner: st.lists(inner, max_size=4),
    max_leaves=8,
)


@given(JSON, JSON)
def test_digests_differ_exactly_where_values_differ(one: object, other: object) -> None:
    assert (digest(one) == digest(other)) == (repr(one) == repr(other))
    assert len(digest(one)) == 32


def test_import_id_is_compatible_with_ledgers_of_version_0_1() -> None:
    """New plan fields must not change it: it is how imports started by older versions are found."""
    assert identity().import_id == "e856d9975e644bd04af65a4babfe785f"
