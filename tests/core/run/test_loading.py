"""Loading: rows are read while the import is claimed, and whatever ends it, no thread is left."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Database
from tests.core.run.steps import Steps
from tui_importer.core.model.batch import Block
from tui_importer.core.model.counters import Phase
from tui_importer.core.model.write_mode import WriteKind, WriteKindWord, WriteMode
from tui_importer.core.run import choices
from tui_importer.core.run.loading import destination, load, writer_spec
from tui_importer.core.run.preparation import claim, prepare_table
from tui_importer.core.run.stages import Claimed, Loading
from tui_importer.core.source import kept_blocks
from tui_importer.errors import DatabaseError, ImporterError
from tui_importer.events import BatchCommitted, LoadingStarted, SettingChosen


def test_all_rows_are_written(tmp_path: Path, sqlite: Database) -> None:
    steps = Steps(tmp_path)
    with steps.ready() as (ready, database):
        loading = load(steps.context, ready, database.backend)
    assert steps.context.stage is loading
    assert loading.job.ended
    assert loading.job.account.total().counts.inserted == steps.context.reader.rows_read == 50
    assert steps.context.reader.phase is Phase.READ
    kinds = [type(event) for event in steps.events]
    assert kinds.index(LoadingStarted) < kinds.index(BatchCommitted)
    assert sqlite.scalar("SELECT sum(n) FROM t") == sum(range(50))


def test_batches_of_long_rows_are_smaller_and_said_once(
    tmp_path: Path, sqlite: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choices, "BATCH_CHARACTERS", 100)
    steps = Steps(tmp_path, lines=[*range(200), *("x" * 60 for _ in range(2_000))], batch_size=None)
    with steps.ready() as (ready, database):
        assert ready.choices.batch_size > 2  # the first rows are short
        load(steps.context, ready, database.backend)
    chosen = [event for event in steps.events if isinstance(event, SettingChosen)]
    assert [event.setting for event in chosen] == ["workers", "batch_size", "batch_size"]
    assert "are longer than the first ones" in chosen[-1].reason
    batches = [event for event in steps.events if isinstance(event, BatchCommitted)]
    assert {event.inserted for event in batches if event.first_row > 300} == {1}
    assert sqlite.scalar("SELECT count(*) FROM t") == 2_200


def test_reading_thread_enforces_the_rate_limit(tmp_path: Path, sqlite: Database) -> None:
    steps = Steps(tmp_path, lines=range(4), max_rate=1_000_000)
    with steps.ready() as (ready, database):
        load(steps.context, ready, database.backend)
    assert [event.max_rate for event in steps.events if isinstance(event, LoadingStarted)] == [1_000_000]
    assert sqlite.scalar("SELECT count(*) FROM t") == 4


def test_failed_claim_stops_the_reader(tmp_path: Path, sqlite: Database) -> None:
    steps = Steps(tmp_path)
    with steps.ready() as (ready, database):
        history: Any = ready.history

        def refuse(resolved: object) -> None:
            raise DatabaseError("not you")

        history.begin = refuse
        with pytest.raises(DatabaseError, match="not you"):
            load(steps.context, ready, database.backend)
    assert not isinstance(steps.context.stage, Claimed)


def test_failing_strategy_is_named(tmp_path: Path, sqlite: Database) -> None:
    class BrokenStrategy:
        max_workers = None

        def run(self, job: object) -> None:
            raise LookupError("its defect")

    steps = Steps(tmp_path, strategy=BrokenStrategy())
    with (
        steps.ready() as (ready, database),
        pytest.raises(ImporterError, match="strategy 'one by one' failed: LookupError: its defect"),
    ):
        load(steps.context, ready, database.backend)
    assert isinstance(steps.context.stage, Loading)
    assert steps.context.stage.job.ended


def test_reader_failure_names_the_reader_and_the_row(
    tmp_path: Path, sqlite: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_blocks, "_MOST_BYTES", -1)  # the sheet is read again after its types are inferred
    steps = Steps(tmp_path)
    with steps.ready() as (ready, database):
        sheet: Any = ready.source.sheet
        blocks = sheet.blocks

        def break_off(rows: int) -> Iterator[Block]:
            yield next(blocks(rows))
            raise LookupError("its defect")

        sheet.blocks = break_off
        with pytest.raises(ImporterError, match=r"reader 'lines' failed after row 10: LookupError: its defect"):
            load(steps.context, ready, database.backend)
    assert steps.context.reader.phase is not Phase.READ


@pytest.mark.parametrize("atomic", [False, True])
def test_blanks_take_defaults_in_the_table_but_not_in_a_staging_table(
    tmp_path: Path, sqlite: Database, atomic: bool
) -> None:
    sqlite.execute("CREATE TABLE t (n integer NOT NULL DEFAULT 7)")
    steps = Steps(tmp_path, atomic=atomic)
    with steps.ready() as (ready, database):
        prepared = prepare_table(steps.context, claim(steps.context, ready, database.backend)[0], database.backend)
        found = destination(prepared)
        spec = writer_spec(steps.context, prepared)
    assert (found.table, found.columns, found.defaults) == (prepared.filled_table, ("n",), () if atomic else (0,))
    assert prepared.resume_point is not None
    assert found.claim == prepared.resume_point.claim
    assert (spec.destination, spec.mapping, spec.backend) == (found, prepared.resolved.mapping, "sqlite")
    assert spec.settings == steps.context.connection_settings().portable()


@pytest.mark.parametrize("mode", ["append", "create"])
def test_sessions_receive_the_write_mode(tmp_path: Path, sqlite: Database, mode: WriteKindWord) -> None:
    steps = Steps(tmp_path, mode=mode)
    with steps.ready() as (ready, database):
        prepared = prepare_table(steps.context, claim(steps.context, ready, database.backend)[0], database.backend)
    assert destination(prepared).mode == WriteMode(WriteKind(mode))
