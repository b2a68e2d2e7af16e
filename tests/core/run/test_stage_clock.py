"""The time of an import is divided without a rest: among the engine's steps, the reading thread and the workers."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.conftest import Database
from tui_importer import Options, Plan, Run, Source, Target
from tui_importer.core.model.counters import ReaderCounters
from tui_importer.core.model.stage_seconds import StageSeconds
from tui_importer.core.run.account import Totals
from tui_importer.core.run.stage_clock import LOADING, StageClock


class Hand:
    """A clock's hand that a test moves."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.at = 100.0
        monkeypatch.setattr(time, "perf_counter", lambda: self.at)


def test_loading_is_divided_by_what_it_was_bound_by(monkeypatch: pytest.MonkeyPatch) -> None:
    hand = Hand(monkeypatch)
    clock = StageClock()
    hand.at += 50  # before the import begins
    clock.start()
    hand.at += 1
    clock.lap("open", until=hand.at - 0.25)
    clock.lap("server")
    hand.at += 10
    clock.lap(LOADING)
    hand.at += 2
    clock.lap("index")
    reader = ReaderCounters(parse_seconds=3, convert_seconds=1, encode_seconds=1, claim_seconds=0.5, held_seconds=0.5)
    written = Totals(seconds=16, send_seconds=4, ledger_seconds=2)  # of two workers, side by side
    # The four seconds in which the reading thread waited are the workers', as 4 : 10 : 2.
    assert clock.stages(reader, written, 13.5) == StageSeconds(
        open=0.75, parse=3, convert=1, encode=1, send=1, server=0.25 + 2.5, ledger=0.5 + 0.5, index=2, other=0.5 + 0.5
    )


def test_stages_never_exceed_the_duration(monkeypatch: pytest.MonkeyPatch) -> None:
    hand = Hand(monkeypatch)
    clock = StageClock()
    clock.lap("open", until=hand.at - 5)  # it was open before
    hand.at += 4
    clock.lap(LOADING)
    found = clock.stages(ReaderCounters(parse_seconds=9, convert_seconds=9), Totals(), 2.0)
    assert found == StageSeconds(parse=2.0)
    assert clock.stages(ReaderCounters(), Totals(), 5.0) == StageSeconds(server=4.0, other=1.0)
    assert StageClock().stages(ReaderCounters(), Totals(), 0.0) == StageSeconds()


def test_stages_of_an_import_add_up_to_its_duration(database: Database, tmp_path: Path) -> None:
    file = tmp_path / "numbers.csv"
    file.write_text("name,number\n" + "".join(f"row {row},{row}\n" for row in range(20_000)))
    plan = Plan(
        source=Source(file=str(file)),
        target=Target(database=database.url, table="t"),
        options=Options(strategy="batched", batch_size=1_000),
    )
    report = Run(plan, rejects_file=tmp_path / "rejects.xlsx").execute()
    assert report.outcome == "complete"
    assert report.stages is not None
    seconds = dict(report.stages.items())
    assert min(seconds.values()) >= 0
    assert sum(seconds.values()) == pytest.approx(report.stats.duration_seconds, abs=1e-4)
    assert min(seconds["parse"], seconds["convert"], seconds["ledger"], seconds["server"]) > 0
    assert report.peak_memory is not None
    assert report.peak_memory > 10_000_000
