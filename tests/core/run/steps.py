"""One run into SQLite, taken step by step."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.core.source.test_reader import LinesReader
from tui_importer.backends.sqlite.backend import SQLite
from tui_importer.core.model.plan import Options, Plan, Source, Target
from tui_importer.core.model.report import ReasonGroup, Report
from tui_importer.core.model.url import parse_address
from tui_importer.core.model.write_mode import WriteKindWord
from tui_importer.core.run.context import Components, RunContext
from tui_importer.core.run.preparation import make_ready, wait_for_source
from tui_importer.core.run.stages import Ready
from tui_importer.core.run.target_database import TargetDatabase
from tui_importer.core.scheduling.batch_queue import BatchQueue
from tui_importer.core.scheduling.run_control import RunControl
from tui_importer.core.scheduling.strategy import Job
from tui_importer.core.source.opening import Opening
from tui_importer.events import AnyEvent, Noticed, Reject


class SingleWorker:
    """A strategy of one worker that writes batch by batch."""

    max_workers: int | None = 1

    def run(self, job: Job) -> None:
        with job.writer() as writer:
            for batch in job.batches():
                writer.write(batch)


class RejectList(list[Reject]):
    """Rejects in a list."""

    def add_many(self, rejects: Iterable[Reject]) -> None:
        self.extend(rejects)

    def first(self, number: int) -> list[Reject]:
        return self[:number]

    def by_reason(self) -> Sequence[ReasonGroup]:
        return ()

    def open(self) -> None: ...

    def save(self, report: Report, headers: tuple[str, ...]) -> Report:
        return report

    def close(self) -> None: ...


class Steps:
    """A run whose steps a test takes by itself. ``events`` are all that it emitted."""

    def __init__(
        self,
        folder: Path,
        run_id: str = "now",
        lines: Iterable[object] = range(50),
        strategy: Any = None,
        mode: WriteKindWord = "append",
        **options: Any,
    ) -> None:
        self.file, self.events = folder / "numbers.lines", list[AnyEvent]()
        self.file.write_text("n\n" + "".join(f"{line}\n" for line in lines))
        url = str(folder / "target.db")
        control = RunControl()
        self.context = RunContext(
            run_id=run_id,
            plan=Plan(
                source=Source(file=str(self.file)),
                target=Target(database=url, table="t", mode=mode),
                options=Options(**{"batch_size": 10, "retry_for": 0, **options}),
            ),
            components=Components(
                reader_name="lines",
                reader=LinesReader(),
                strategy_name="one by one",
                strategy=strategy or SingleWorker(),
                backend_name="sqlite",
                open_backend=SQLite,
                address=parse_address(url),
            ),
            rejects=RejectList(),
            command=None,
            control=control,
            emit=self.events.append,
            queue=BatchQueue(control),
        )

    @property
    def notes(self) -> list[str]:
        """The messages emitted."""
        return [event.message for event in self.events if isinstance(event, Noticed)]

    @contextmanager
    def database(self) -> Iterator[TargetDatabase]:
        """The connected database."""
        database = TargetDatabase(self.context)
        try:
            database.connect()
            yield database
        finally:
            database.close()

    @contextmanager
    def ready(self) -> Iterator[tuple[Ready, TargetDatabase]]:
        """The import as it is before any row is read."""
        opening = Opening(self.context.components.reader, self.context.plan.source)
        with self.database() as database, wait_for_source(self.context, opening) as source:
            yield make_ready(self.context, source, opening.sha256(), database), database
