"""A strategy that leaves a busy database half of its time: after each batch it rests as long as the batch took."""

from __future__ import annotations

import time

from tui_importer import Job, StrategySpec, hookimpl


class Polite:
    """One worker, whole batches, and a rest after each of them."""

    max_workers: int | None = 1

    def run(self, job: Job) -> None:
        """Write all batches; a rest ends early when the run is being stopped."""
        with job.writer() as writer:
            for batch in job.batches():
                started = time.monotonic()
                writer.write(batch)
                job.rest(time.monotonic() - started)


@hookimpl
def tui_importer_strategies() -> list[StrategySpec]:
    """What this plugin brings."""
    return [StrategySpec("polite", "one worker that rests as long as it works", Polite)]
