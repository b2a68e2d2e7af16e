"""The command ``tui-importer bench FILE``."""

from __future__ import annotations

import itertools
import statistics
import sys
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
import msgspec

from tui_importer.api import Run
from tui_importer.cli.interruption import Interruption, interruptible
from tui_importer.cli.option_types import CountOrAuto
from tui_importer.cli.options import source_options, target_options
from tui_importer.cli.plan import build_plan
from tui_importer.cli.plugin_options import CommandWithPlugins
from tui_importer.console.lines import SafeStream
from tui_importer.console.print_error import print_error
from tui_importer.core.model.count_or_auto import AUTO
from tui_importer.core.model.json_text import encode_json
from tui_importer.core.model.plan import Plan
from tui_importer.core.model.report import Report
from tui_importer.core.planning.expansion import only_import
from tui_importer.core.run.peak_memory import reset_peak_memory
from tui_importer.core.writing.backend import ConnectionSettings
from tui_importer.errors import ExitCode, ImporterError
from tui_importer.plugins.choice import sheets_of, target_address
from tui_importer.plugins.registry import Registry, load_registry
from tui_importer.process.native_output import native_output_logged
from tui_importer.text.comparison import Setting, Timing, chart, recommend, table
from tui_importer.text.resources import time_line
from tui_importer.text.safe import encodable, visible

#: Prefix of the tables of a comparison, which are dropped when it ends.
TABLE_PREFIX = "tui_importer_bench"
#: Rows that are imported before the first measured run.
WARM_UP_ROWS = 100
#: What is compared with the fastest strategy, unless numbers are given.
WORKERS, BATCH_SIZES = (1, 2, 4), (1_000, 5_000, 10_000, 20_000)


@click.command(
    "bench", cls=CommandWithPlugins, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80}
)
@click.argument("file")
@source_options
@target_options
@click.option(
    "--strategy", "strategies", multiple=True, metavar="NAME", help="Compare only this strategy (repeatable)."
)
@click.option("--workers", multiple=True, type=CountOrAuto(), help="Compare this number of workers (repeatable).")
@click.option("--batch-size", multiple=True, type=CountOrAuto(), help="Compare this batch size (repeatable).")
@click.option(
    "--repeat", type=click.IntRange(1), default=1, show_default=True, help="Runs of each setting; the median counts."
)
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def command(
    file: str,
    *,
    strategies: tuple[str, ...],
    workers: tuple[int | str, ...],
    batch_size: tuple[int | str, ...],
    repeat: int,
    as_json: bool,
    **given: Any,
) -> int:
    """Compare strategies, workers and batch sizes on your own data and database.

    First the strategies, then numbers of workers and batch sizes with the fastest one
    (or those that are given); then comes a recommendation. Each imports the file into a
    table of its own, which is dropped again, also where a signal stops the comparison.
    Without --db, a temporary SQLite database is used. The peak memory is that of this
    process, which keeps some of earlier runs.
    """
    numbers = tuple(map(_number, workers)), tuple(map(_number, batch_size))
    given |= {"workers": None, "batch_size": None}
    with interruptible() as interruption:
        try:
            with native_output_logged():
                _compare(file, strategies, numbers, repeat, given, interruption, as_json=as_json)
        except ImporterError as error:
            if interruption.number is None:
                raise
            print_error(str(error))  # the exit code is the signal's, even if a table could not be dropped
    return interruption.exit_code


def _number(given: int | str) -> int | None:
    return None if given == AUTO else int(given)


def _compare(
    file: str,
    strategies: Sequence[str],
    numbers: tuple[Sequence[int | None], Sequence[int | None]],
    repeat: int,
    given: dict[str, Any],
    interruption: Interruption,
    *,
    as_json: bool,
) -> None:
    registry = load_registry()
    with tempfile.TemporaryDirectory(prefix="tui_importer-bench-") as folder:
        plan = only_import(build_plan([file], given, registry), lambda each: sheets_of(each, registry))
        # The comparison is about how rows are written: a dry run writes none, and a staging table would add a step.
        options = msgspec.structs.replace(plan.options, atomic=False, dry_run=False)
        plan = msgspec.structs.replace(plan, options=options)
        if plan.target.database is None:
            plan = _with_target(plan, database=str(Path(folder) / "bench.db"))
        names = [registry.strategy(name).name for name in strategies] or registry.strategy_names()
        bench = _Bench(plan, repeat, registry, Path(folder), interruption)
        with _new_file_removed(plan):
            workers, sizes = numbers
            bench.warm_up(names[-1])
            first = [
                Setting(strategy=name, workers=count, batch_size=rows)
                for name, count, rows in itertools.product(names, workers or (None,), sizes or (None,))
            ]
            timings = bench.time(first)
            if not workers and not sizes:
                timings += _tuned(bench, min(timings, key=lambda each: each.seconds))
    advice = recommend(timings, registry.strategy(plan.options.strategy).name)
    if as_json:
        shown = target_address(plan).display
        found = {"source": file, "target": shown, "timings": timings, "recommended": advice}
        click.echo(encode_json(found).decode())
        return
    encoding = getattr(sys.stdout, "encoding", None) or "ascii"
    click.echo(encodable(f"{visible(Path(file).name)} → {target_address(plan).display}", encoding))
    for line in (*table(timings), "", *chart(timings, ascii_only=encodable("█", encoding) != "█"), ""):
        click.echo(line)
    fastest = min(timings, key=lambda each: each.seconds)
    if fastest.stages is not None:
        click.echo(f"{fastest.name}: {time_line(fastest.stages)}")
    once = "" if repeat > 1 else " (measured once: --repeat 5 is surer)"
    click.echo(f"recommended: {advice.options or 'no options'}: {advice.reason}{once}")


def _tuned(bench: _Bench, fastest: Timing) -> list[Timing]:
    """Other batch sizes with the fastest strategy, and then other numbers of workers with the best of them."""
    strategy, rows = fastest.setting.strategy, fastest.rows
    sizes = [size for size in BATCH_SIZES if size != fastest.batch_size and size < rows] or [max(1, rows)]
    tried = bench.time([Setting(strategy=strategy, batch_size=size) for size in sizes])
    best = min([fastest, *tried], key=lambda each: each.seconds)
    # Where one worker is all that database or strategy allow, there is nothing to compare.
    if fastest.workers == 1:
        return tried
    counts = [count for count in WORKERS if count != fastest.workers]
    size = best.setting.batch_size
    return tried + bench.time([Setting(strategy=strategy, workers=count, batch_size=size) for count in counts])


@dataclass(frozen=True, slots=True)
class _Bench:
    """Runs settings, ``repeat`` times each."""

    plan: Plan
    repeat: int
    registry: Registry
    folder: Path
    interruption: Interruption

    def warm_up(self, strategy: str) -> None:
        """Import a few rows, so that the modules that the first run imports count for no setting."""
        source = msgspec.structs.replace(self.plan.source, limit=WARM_UP_ROWS)
        warm = replace(self, plan=msgspec.structs.replace(self.plan, source=source))
        warm._once(Setting(strategy=strategy))

    def time(self, settings: Sequence[Setting]) -> list[Timing]:
        """Run the settings in turns, so that other load on the machine affects all of them alike."""
        taken: dict[Setting, list[float]] = {setting: [] for setting in settings}
        memory: dict[Setting, list[int]] = {setting: [] for setting in settings}
        reports: dict[Setting, Report] = {}
        for turn in range(self.repeat):
            for setting in settings:
                self.interruption.check()
                if not turn:
                    SafeStream(sys.stderr).line(f"{setting.options.removeprefix('--strategy ')} ...")
                measurable = reset_peak_memory()
                reports[setting] = report = self._once(setting)
                taken[setting].append(report.stats.duration_seconds)
                if measurable and report.peak_memory is not None:
                    memory[setting].append(report.peak_memory)
        return [
            Timing(
                setting=setting,
                workers=report.workers,
                batch_size=report.batch_size,
                rows=report.stats.total_records,
                inserted=report.stats.inserted,
                rejected=report.stats.error_count,
                seconds=statistics.median(taken[setting]),
                peak_memory=max(memory[setting], default=None),
                stages=report.stages,
            )
            for setting, report in reports.items()
        ]

    def _once(self, setting: Setting) -> Report:
        with _scratch_table(self.plan, self.registry, self.interruption) as scratch:
            options = msgspec.structs.replace(
                scratch.options, strategy=setting.strategy, workers=setting.workers, batch_size=setting.batch_size
            )
            run = Run(
                msgspec.structs.replace(scratch, options=options),
                rejects_file=self.folder / f"{uuid.uuid4().hex}.xlsx",
                registry=self.registry,
            )
            report = self.interruption.carry_out(run)
        if report.exit_code not in (ExitCode.OK, ExitCode.REJECTS):
            failure = ImporterError(f"{setting.strategy}: {report.error}")
            failure.exit_code = ExitCode(report.exit_code)
            raise failure
        return report


@contextmanager
def _new_file_removed(plan: Plan) -> Iterator[None]:
    """Remove a database file that did not exist before."""
    file = target_address(plan).file
    path = None if file is None else Path(file)
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
