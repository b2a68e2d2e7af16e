"""The cost of the ledger: whole imports of 100,000 business rows with it, in pairs with imports without one.

``python -m benchmarks.ledger [--rows N] [--pairs N]``. The import without a ledger is this program with its ledger
replaced: sessions hold no claim, and the run is not recorded. The result is the median of the pairs' ratios; the budget
is 1.05.
"""

from __future__ import annotations

import argparse
import dataclasses
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from benchmarks.measuring import fresh
from benchmarks.server import postgres
from tests.support.business_data import business_rows, write_workbook
from tui_importer import BackendSpec, ConnectionSettings, Destination, Options, Plan, Run, Source, Target
from tui_importer.core.writing.ledger import Claim, Counts, NewRun, ResumePoint
from tui_importer.plugins.registry import Owner, load_registry

STRATEGIES = ("batched", "sequential")


class NoLedger:
    """A ledger that knows and keeps nothing."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return lambda *args, **kwargs: ()

    def begin(self, run: NewRun) -> ResumePoint:
        return ResumePoint(Claim(run.import_id, 1, run.run_id))

    def counts(self, *args: object) -> Counts:
        return Counts()


class WithoutLedger:
    """PostgreSQL, written to without a claim."""

    def __init__(self, settings: ConnectionSettings) -> None:
        from tui_importer.backends.postgresql.backend import PostgreSQL

        self._inner = PostgreSQL(dataclasses.replace(settings, url=settings.url.replace("bare:", "postgresql:")))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def ledger(self, schema: str | None) -> NoLedger:
        return NoLedger()

    def open_session(self, destination: Destination) -> Any:
        return self._inner.open_session(replace(destination, claim=None))


def import_once(file: str, url: str, strategy: str) -> None:
    """Run one import, in a process of its own."""
    registry = load_registry()
    spec = BackendSpec("bare", "", WithoutLedger, schemes=("bare",))
    registry.add(object(), Owner("benchmark", "benchmark", ""), {"backend": partial(list, [spec])})
    plan = Plan(
        source=Source(file=file),
        target=Target(database=url, table="businesses"),
        options=Options(strategy=strategy),
    )
    report = Run(plan, registry=registry).execute()
    if report.outcome != "complete":
        sys.exit(report.error)


def timed(file: Path, url: str, strategy: str) -> float:
    """Return the seconds of a whole process, without a table or ledger of the import before."""
    fresh(url.replace("bare:", "postgresql:"), plain=True, indexed=False)
    started = time.perf_counter()
    subprocess.run([sys.executable, "-m", "benchmarks.ledger", "--once", str(file), url, strategy], check=True)
    return time.perf_counter() - started


def main() -> None:
    """Run the pairs and print their medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--pairs", type=int, default=9)
    parser.add_argument("--strategy", choices=STRATEGIES, default="batched")
    parser.add_argument("--once", nargs=3, metavar=("FILE", "URL", "STRATEGY"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.once:
        import_once(*options.once)
        return
    with tempfile.TemporaryDirectory() as folder, postgres() as url:
        file = Path(folder) / "businesses.xlsx"
        write_workbook(file, business_rows(options.rows))
        ways = {"with": url, "without": url.replace("postgresql:", "bare:")}
        taken: dict[str, list[float]] = {name: [] for name in ways}
        for number in range(options.pairs + 1):
            for name in ("with", "without") if number % 2 else ("without", "with"):
                seconds = timed(file, ways[name], options.strategy)
                if number:  # the first pair is a warm-up
                    taken[name].append(seconds)
    ratios = [with_ / without for with_, without in zip(taken["with"], taken["without"], strict=True)]
    print(f"{options.rows:,} rows, {options.strategy}, plain table, medians of {options.pairs} pairs")
    for name, results in taken.items():
        print(f"  {name:<7} the ledger  {statistics.median(results):.2f} s")
    print(f"  ratio {statistics.median(ratios):.3f} (from {min(ratios):.3f} to {max(ratios):.3f})")


if __name__ == "__main__":
    main()
