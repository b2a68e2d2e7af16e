"""When the scripts of an import are executed; tests/exactly_once has the rest."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.core.run.steps import Steps
from tui_importer.core.model.scripts import ScriptMoment
from tui_importer.core.run.preparation import claim, prepare_table
from tui_importer.core.run.scripts import run_script, scripts_of

if TYPE_CHECKING:
    from tests.conftest import Database


@pytest.mark.parametrize("atomic", [False, True])
def test_script_waits_for_staged_rows(
    tmp_path: Path,
    sqlite: Database,
    atomic: bool,  # a parameter of the test
) -> None:
    (tmp_path / "before.sql").write_text("CREATE TABLE made (n)")
    steps = Steps(tmp_path, atomic=atomic, before=str(tmp_path / "before.sql"))
    assert scripts_of(steps.context).at(ScriptMoment.BEFORE) == "CREATE TABLE made (n)"
    with steps.ready() as (ready, database):
        prepared = prepare_table(steps.context, claim(steps.context, ready, database.backend)[0], database.backend)
        for _ in range(2):  # the second time, it is known to be done
            run_script(steps.context, prepared, ScriptMoment.BEFORE)
    tables = [name for (name,) in sqlite.fetch("SELECT name FROM sqlite_master WHERE type = 'table'")]
    assert ("made" in tables) is not atomic
