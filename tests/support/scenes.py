"""Recordings of runs that never were: for pictures, for tests of the dashboard, and to measure it on long ones.

A scene is told like a run tells itself, in lines; :func:`write` makes a recording of it, :class:`Stage` shows it to a
screen without one.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from msgspec.structs import replace

from tui_importer.core.model.counters import Phase, Snapshot, SourceSnapshot, WorkerSnapshot, WorkerState
from tui_importer.core.model.report import (
    Outcome,
    ReasonGroup,
    Report,
    ReportedColumn,
    SourceReport,
    Stats,
    TargetReport,
    reported,
    to_json,
)
from tui_importer.core.model.stage_seconds import STAGES, StageSeconds
from tui_importer.events import (
    AnyEvent,
    BatchCommitted,
    Fault,
    ImportEvent,
    ImportStarted,
    IndexesCreated,
    LoadingStarted,
    Noticed,
    Paused,
    ReadingStarted,
    Reject,
    Retrying,
    RowRejected,
    RunFinished,
    RunStarted,
    SourceOpened,
    Stopping,
    TableCreated,
    Unpaused,
    WorkerFailed,
    WorkerFinished,
    WorkerStarted,
)
from tui_importer.recording.lines import Line, event_line, groups_line, progress_line
from tui_importer.recording.recordings import COMMAND_FILE, EVENTS_FILE, REPORT_FILE, Recording

RUN_ID = "20261124-201500-0c0ffee"
#: When every scene begins.
BEGAN = dt.datetime(2026, 11, 24, 20, 15, tzinfo=dt.UTC).timestamp()
HEADERS = ("Name", "Category", "Phone", "Email", "Address", "City", "Country", "Website", "Description")
COMMAND = "tui-importer directory.xlsx --db postgresql://shop@db.example/shop --workers 4 --no-ui"
ROWS = 100_000

_REASONS = (
    ("Name", "A", "value required but blank", None),
    ("Phone", "C", "error cell #N/A", "#N/A"),
    ("Email", "D", "duplicate key value violates unique constraint", "info@twice.example"),
    ("Description", "I", "formula was never calculated: open the file in a spreadsheet", "=VLOOKUP(A9,x,2)"),
)


def reject(number: int, reason: int | None = None) -> Reject:
    """A rejected row; every value of it is made up."""
    column, letter, why, value = _REASONS[number % len(_REASONS) if reason is None else reason]
    row = 43 + 997 * number
    fault = Fault(
        cell=f"Sheet1!{letter}{row}",
        column=column,
        value=value,
        reason=why,
        sqlstate="23505" if column == "Email" else None,
    )
    return Reject(sheet="Sheet1", row=row, faults=(fault,), values=(f"Row {row}", *[None] * 8))


def groups(rejects: Sequence[Reject]) -> tuple[ReasonGroup, ...]:
    """What a recorder says of the rejects so far."""
    from tui_importer.core.model.reject_groups import RejectGroups

    counted = RejectGroups()
    for each in rejects:
        counted.add(each)
    return tuple(counted.take())


@dataclass
class Scene:
    """A run in the making: each method lets a little time pass and says what happened in it."""

    workers: int = 4
    rows: int = ROWS
    pace: float = 9_000.0
    lines: list[Line] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    at: float = BEGAN
    written: float = 0.0
    ended: bool = False
    report: Report | None = None
    dry_run: bool = False

    def say(self, event: AnyEvent) -> Scene:
        """Something happened."""
        self.lines.append(Line(self.at, event))
        return self

    def begin(self) -> Scene:
        """The run begins, and reads."""
        self.say(
            RunStarted(
                run_id=RUN_ID,
                file="directory.xlsx",
                target="postgresql://db.example/shop",
                strategy="batched",
                dry_run=self.dry_run,
            )
        )
        self.say(ReadingStarted(file="directory.xlsx", reader="calamine", bytes=8_240_570))
        return self.count(Phase.OPENING, ())

    def load(self) -> Scene:
        """The file is open, and the workers begin."""
        self.at += 0.8
        self.say(SourceOpened(sheet="Sheet1", header_row=1, columns=9, rows=self.rows, seconds=0.78))
        self.say(Noticed(message="the header is that of schema 'businesses': its table and types are used"))
        self.say(TableCreated(table="businesses"))
        self.say(
            LoadingStarted(
                table="businesses", strategy="batched", workers=self.workers, batch_size=2_000, headers=HEADERS
            )
        )
        for number in range(1, self.workers + 1):
            self.say(WorkerStarted(worker=number))
        return self.count(Phase.READING, [WorkerState.IDLE] * self.workers)

    def go(self, seconds: float, rejects: int = 0, queue: int = 6, pace: float | None = None) -> Scene:
        """Rows are written for so many seconds, and some are rejected."""
        steps = max(1, round(seconds / 0.25))
        for step in range(steps):
            self.at += 0.25
            wave = 1 + 0.16 * math.sin(self.at * 0.9) + 0.09 * math.sin(self.at * 3.1)
            self.written = min(self.rows, self.written + (self.pace if pace is None else pace) * wave * 0.25)
            if step * rejects // steps < (step + 1) * rejects // steps:
                one = reject(len(self.rejects))
                self.rejects.append(one)
                self.say(RowRejected(worker=1, reject=one))
                self.lines.append(Line(self.at, groups(self.rejects)))
            if step % 2 == 0:
                last = int(self.written)
                self.say(
                    BatchCommitted(
                        worker=1 + step // 2 % self.workers,
                        first_row=max(2, last - 2_000),
                        last_row=last,
                        inserted=2_000,
                        skipped=0,
                        rejected=0,
                        seconds=0.18,
                    )
                )
            states = [_STATES[(step + number) % len(_STATES)] for number in range(self.workers)]
            self.count(Phase.READING, states, queue=queue)
        return self

    def count(
        self,
        phase: Phase,
        states: Sequence[WorkerState],
        *,
        queue: int = 0,
        paused: bool = False,
        all_read: bool = False,
    ) -> Scene:
        """The counters are sampled."""
        done, rejected = int(self.written), len(self.rejects)
        share = [done // max(1, self.workers)] * self.workers
        if share:
            share[0] += done - sum(share)
        workers = tuple(
            WorkerSnapshot(
                worker=number,
                state=state,
                inserted=share[number - 1] - (rejected if number == 1 else 0),
                updated=0,
                skipped=0,
                rejected=rejected if number == 1 else 0,
                batches=share[number - 1] // 2_000,
                retries=0,
                busy_seconds=self.at - BEGAN,
                last_batch_seconds=0.18 + 0.01 * number,
                in_hand_first_row=done + 2 + 2_000 * number if _busy(state) else None,
                in_hand_last_row=done + 1 + 2_000 * (number + 1) if _busy(state) else None,
            )
            for number, state in enumerate(states, start=1)
        )
        self.lines.append(
            Line(
                self.at,
                Snapshot(
                    at=self.at,
                    read=self.rows
                    if all_read
                    else min(self.rows, done + 2_000 * (queue + len(workers)))
                    if done
                    else 0,
                    inserted=done - rejected,
                    rejected=rejected,
                    source_rows=self.rows if workers else None,
                    queue_depth=queue,
                    queue_size=8,
                    phase=phase,
                    all_read=all_read,
                    paused=paused,
                    workers_wanted=self.workers,
                    workers=workers,
                ),
            )
        )
        return self

    def second_of_three(self) -> Scene:
        """The second source of three is being imported, and was from the beginning."""
        for place, line in enumerate(self.lines):
            match line.what:
                case RunStarted():
                    self.lines[place] = replace(line, what=msgspec.structs.replace(line.what, sources=3))
                case ImportEvent():
                    self.lines[place] = replace(line, what=msgspec.structs.replace(line.what, source=2))
                case tuple():
                    self.lines[place] = replace(line, what=tuple(replace(group, source=2) for group in line.what))
                case Snapshot():
                    self.lines[place] = replace(line, what=_of_three(line.what))
        begun = ImportStarted(
            source=2, file="sales/february.xlsx", target="postgresql://db.example/shop", strategy="batched"
        )
        self.lines.insert(1, Line(self.lines[0].at, begun))
        return self

    def pause(self) -> Scene:
        """The run rests."""
        self.say(Paused())
        return self.count(Phase.READING, [WorkerState.IDLE] * self.workers, queue=8, paused=True)

    def go_on(self) -> Scene:
        """The run goes on."""
        return self.say(Unpaused())

    def retry(self, *, everybody: bool = False) -> Scene:
        """The database does not answer one worker, or none."""
        states = [
            WorkerState.RETRYING if everybody or number == 2 else WorkerState.WRITING for number in range(self.workers)
        ]
        for number, state in enumerate(states, start=1):
            if state is WorkerState.RETRYING:
                self.say(
                    Retrying(
                        worker=number,
                        first_row=int(self.written) + 2,
                        last_row=int(self.written) + 2_001,
                        attempt=2,
                        seconds=4.0,
                        error="server closed the connection unexpectedly",
                        sqlstate="57P01",
                    )
                )
        return self.count(Phase.READING, states, queue=8)

    def ask_to_stop(self, *, aborting: bool = False) -> Scene:
        """Somebody wants it to stop."""
        self.say(Stopping(reason="stopped on request", aborting=aborting))
        return self.count(Phase.READING, [WorkerState.WRITING] * self.workers, queue=8)

    def index(self) -> Scene:
        """All rows are in; indexes are made."""
        self.written = self.rows
        self.at += 0.25
        return self.count(Phase.INDEXING, [WorkerState.DONE] * self.workers, all_read=True)

    def fail(self) -> Scene:
        """A worker meets what does not pass."""
        why = "permission denied for table businesses"
        self.say(WorkerFailed(worker=2, first_row=40_002, last_row=42_001, error=why))
        states = [WorkerState.FAILED if number == 2 else WorkerState.DONE for number in range(1, self.workers + 1)]
        return self.count(Phase.STOPPING, states).end("failed", 1, f"worker 2, rows 40,002 to 42,001: {why}")

    def stop(self) -> Scene:
        """What was in flight is in: it ends."""
        return self.count(Phase.STOPPING, [WorkerState.DONE] * self.workers).end("stopped", 4, "stopped on request")

    def finish(self) -> Scene:
        """It ends well."""
        self.index()
        self.at += 0.4
        for number in range(1, self.workers + 1):
            self.say(WorkerFinished(worker=number))
        self.say(IndexesCreated(count=6, seconds=0.4))
        self.count(Phase.FINISHED, [WorkerState.DONE] * self.workers, all_read=True)
        return self.end("complete_with_rejects" if self.rejects else "complete", 3 if self.rejects else 0, None)

    def die(self) -> Scene:
        """Its process is killed."""
        self.ended = True
        return self

    def end(self, outcome: Outcome, code: int, error: str | None) -> Scene:
        """The run ends, with a report."""
        seconds, done, rejected = self.at - BEGAN, int(self.written), len(self.rejects)
        self.say(
            RunFinished(
                outcome=outcome,
                exit_code=code,
                read=done,
                inserted=done - rejected,
                updated=0,
                skipped=0,
                rejected=rejected,
                blank=0,
                seconds=seconds,
                dry_run=self.dry_run,
            )
        )
        self.ended = True
        self.report = Report(
            run_id=RUN_ID,
            dry_run=self.dry_run,
            outcome=outcome,
            exit_code=code,
            method="batched",
            workers=self.workers,
            batch_size=2_000,
            started_at="2026-11-24T20:15:00.000Z",
            finished_at="2026-11-24T20:15:20.000Z",
            source=SourceReport(file="directory.xlsx", sheet="Sheet1", reader="calamine", header_row=1),
            target=TargetReport(
                backend="postgresql", database="postgresql://db.example/shop", table="businesses", created=True
            ),
            stats=Stats.count(
                read=done,
                inserted=done - rejected,
                updated=0,
                skipped=0,
                rejected=rejected,
                blank=0,
                retries=0,
                seconds=seconds,
            ),
            stages=StageSeconds(**{stage: share * seconds for stage, share in zip(STAGES, _STAGE_SHARES, strict=True)}),
            peak_memory=143_200_000,
            columns=tuple(
                ReportedColumn(source=header, letter="ABCDEFGHI"[place], target=header.lower(), type="text")
                for place, header in enumerate(HEADERS)
            ),
            error=error,
            rejects=tuple(map(reported, self.rejects)),
            rejects_total=rejected,
            rejects_file="directory.rejects.xlsx" if rejected else None,
        )
        return self


_STAGE_SHARES = (0.05, 0.24, 0.08, 0.1, 0.06, 0.31, 0.04, 0.115, 0.005)
_STATES = (WorkerState.WRITING, WorkerState.WRITING, WorkerState.COMMITTING, WorkerState.IDLE)


def _of_three(counters: Snapshot) -> Snapshot:
    """The counters as those of the second of three sources, after 1,000 rows of the first."""
    first = SourceSnapshot(
        source=1,
        read=1_000,
        blank=0,
        inserted=1_000,
        updated=0,
        skipped=0,
        rejected=0,
        source_rows=1_000,
        phase=Phase.FINISHED,
        all_read=True,
    )
    same = ("read", "blank", "inserted", "updated", "skipped", "rejected", "source_rows", "phase", "all_read")
    second = SourceSnapshot(source=2, **{name: getattr(counters, name) for name in same})
    third = replace(first, source=3, read=0, inserted=0, source_rows=None, phase=Phase.WAITING, all_read=False)
    return replace(
        counters,
        read=counters.read + 1_000,
        inserted=counters.inserted + 1_000,
        source_rows=None,
        ended_rows=1_000,
        all_read=False,
        sources=(first, second, third),
        workers=tuple(replace(worker, source=2) for worker in counters.workers),
    )


def _busy(state: WorkerState) -> bool:
    return state not in (WorkerState.IDLE, WorkerState.DONE, WorkerState.CONNECTING)


class SceneFollower:
    """Shows a scene to a screen: all of it at once, at the moment at which it stands."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self._given = 0

    def poll(self) -> list[Line]:
        """What was said since the last call."""
        lines, self._given = self.scene.lines[self._given :], len(self.scene.lines)
        return [line for line in lines if not isinstance(line.what, RowRejected)]

    @property
    def ended(self) -> bool:
        """Whether the scene is over."""
        return self.scene.ended

    def report(self) -> Report | None:
        """The scene's report."""
        return self.scene.report

    def now(self) -> float:
        """The scene's time."""
        return self.scene.at

    def close(self) -> None:
        """Nothing to let go of."""


def write(scene: Scene, folder: Path) -> Recording:
    """Make a recording of the scene below a folder of recordings."""
    recording = Recording(folder / RUN_ID)
    recording.folder.mkdir(parents=True)
    recording.events_file.write_text("".join(f"{text(line)}\n" for line in scene.lines), encoding="ascii")
    (recording.folder / COMMAND_FILE).write_text(f"{COMMAND}\n")
    if scene.report is not None:
        (recording.folder / REPORT_FILE).write_bytes(to_json(scene.report))
    assert recording.events_file.name == EVENTS_FILE
    return recording


def text(line: Line) -> str:
    """The line as a recording has it."""
    moment = dt.datetime.fromtimestamp(line.at, dt.UTC)
    match line.what:
        case Snapshot():
            return progress_line(replace(line.what), 0.0, None, RUN_ID, moment)
        case tuple():
            return groups_line(line.what, RUN_ID, moment)
        case _:
            return event_line(line.what, RUN_ID, moment)
