"""The command ``tui-importer inspect FILE``."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click
import msgspec

from tui_importer.cli.checks import check_files
from tui_importer.cli.main import COMMANDS
from tui_importer.cli.options import source_options, target_options
from tui_importer.cli.plan import build_plan
from tui_importer.cli.plugin_options import CommandWithPlugins
from tui_importer.core.model.files import check_new_file
from tui_importer.core.model.plan_file import save_plan
from tui_importer.errors import UsageError
from tui_importer.inspection import Inspection, inspect_source
from tui_importer.plugins.registry import load_registry
from tui_importer.process.native_output import native_output_logged
from tui_importer.text.safe import encodable, shortened, visible

#: Maximum characters of a header or of evidence in the table, so that most tables fit a terminal.
_MAX_CELL = 60


@click.command(
    "inspect", cls=CommandWithPlugins, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80}
)
@click.argument("file")
@source_options
@target_options
@click.option("--save", metavar="plan.toml", help="Save the plan, to be changed by hand and given to --schema.")
@click.option("--any-sheet", is_flag=True, help="Save it without the sheet's name, for files whose sheets differ.")
@click.option("--force", is_flag=True, help="Replace a plan file with other contents.")
def command(file: str, *, save: str | None, any_sheet: bool, force: bool, **given: Any) -> None:
    """Show sheets, columns, types and findings before anything is written.

    With --db, the table that is there already is taken into account.
    """
    if save is None and (any_sheet or force):
        raise UsageError(f"{'--any-sheet' if any_sheet else '--force'} says how to --save the plan: say where, too")
    if save is not None and not os.path.exists(save):
        check_new_file(Path(save), "the plan")
    check_files([file], COMMANDS)
    registry = load_registry()
    plan = build_plan([file], given, registry)
    with native_output_logged():
        inspection = inspect_source(plan, ask_database=given["db"] is not None, registry=registry)
    if save is not None:
        plan = inspection.plan
        if any_sheet:
            plan = msgspec.structs.replace(plan, source=msgspec.structs.replace(plan.source, sheet=None))
        save_plan(plan, Path(save), replace=force)
    for line in _lines(inspection):
        click.echo(encodable(line, getattr(sys.stdout, "encoding", None)))
    if save is not None:
        click.echo(f"plan saved in {visible(save)}", err=True)


def _lines(found: Inspection) -> list[str]:
    plan = found.plan
    lines = [f"{visible(Path(plan.source.file).name)} (reader: {found.reader})", "", "sheets:"]
    for number, sheet in enumerate(found.sheets, start=1):
        chosen = "*" if sheet.name == plan.source.sheet else " "
        lines.append(f" {chosen} {number}  {visible(sheet.name)}{'  (hidden)' if sheet.hidden else ''}")
    header = f"header in row {found.layout.header_row}" if found.layout.header_row else "no header"
    rows = "" if found.rows is None else f", {found.rows:,} rows"
    heading = f"table {visible(plan.target.table or '')} from {visible(str(plan.source.sheet))}"
    lines += ["", f"{heading}: {header}{rows}", ""]
    table = [("", "HEADER", "COLUMN", "TYPE", "BECAUSE")]
    table += [
        (
            column.letter,
            shortened(column.source, _MAX_CELL),
            column.target,
            f"{column.type}{' not null' if column.required else ''}",
            shortened(found.evidence.get(column.letter, ""), _MAX_CELL),
        )
        for column in plan.columns or ()
    ]
    widths = [max(map(len, cells)) for cells in zip(*table, strict=True)]
    lines += ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in table]
    if found.notes:
        lines += ["", "findings:", *(f"  {visible(note)}" for note in found.notes)]
    return lines
