"""The command ``tui-importer [import] FILE...``."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tui_importer.cli.checks import check_files, check_report_path, files_in_folders
from tui_importer.cli.dashboard import wants_dashboard
from tui_importer.cli.main import COMMANDS
from tui_importer.cli.options import source_options, target_options
from tui_importer.cli.plan import build_plan
from tui_importer.cli.plugin_options import CommandWithPlugins
from tui_importer.cli.run_options import run_options
from tui_importer.console.print_error import print_error
from tui_importer.core.model.plan import Plan, checked, database_of
from tui_importer.core.model.scripts import read_scripts
from tui_importer.core.model.standard_input import STANDARD_INPUT, source_path
from tui_importer.core.model.url import parse_address
from tui_importer.errors import ExitCode, ImporterError, UsageError
from tui_importer.plugins.choice import choose, imports_of
from tui_importer.plugins.registry import Registry, load_registry
from tui_importer.plugins.tables import with_shared_tables
from tui_importer.process.interpreter import prepare_to_import
from tui_importer.process.native_output import native_output_logged
from tui_importer.process.prefetch import open_early
from tui_importer.rejects.paths import check_default_place, check_reject_path
from tui_importer.text.safe import visible

if TYPE_CHECKING:
    from tui_importer.core.model.report import Report


@click.command(
    "import", cls=CommandWithPlugins, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80}
)
@click.argument("files", nargs=-1, metavar="FILE...")
@source_options
@target_options
@run_options
@click.option("--again", is_flag=True, default=None, help="Import again what is in already.")
@click.option("--dry-run", is_flag=True, default=None, help="Read and check everything, write nothing.")
@click.option("--ddl", is_flag=True, help="Print the statements that make the table, and touch nothing.")
@click.option("--rejects", metavar="FILE", help="Workbook for rejected rows (default: NAME.rejects.xlsx).")
@click.option("--report", metavar="FILE|-", help="Write the report as JSON.")
@click.option("-y", "--yes", is_flag=True, help="Begin at once: no setup screen and no question.")
@click.option("--no-ui", is_flag=True, help="Lines on stderr instead of a dashboard.")
@click.option("--plain", is_flag=True, help="One sentence per change, for screen readers and logs.")
@click.option("-q", "--quiet", is_flag=True, help="Show only errors.")
@click.option("-v", "--verbose", is_flag=True, help="Show every batch and choice, and where the time went.")
@click.option("--log-format", type=click.Choice(["text", "json"]), help="json: one object a line on stderr.")
def command(files: tuple[str, ...], **given: Any) -> int:
    """Import spreadsheets into a database.

    FILE is a workbook (xlsx, xlsm, xlsb, xls, ods) or delimited text (csv, tsv); - is standard input.
    """
    registry = load_registry()
    for warning in registry.warnings:
        print_error(warning)
    dashboard = wants_dashboard(given) and not given["ddl"] and STANDARD_INPUT not in files  # keys come from there
    if not files and not dashboard:
        raise UsageError("name the files to import")
    report_file: str | None = given["report"]
    if report_file:
        check_report_path(report_file, [*files, given["rejects"], given["schema"]])
    try:
        asked = check_request(files, given, registry)
        plans = with_shared_tables(asked, registry)
    except UsageError as error:
        if report_file:
            _report_refused(report_file, files, given["strategy"], error)
        raise
    if report_file:
        check_report_path(report_file, [parse_address(database_of(plan)).file for plan in plans])
    if given["ddl"]:
        return _print_definitions(plans, registry)
    if dashboard:
        from tui_importer.cli.interactive import import_on_screen

        return import_on_screen(plans if files else (), asked, given, registry)
    report = _import(plans, asked, given, registry)
    if report_file:
        _write_report(report_file, report)
    return report.exit_code


def check_request(files: Sequence[str], given: dict[str, Any], registry: Registry) -> tuple[Plan, ...]:
    """Find every file and check every option before the first import; return the plan of each import.

    Raises :class:`UsageError` for missing files and wrong options, so that nothing is half done.
    """
    if len(files) > 1 and given["rejects"]:
        raise UsageError("--rejects names one file: import the workbooks one by one, or leave it out")
    files = files_in_folders(files, registry)
    check_files(files, COMMANDS)
    plan = checked(build_plan(files or ["anything.xlsx"], given, registry))
    plans = imports_of([plan], registry) if files else (plan,)
    for plan in plans:
        choose(plan, registry)
        read_scripts(plan.options.before, plan.options.after)
    registry.executor(plans[0].options.executor)
    if len(plans) > 1 and given["rejects"]:
        raise UsageError("--rejects names one file: import the sheets one by one, or leave it out")
    if given["rejects"]:
        check_reject_path(Path(given["rejects"]), source_path(plans[0].source.file))
    elif not given["dry_run"]:
        check_default_place()
    return plans


def _print_definitions(plans: Sequence[Plan], registry: Registry) -> int:
    """Print the statements that make or change the tables of these imports."""
    from tui_importer.inspection import table_definitions

    for found in table_definitions(plans, registry=registry):
        click.echo(f"-- {visible(found.source)} into table {visible(found.table)}")
        for statement in found.statements:
            lines = statement.expandtabs(4).split("\n")
            click.echo("\n".join(map(visible, lines)) + ";")
        if not found.statements:
            click.echo("-- the table is there, with all columns")
    return ExitCode.OK


def _report_refused(where: str, files: Sequence[str], strategy: str | None, error: ImporterError) -> None:
    """Write the report of a refused run, so that the report of an earlier run is not mistaken for its own.

    An existing file that holds no report is left alone: it may be something else, such as a database.
    """
    path = Path(where)
    if where != "-" and path.exists():
        if not path.is_file():
            return
        with path.open("rb") as file:
            if file.read(1) not in (b"", b"{"):
                return
    _write_report(where, _refused(files, strategy, error))


def _refused(files: Sequence[str], strategy: str | None, error: ImporterError) -> Report:
    """The report of a run that was refused before it began."""
    from tui_importer.core.run.reporting import never_begun
    from tui_importer.core.run.set_report import report_of_set

    reports = [never_begun(file, strategy, error) for file in files]
    return report_of_set("", reports, None, dt.datetime.now(dt.UTC), 0.0)


def _write_report(where: str, report: Report) -> None:
    from tui_importer.process.reports import write_report

    write_report(where, report)


def _import(plans: Sequence[Plan], asked: Sequence[Plan], given: dict[str, Any], registry: Registry) -> Report:
    prepare_to_import()
    try:
        with native_output_logged():
            opening = open_early(plans[0], registry)
            # The file is parsed while the rest of the program is imported, which takes a fifth of a second.
            from tui_importer.cli.running import import_files

            return import_files(plans, asked, given, registry, opening)
    except ImporterError as error:  # before there was a run
        print_error(str(error))
        return _refused([plan.source.file for plan in plans], given["strategy"], error)
