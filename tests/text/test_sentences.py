from __future__ import annotations

import typing

import pytest

from tui_importer.core.model.counters import Phase, Snapshot
from tui_importer.events import (
    AlreadyImported,
    AnyEvent,
    BatchCommitted,
    Fault,
    ImportFinished,
    ImportStarted,
    IndexesCreated,
    LoadingStarted,
    Noticed,
    Paused,
    ReadingStarted,
    Reject,
    Resumed,
    Retrying,
    RowRejected,
    RunFinished,
    RunNoticed,
    RunStarted,
    SettingChosen,
    SourceOpened,
    StatementDelayed,
    Stopping,
    TableCreated,
    Unpaused,
    Verified,
    WorkerFailed,
    WorkerFinished,
    WorkersChanged,
    WorkerStarted,
)
from tui_importer.text.sentences import equation, narrate, status_line

EVIL = "\x1b[2J\n"
SHOWN = r"\x1b[2J\n"


def rejected(*faults: Fault) -> RowRejected:
    return RowRejected(worker=1, reject=Reject(sheet="S", row=217, faults=faults, values=()))


#: Every event with nasty text in all of its text, and the sentence.
SENTENCES: list[tuple[AnyEvent, str | None]] = [
    (
        RunStarted(run_id="r1", file=EVIL, target=EVIL, strategy="batched"),
        f"importing {SHOWN} into {SHOWN} (batched, run r1)",
    ),
    (
        ImportStarted(source=2, file=EVIL, target=EVIL, strategy="batched"),
        f"source 2: {SHOWN} into {SHOWN}",
    ),
    (
        ImportFinished(
            source=2,
            outcome="failed",
            exit_code=1,
            read=5,
            inserted=5,
            updated=0,
            skipped=0,
            rejected=0,
            blank=0,
            seconds=0.41,
            error=EVIL,
        ),
        f"source 2 failed: read 5 = inserted 5 in 0.41 s ({SHOWN})",
    ),
    (ReadingStarted(file=EVIL, reader="calamine", bytes=1_400_000), f"reading {SHOWN} (1.4 MB) with calamine"),
    (
        SourceOpened(sheet=EVIL, header_row=1, columns=9, rows=10_000, seconds=0.4),
        f"opened {SHOWN} in 0.40 s: 9 columns, header in row 1, 10,000 rows",
    ),
    (
        SourceOpened(sheet="S", header_row=0, columns=1, rows=None, seconds=61),
        "opened S in 1 min 1 s: 1 column, no header, number of rows unknown",
    ),
    (Noticed(message=EVIL), f"note: {SHOWN}"),
    (RunNoticed(message=EVIL), f"note: {SHOWN}"),
    (TableCreated(table=EVIL), f"created table {SHOWN}"),
    (
        LoadingStarted(table=EVIL, strategy="batched", workers=2, batch_size=2000),
        f"writing into {SHOWN}: batched, 2 workers, 2,000 rows a batch",
    ),
    (
        Resumed(run_id=EVIL, rows=6_000, rejected=8, next_row=6_002, taken_over=True),
        f"resuming run {SHOWN}, which died: 6,000 rows completed already (8 of them rejected), passed over; "
        "the first that is not is row 6,002",
    ),
    (
        AlreadyImported(
            run_id=EVIL, finished_at="2026-01-02T03:04:05Z", inserted=9_987, updated=0, skipped=0, rejected=13
        ),
        f"already imported by run {SHOWN} on 2026-01-02T03:04:05Z: read 10,000 = inserted 9,987 + rejected 13; "
        "nothing is written (--again imports it once more)",
    ),
    (
        Retrying(worker=1, first_row=2, last_row=2001, attempt=1, seconds=2.0, error=EVIL, sqlstate="40P01"),
        f"worker 1 at rows 2 to 2,001: {SHOWN}; attempt 2 in 2.00 s",
    ),
    (
        Retrying(worker=0, first_row=0, last_row=0, attempt=3, seconds=2.0, error="gone", sqlstate=None),
        "the database: gone; attempt 4 in 2.00 s",
    ),
    (
        StatementDelayed(worker=2, seconds=60.0, locked=True, detail=EVIL),
        f"worker 2 is waiting for a lock of others, for 1 min 0 s so far ({SHOWN})",
    ),
    (
        StatementDelayed(worker=0, seconds=60.0, locked=False, detail="IO: DataFileRead"),
        "the run is waiting for a statement that takes long, for 1 min 0 s so far (IO: DataFileRead)",
    ),
    (SettingChosen(setting="workers", value=1, reason=EVIL), f"chose 1 worker: {SHOWN}"),
    (SettingChosen(setting="batch_size", value=9_000, reason="why"), "chose 9,000 rows a batch: why"),
    (WorkerStarted(worker=2), "worker 2 is connected"),
    (
        BatchCommitted(worker=1, first_row=2, last_row=2001, inserted=1999, skipped=0, rejected=1, seconds=0.05),
        "worker 1 committed rows 2 to 2,001: 1,999 inserted, 1 rejected in 0.05 s",
    ),
    (
        BatchCommitted(worker=1, first_row=2, last_row=9, inserted=1, updated=4, skipped=2, rejected=1, seconds=0.05),
        "worker 1 committed rows 2 to 9: 1 inserted, 4 updated, 2 skipped, 1 rejected in 0.05 s",
    ),
    (
        rejected(
            Fault(cell="S!A217", column=EVIL, value=None, reason=EVIL),
            Fault(cell="S!217:217", column=None, value=None, reason="refused", sqlstate="23514"),
        ),
        f"rejected: S!A217 {SHOWN}: {SHOWN}; S!217:217 refused (SQLSTATE 23514)",
    ),
    (
        WorkerFailed(worker=1, first_row=2, last_row=2001, error=EVIL),
        f"worker 1 failed at rows 2 to 2,001: {SHOWN}",
    ),
    (WorkerFinished(worker=1), "worker 1 is done"),
    (WorkersChanged(workers=1), "from now on 1 worker"),
    (WorkersChanged(workers=3), "from now on 3 workers"),
    (Paused(), "paused: what is in flight is finished, nothing more is taken"),
    (Unpaused(), "going on"),
    (Stopping(reason=EVIL, aborting=False), f"stopping ({SHOWN}): finishing what is in flight"),
    (Stopping(reason="SIGINT", aborting=True), "stopping (SIGINT): rolling back what is in flight"),
    (IndexesCreated(count=6, seconds=1.0), "made 6 indexes in 1.00 s"),
    (IndexesCreated(count=0, seconds=0.0), None),
    (
        RunFinished(
            outcome="complete_with_rejects",
            exit_code=3,
            read=10_000,
            inserted=9_987,
            updated=0,
            skipped=0,
            rejected=13,
            blank=0,
            seconds=0.41,
        ),
        "complete, with rejects: read 10,000 = inserted 9,987 + rejected 13 in 0.41 s",
    ),
    (
        Verified(rows=9_987, columns=9, not_compared=(EVIL,)),
        f"verified: the table holds what the sheet does, 9,987 rows in 9 columns compared; not compared: {SHOWN}",
    ),
]


@pytest.mark.parametrize(("event", "sentence"), SENTENCES, ids=[type(event).__name__ for event, _ in SENTENCES])
def test_events_are_narrated(event: AnyEvent, sentence: str | None) -> None:
    assert narrate(event) == sentence


def test_every_event_type_has_a_tested_sentence() -> None:
    assert {type(event) for event, _ in SENTENCES} == set(typing.get_args(AnyEvent))


def test_equation_omits_zero_counts() -> None:
    assert equation(0, 0, 0, 0, 0) == "read 0 = inserted 0"
    assert equation(10, 4, 3, 2, 1) == "read 10 = inserted 4 + updated 3 + skipped 2 + rejected 1"


@pytest.mark.parametrize(
    ("snapshot", "rate", "seconds", "line"),
    [
        (
            Snapshot(at=0, read=70_000, inserted=62_387, rejected=13, source_rows=100_000, phase=Phase.READING),
            8_120.4,
            6.2,
            "S: 62,400 of 100,000 rows (62 %), 8,120 rows/s, 13 rejected, 00:07 left",
        ),
        (Snapshot(at=0, read=70, inserted=50), 0.5, None, "S: 50 rows, 0.5 rows/s, 0 rejected, time left unknown"),
        (Snapshot(at=0, phase=Phase.OPENING), 0.0, None, "S: reading, size unknown"),
        (
            Snapshot(at=0, read=5, inserted=5, all_read=True, phase=Phase.INDEXING),
            0.0,
            0.0,
            "S: 5 rows done, making indexes",
        ),
        (
            Snapshot(at=0, read=200_000, inserted=199_999, all_read=True, phase=Phase.STOPPING),
            9_000.0,
            7_300,
            "S: 199,999 of 200,000 rows (99 %), 9,000 rows/s, 0 rejected, stopping",
        ),
    ],
)
def test_status_line_shows_progress_rate_and_eta(
    snapshot: Snapshot, rate: float, seconds: float | None, line: str
) -> None:
    assert status_line("S", snapshot, rate, seconds) == line


def test_long_remaining_time_is_shown_in_hours() -> None:
    snapshot = Snapshot(at=0, read=2, inserted=1, source_rows=9)
    assert status_line("S", snapshot, 1.0, 3_723).endswith("1:02:03 left")


def test_sentence_names_its_source_if_there_are_several() -> None:
    assert narrate(Noticed(source=2, message="n"), several=True) == "source 2: note: n"
    assert narrate(Stopping(source=2, reason="r", aborting=True), several=True) == (
        "source 2: stopping (r): rolling back what is in flight"
    )
    assert narrate(Stopping(reason="r", aborting=True), several=True) == "stopping (r): rolling back what is in flight"
    assert narrate(IndexesCreated(source=2, count=0, seconds=0.0), several=True) is None
    started = ImportStarted(source=2, file="f", target="t", strategy="batched")
    assert narrate(started, several=True) == narrate(started) == "source 2: f into t"
