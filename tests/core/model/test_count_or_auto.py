from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from tui_importer.cli.option_types import CountOrAuto
from tui_importer.core.model.count_or_auto import AUTO, format_count, parse_count
from tui_importer.core.model.plan import Options, Plan, Source
from tui_importer.core.model.plan_file import load_plan
from tui_importer.errors import PlanError


@pytest.mark.parametrize(("text", "count"), [("1", 1), ("64", 64), ("auto", None)])
def test_formatted_count_parses_to_the_same_count(text: str, count: int | None) -> None:
    assert parse_count(text) == count
    assert format_count(count) == text


@pytest.mark.parametrize("text", ["", " 4", "0", "-1", "1.5", "1_0", "\u0663", "AUTO", "many", "9" * 19, "9" * 5_000])
def test_invalid_counts_are_refused(text: str) -> None:
    with pytest.raises(PlanError, match="is neither a whole number from 1 nor auto"):
        parse_count(text)


def test_plan_file_accepts_auto(tmp_path: Path) -> None:
    path = tmp_path / "plan.toml"
    path.write_text('[source]\nfile = "a.xlsx"\n[options]\nworkers = "auto"\nbatch_size = 7\n', encoding="utf-8")
    assert load_plan(path) == Plan(source=Source(file="a.xlsx"), options=Options(batch_size=7))


def test_auto_on_the_command_line_overrides_a_number() -> None:
    typed = CountOrAuto().convert(AUTO, None, None)
    assert msgspec.structs.replace(Options(workers=4), workers=typed).workers is None
