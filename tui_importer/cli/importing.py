"""``tui-importer [import] FILE...``"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from tui_importer.cli.dashboard import wants_dashboard
from tui_importer.cli.options import CountOrAuto, build_plan, check_report_path, source_options, target_options
from tui_importer.console.complaint import complain
from tui_importer.core.plan import checked
from tui_importer.errors import ExitCode, ImporterError, UsageError
from tui_importer.plugins.registry import Registry, load_registry
from tui_importer.process.early import open_early
from tui_importer.process.interpreter import prepare_to_import

if TYPE_CHECKING:
    from tui_importer.core.report import Report

SIGNAL_CODES = (ExitCode.SIGINT, ExitCode.SIGTERM)
#: Exit codes, the gravest first.
_GRAVITY = (*SIGNAL_CODES, *map(ExitCode, (1, 5, 2, 6, 4, 3, 0)))


@click.command("import", context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80})
@click.argument("files", nargs=-1, metavar="FILE...")
@source_options
@target_options
@click.option("--strategy", metavar="NAME", help="sequential, threaded, batched (default), async, or a plugin's.")
@click.option("--workers", type=CountOrAuto(), help="Connections that write side by side.")
@click.option("--batch-size", type=CountOrAuto(), help="Rows of a batch.")
@click.option("--max-rejects", metavar="N|P%", help="Stop when more rows than that are rejected.")
@click.option("--max-rate", type=click.FloatRange(0, min_open=True), metavar="ROWS/S", help="Spare a busy database.")
@click.option("--timeout", type=click.FloatRange(0, min_open=True), metavar="S", help="Stop after so many seconds.")
@click.option(
    "--retry-for",
    type=click.FloatRange(0),
    metavar="S",
    help="How long to try again what may pass by itself (default: 300).",
)
@click.option(
    "--stall-timeout",
    type=click.FloatRange(0),
    metavar="S",
    help="Give up a connection that says nothing for so long (default: 60; 0: never).",
)
@click.option("--again", is_flag=True, default=None, help="Import what is in already once more.")
@click.option("--atomic", is_flag=True, default=None, help="Show the rows all at once, or none of them.")
@click.option("--verify", is_flag=True, default=None, help="Compare checksums of source and table at the end.")
@click.option("--dry-run", is_flag=True, default=None, help="Read and check everything, write nothing.")
@click.option("--rejects", metavar="FILE", help="Workbook for rejected rows (default: NAME.rejects.xlsx).")
@click.option("--report", metavar="FILE|-", help="Write the report as JSON.")
@click.option("-y", "--yes", is_flag=True, help="Begin at once: no setup screen.")
@click.option("--no-ui", is_flag=True, help="Lines on stderr instead of a dashboard.")
@click.option("--plain", is_flag=True, help="One sentence per change, for screen readers and logs.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors.")
@click.option("-v", "--verbose", is_flag=True, help="Say every batch.")
@click.option("--log-format", type=click.Choice(["text", "json"]), help="json: one object a line on stderr.")
def command(files: tuple[str, ...], **given: Any) -> int:
    """Import spreadsheets into a database.

    FILE is a workbook (xlsx, xlsm, xlsb, xls, ods) or delimited text (csv, tsv).
    """
    if len(files) > 1 and given["rejects"]:
        raise UsageError("--rejects names one file: import the workbooks one by one, or leave it out")
    if given["report"]:
        check_report_path(given["report"])
    registry = load_registry()
    for warning in registry.warnings:
        complain(warning)
    if wants_dashboard(given):
        from tui_importer.cli.interactive import import_on_screen

        return worst([import_on_screen(file, given, registry) for file in files or (None,)])
    if not files:
        raise UsageError("name the files to import")
    reports: list[Report] = []
    for file in files:
        reports.append(_import(file, given, registry))
        if reports[-1].exit_code in SIGNAL_CODES:
            break
    if given["report"]:
        from tui_importer.process.reports import write_report, write_reports

        if len(files) == 1:
            write_report(given["report"], reports[0])
        else:
            write_reports(given["report"], reports)
    return worst([report.exit_code for report in reports])


def _import(file: str, given: dict[str, Any], registry: Registry) -> Report:
    try:
        return _run(file, given, registry)
    except ImporterError as error:  # before there was a run
        complain(str(error))
        from tui_importer.core.reporting import never_begun

        return never_begun(file, given["strategy"], error)


def _run(file: str, given: dict[str, Any], registry: Registry) -> Report:
    prepare_to_import()
    plan = checked(build_plan(file, given))
    opening = open_early(plan, registry)
    # The file is parsed while the rest of the program is being imported, which takes a fifth of a second.
    from tui_importer.cli.running import import_file

    return import_file(plan, given, registry, opening)


def worst(codes: Sequence[int]) -> int:
    """The exit code of several files: that of a signal, else of the gravest failure, else of rejects."""
    return min((int(code) for code in codes), key=_GRAVITY.index, default=0)
