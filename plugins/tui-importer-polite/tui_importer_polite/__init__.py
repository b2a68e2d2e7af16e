"""A strategy for a busy database: after each batch it rests for a multiple of the time that the batch took."""

from __future__ import annotations

import time
from typing import Annotated

import msgspec

from tui_importer import Job, StrategySpec, hookimpl


class PoliteOptions(msgspec.Struct, frozen=True):
    """The options of the strategy."""

    rest: Annotated[
        float, msgspec.Meta(ge=0, le=1000, description="How long to rest, as a multiple of the time of the last batch.")
    ] = 1.0


class Polite:
    """Writes batches with one worker, and rests after each of them."""

    max_workers: int | None = 1

    def __init__(self, options: PoliteOptions) -> None:
        self._rest = options.rest

    def run(self, job: Job) -> None:
        """Write all batches; a rest ends early if the run is stopped."""
        with job.writer() as writer:
            for batch in job.batches():
                started = time.monotonic()
                writer.write(batch)
                job.rest(self._rest * (time.monotonic() - started))


@hookimpl
def tui_importer_strategies() -> list[StrategySpec]:
    """The strategies of this plugin."""
    return [StrategySpec("polite", "one worker that rests as long as it works", Polite, options=PoliteOptions)]
