"""The command ``tui-importer bench FILE``."""

from __future__ import annotations

import statistics
import sys
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import msgspec

from tui_importer.api import Run
from tui_importer.cli.interruption import Interruption, interruptible
from tui_importer.cli.options import CommandWithPlugins, CountOrAuto, build_plan, source_options, target_options
from tui_importer.console.lines import SafeStream
from tui_importer.console.print_error import print_error
from tui_importer.core.model.plan import Plan
from tui_importer.core.model.rates import rows_per_second
from tui_importer.core.model.url import sqlite_path
from tui_importer.core.planning.expansion import only_import
from tui_importer.core.writing.backend import ConnectionSettings
from tui_importer.errors import ExitCode, ImporterError
from tui_importer.plugins.choice import sheets_of, target_address
from tui_importer.plugins.registry import Registry, load_registry
from tui_importer.process.native_output import native_output_logged
from tui_importer.text.safe import visible

#: Prefix of the tables of a comparison, which are dropped when it ends.
TABLE_PREFIX = "tui_importer_bench"


class Timing(msgspec.Struct, frozen=True):
    """The result of one strategy: ``seconds`` is the median of its runs, from opening the file to the last index."""

    method: str
    workers: int
    rows: int
    inserted: int
    rejected: int
    seconds: float

    @property
    def rate(self) -> float:
        """Rows per second."""
        return rows_per_second(self.rows, self.seconds)


@click.command(
    "bench", cls=CommandWithPlugins, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80}
)
@click.argument("file")
@source_options
@target_options
@click.option("--strategy", "strategies", multiple=True, metavar="NAME", help="Only these (repeatable).")
@click.option("--workers", type=CountOrAuto(), help="Connections that write side by side.")
@click.option("--batch-size", type=CountOrAuto(), help="Rows of a batch.")
@click.option("--repeat", type=click.IntRange(1), default=1, show_default=True, help="Runs of each; medians count.")
def command(file: str, *, strategies: tuple[str, ...], repeat: int, **given: Any) -> int:
    """Compare every strategy on your own data and database, side by side.

    Each strategy imports the file into a table of its own, which is dropped again, also
    where a signal stops the comparison. Without --db, a temporary SQLite database is
    used.
    """
    with interruptible() as interruption:
        try:
            with native_output_logged():
                _compare(file, strategies, repeat, given, interruption)
        except ImporterError as error:
            if interruption.number is None:
                raise
            print_error(str(error))  # the exit code is the signal's, even if a table could not be dropped
    return interruption.exit_code


def _compare(
    file: str, strategies: Sequence[str], repeat: int, given: dict[str, Any], interruption: Interruption
) -> None:
    registry = load_registry()
    err = SafeStream(sys.stderr)
    with tempfile.TemporaryDirectory(prefix="tui_importer-bench-") as folder:
        plan = only_import(build_plan([file], given, registry), lambda each: sheets_of(each, registry))
        # The comparison is about how rows are written: a dry run writes none, and a staging table would add a step.
        options = msgspec.structs.replace(plan.options, atomic=False, dry_run=False)
        plan = msgspec.structs.replace(plan, options=options)
        if plan.target.database is None:
            plan = _with_target(plan, database=str(Path(folder) / "bench.db"))
        names = [registry.strategy(name).name for name in strategies] or registry.strategy_names()
        timings = []
        with _new_file_removed(plan):
            for name in names:
                interruption.check()
                err.line(f"{name} ...")
                timings.append(_time(plan, name, repeat, registry, Path(folder), interruption))
    click.echo(f"{visible(Path(file).name)} → {target_address(plan).display}")
    for line in comparison(timings):
        click.echo(line)


def comparison(timings: Sequence[Timing]) -> list[str]:
    """Return the timings as a table; speed-up and improvement are relative to the first one."""
    table = [("METHOD", "WORKERS", "TIME", "RECORDS/S", "SPEED-UP", "IMPROVEMENT", "IN", "REJECTED")]
    for timing in timings:
        ratio = timings[0].seconds / timing.seconds if timing.seconds else 0.0
        table.append(
            (
                timing.method,
                str(timing.workers),
                f"{timing.seconds:.2f} s",
                f"{timing.rate:,.0f}",
                f"{ratio:.1f}x",
                f"{1 - timing.seconds / timings[0].seconds:.1%}" if timing is not timings[0] else "-",
                f"{timing.inserted:,}",
                f"{timing.rejected:,}",
            )
        )
    widths = [max(map(len, cells)) for cells in zip(*table, strict=True)]
    return [
        "  ".join(
            [row[0].ljust(widths[0]), *(text.rjust(width) for text, width in zip(row[1:], widths[1:], strict=True))]
        )
        for row in table
    ]


def _time(
    plan: Plan, strategy: str, repeat: int, registry: Registry, folder: Path, interruption: Interruption
) -> Timing:
    seconds = []
    for _ in range(repeat):
        with _scratch_table(plan, registry, interruption) as scratch:
            options = msgspec.structs.replace(scratch.options, strategy=strategy)
            run = Run(
                msgspec.structs.replace(scratch, options=options),
                rejects_file=folder / f"{uuid.uuid4().hex}.xlsx",
                registry=registry,
            )
            report = interruption.carry_out(run)
        if report.exit_code not in (ExitCode.OK, ExitCode.REJECTS):
            failure = ImporterError(f"{strategy}: {report.error}")
            failure.exit_code = ExitCode(report.exit_code)
            raise failure
        seconds.append(report.stats.duration_seconds)
    stats = report.stats
    return Timing(
        method=strategy,
        workers=report.workers,
        rows=stats.total_records,
        inserted=stats.inserted,
        rejected=stats.error_count,
        seconds=statistics.median(seconds),
    )


@contextmanager
def _new_file_removed(plan: Plan) -> Iterator[None]:
    """Remove a database file that did not exist before."""
    address = target_address(plan)
    path = Path(sqlite_path(address)) if address.scheme == "sqlite" else None
    new = path is not None and not path.exists()
    try:
        yield
    finally:
        if path is not None and new:
            for suffix in ("", "-wal", "-shm", "-journal"):
                path.with_name(path.name + suffix).unlink(missing_ok=True)


@contextmanager
def _scratch_table(plan: Plan, registry: Registry, interruption: Interruption) -> Iterator[Plan]:
    """Yield the plan with a new table as its target, and drop the table at the end."""
    name = f"{TABLE_PREFIX}_{uuid.uuid4().hex[:12]}"
    address = target_address(plan)
    spec, values = registry.backend_for(address.scheme), plan.options.plugin_options
    interruption.left_behind = f"left at once: table {name} and its entries in the ledger may be left behind"
    try:
        yield _with_target(plan, table=name)
    finally:
        backend = registry.make_backend(spec.name, ConnectionSettings(address.text, "tui_importer/bench", 10.0), values)
        try:
            table = backend.catalog.reflect(name)
            if table is not None:
                backend.catalog.drop_table(table)
            backend.ledger(plan.options.ledger_schema).forget(name)
            interruption.left_behind = None
        except ImporterError as error:
            raise ImporterError(f"table {name} and its entries in the ledger may be left behind: {error}") from error
        finally:
            backend.close()


def _with_target(plan: Plan, **values: str) -> Plan:
    return msgspec.structs.replace(plan, target=msgspec.structs.replace(plan.target, **values))
