"""Write modes: valid combinations, what follows from each, and that every interface offers the same choices."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any, get_args

import click
import pytest

from tui_importer.cli.import_files import command as import_command
from tui_importer.cli.serve import command as serve_command
from tui_importer.core.model.plan import Plan, Source, Target
from tui_importer.core.model.plan_file import load_plan, save_plan
from tui_importer.core.model.write_mode import OnConflict, OnConflictWord, WriteKind, WriteKindWord, WriteMode
from tui_importer.errors import PlanError

APPEND, UPSERT = WriteKind.APPEND, WriteKind.UPSERT


def test_defaults_follow_from_the_write_mode_kind() -> None:
    assert WriteMode() == WriteMode(APPEND, (), OnConflict.ERROR)
    assert WriteMode(UPSERT, ("id",)) == WriteMode(UPSERT, ("id",), OnConflict.UPDATE)
    assert WriteMode(APPEND, ("id",)) == WriteMode(APPEND, ("id",), OnConflict.SKIP)
    assert WriteMode(WriteKind.CREATE, ("id",)) == WriteMode(WriteKind.CREATE, ("id",), OnConflict.ERROR)


def test_words_are_converted_to_enum_values() -> None:
    words: Any = {"kind": "upsert", "key": ["a", "b"], "on_conflict": "update"}
    assert WriteMode(**words) == WriteMode(UPSERT, ("a", "b"))
    assert type(WriteMode(**words).kind) is WriteKind


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"kind": "apend"}, "kind must be one of append, create, truncate, .*, not 'apend': did you mean 'append'"),
        ({"on_conflict": "ignore"}, "on_conflict must be one of error, skip, update, not 'ignore'"),
        ({"kind": UPSERT, "on_conflict": OnConflict.ERROR}, "mode upsert does not reject rows whose key is there"),
        ({"on_conflict": OnConflict.UPDATE}, "mode append does not update rows"),
        ({"key": ("id",), "on_conflict": OnConflict.ERROR}, "a key has no effect"),
        ({"update": ("a",)}, "columns to update have an effect only where rows are updated"),
        ({"kind": UPSERT, "update": ("a", "a")}, "update must name different columns, not 'a', 'a'"),
        ({"kind": UPSERT, "key": ("a",), "update": ("b", "a")}, "a column of the key is not updated: 'a'"),
        ({"kind": UPSERT, "key": ("a", "a")}, "key must name different columns, not 'a', 'a'"),
        ({"kind": UPSERT, "key": ("",)}, "key must name different columns, not ''"),
        ({"kind": UPSERT, "key": 3}, "key must be a list, not 3"),
    ],
    ids=str,
)
def test_contradictory_requests_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(PlanError, match=message):
        WriteMode(**values)


@pytest.mark.parametrize(
    ("mode", "new_table", "stage", "order"),
    [
        (WriteMode(), False, False, False),
        (WriteMode(APPEND, ("id",), OnConflict.SKIP), False, False, True),
        (WriteMode(WriteKind.CREATE), True, False, False),
        (WriteMode(WriteKind.REPLACE), False, True, False),
        (WriteMode(WriteKind.REPLACE, ("id",), OnConflict.UPDATE), False, True, True),
        (WriteMode(WriteKind.TRUNCATE), False, True, False),
        (WriteMode(UPSERT, ("id",)), False, False, True),
    ],
    ids=str,
)
def test_properties_follow_from_the_write_mode(mode: WriteMode, new_table: bool, stage: bool, order: bool) -> None:
    assert (mode.needs_new_table, mode.needs_stage, mode.order_matters) == (new_table, stage, order)


def test_modes_that_add_the_same_rows_have_the_same_identity() -> None:
    assert WriteMode().identity == WriteMode(WriteKind.CREATE).identity == ()
    skipping = [WriteMode(kind, (), OnConflict.SKIP) for kind in (APPEND, WriteKind.CREATE)]
    assert skipping[0].identity == skipping[1].identity
    others = [skipping[0], WriteMode(UPSERT), WriteMode(UPSERT, ("id",)), WriteMode(WriteKind.REPLACE)]
    assert len({mode.identity for mode in others} | {()}) == 1 + len(others)


def test_columns_to_update_are_part_of_the_identity() -> None:
    modes = [WriteMode(UPSERT, ("id",)), WriteMode(UPSERT, ("id",), update=("a",)), WriteMode(UPSERT, update=("a",))]
    assert len({mode.identity for mode in modes}) == 3


@pytest.mark.parametrize(
    ("mode", "after"),
    [
        (WriteMode(WriteKind.CREATE), WriteMode()),
        (WriteMode(WriteKind.CREATE, ("id",)), WriteMode()),
        (WriteMode(WriteKind.CREATE, ("id",), OnConflict.SKIP), WriteMode(APPEND, ("id",))),
        (WriteMode(WriteKind.CREATE, ("id",), OnConflict.UPDATE), WriteMode(UPSERT, ("id",))),
        (WriteMode(UPSERT, ("id",), update=("a",)), WriteMode(UPSERT, ("id",), update=("a",))),
        (WriteMode(WriteKind.TRUNCATE), WriteMode(WriteKind.TRUNCATE)),
    ],
    ids=str,
)
def test_mode_after_creation_keeps_the_semantics(mode: WriteMode, after: WriteMode) -> None:
    assert mode.after_creation == after


def test_write_mode_is_picklable_and_hashable() -> None:
    mode = WriteMode(UPSERT, ("id",))
    assert pickle.loads(pickle.dumps(mode)) == mode
    assert len({mode, WriteMode(UPSERT, ("id",)), WriteMode()}) == 2


def test_every_choice_has_its_own_summary() -> None:
    summaries = [choice.summary for choices in (WriteKind, OnConflict) for choice in choices]
    assert len(set(summaries)) == len(summaries) == 8


@pytest.mark.parametrize("kind", WriteKind)
def test_plan_accepts_and_saves_every_available_kind(kind: WriteKindWord, tmp_path: Path) -> None:
    plan = Plan(source=Source(file="a.csv"), target=Target(table="t", mode=kind))
    assert plan.target.write_mode == WriteMode(WriteKind(kind))
    save_plan(plan, tmp_path / "plan.toml")
    assert load_plan(tmp_path / "plan.toml") == plan


def test_plan_refuses_unknown_kinds(tmp_path: Path) -> None:
    words = ", ".join(get_args(WriteKindWord))
    with pytest.raises(PlanError, match=f"mode must be one of {words}, not 'merge'"):
        Target(mode="merge")  # type: ignore[arg-type]
    path = tmp_path / "plan.toml"
    path.write_text('[source]\nfile = "a.csv"\n[target]\nmode = "merge"\n')
    with pytest.raises(PlanError, match=f"mode must be one of {words}, not 'merge'"):
        load_plan(path)


def test_choice_words_match_the_enums() -> None:
    assert get_args(WriteKindWord) == tuple(kind.value for kind in WriteKind)
    assert get_args(OnConflictWord) == tuple(each.value for each in OnConflict)


@pytest.mark.parametrize("command", [import_command, serve_command], ids=["import", "serve"])
def test_commands_offer_and_describe_the_available_kinds(command: click.Command) -> None:
    [option] = [each for each in command.params if each.name == "mode"]
    assert isinstance(option, click.Option)
    assert isinstance(option.type, click.Choice)
    assert tuple(option.type.choices) == get_args(WriteKindWord)
    assert all(f"{kind.value}: {kind.summary}" in str(option.help) for kind in WriteKind)
    assert f"default: {Target().mode}" in str(option.help)
