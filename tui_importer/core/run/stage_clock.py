"""The clock of an import: which stage the engine's thread was in, and what its loading was bound by."""

from __future__ import annotations

import time
from collections import defaultdict

from tui_importer.core.model.counters import ReaderCounters
from tui_importer.core.model.stage_seconds import STAGES, StageSeconds
from tui_importer.core.run.account import Totals

#: Loading is divided by what the reading thread and the workers did meanwhile.
LOADING = "loading"


class StageClock:
    """Divides the time of the engine's thread. Used by that thread alone."""

    def __init__(self) -> None:
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._since = time.perf_counter()

    def start(self) -> None:
        """The import begins."""
        self._since = time.perf_counter()

    def lap(self, stage: str, until: float | None = None) -> None:
        """The time since the latest call was spent in this stage; up to ``until`` (``time.perf_counter``) if given."""
        now = time.perf_counter() if until is None else max(until, self._since)
        self._seconds[stage] += now - self._since
        self._since = now

    def stages(self, reader: ReaderCounters, written: Totals, seconds: float) -> StageSeconds:
        """The stages of an import that took ``seconds``."""
        found = defaultdict(float, self._seconds)
        left = found.pop(LOADING, 0.0)
        for stage, taken in (
            ("parse", reader.parse_seconds),
            ("convert", reader.convert_seconds),
            ("encode", reader.encode_seconds),
            ("ledger", reader.claim_seconds),
            ("other", reader.held_seconds),
        ):
            taken = min(taken, left)
            found[stage] += taken
            left -= taken
        for stage, share in _shares(written):
            found[stage] += share * left
        known = sum(found[stage] for stage in STAGES)
        if known > seconds > 0:  # clocks that are read one after the other differ a little
            found = defaultdict(float, {stage: taken * seconds / known for stage, taken in found.items()})
        else:
            found["other"] += max(0.0, seconds - known)
        return StageSeconds(**{stage: round(found[stage], 6) for stage in STAGES})


def _shares(written: Totals) -> list[tuple[str, float]]:
    """What the workers did, as shares; without a batch, they have waited for the server."""
    if written.seconds <= 0:
        return [("server", 1.0)]
    send, ledger = (min(1.0, part / written.seconds) for part in (written.send_seconds, written.ledger_seconds))
    return [("send", send), ("ledger", min(ledger, 1 - send)), ("server", max(0.0, 1 - send - ledger))]
