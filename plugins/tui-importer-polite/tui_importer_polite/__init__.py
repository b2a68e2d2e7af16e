"""A strategy for a busy database: after each batch it rests for as long as the batch took."""

from __future__ import annotations

import time

from tui_importer import Job, StrategySpec, hookimpl


class Polite:
    """Writes batches with one worker, and rests after each of them."""

    max_workers: int | None = 1

    def run(self, job: Job) -> None:
        """Write all batches; a rest ends early if the run is stopped."""
        with job.writer() as writer:
            for batch in job.batches():
                started = time.monotonic()
                writer.write(batch)
                job.rest(time.monotonic() - started)


@hookimpl
def tui_importer_strategies() -> list[StrategySpec]:
    """The strategies of this plugin."""
    return [StrategySpec("polite", "one worker that rests as long as it works", Polite)]
