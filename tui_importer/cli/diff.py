"""The command ``tui-importer diff FILE --key COLUMN``."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
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
from tui_importer.core.model.write_mode import OnConflict, WriteKind
from tui_importer.core.run.difference import ChangeKind, Difference, RowChange
from tui_importer.errors import UsageError
from tui_importer.inspection import compare_with_table
from tui_importer.plugins.registry import load_registry
from tui_importer.process.native_output import native_output_logged
from tui_importer.text.numbers import plural
from tui_importer.text.safe import encodable, shortened, visible

#: How many rows that differ are listed as text.
_SHOWN = 100
#: Maximum characters of a value in the list.
_MAX_VALUE = 40
#: Exit codes, as those of diff(1).
_SAME, _DIFFERENT = 0, 1

_MARKS = {ChangeKind.INSERT: "+", ChangeKind.UPDATE: "~", ChangeKind.MISSING: "-"}


@click.command(
    "diff", cls=CommandWithPlugins, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80}
)
@click.argument("file")
@source_options
@target_options
@click.option("--json", "as_json", is_flag=True, help="Every difference as JSON.")
@click.option("--output", metavar="FILE.xlsx", help="Every difference as a workbook.")
def command(file: str, *, as_json: bool, output: str | None, **given: Any) -> int:
    """Show what an upsert would insert and update, and what the sheet lacks.

    Nothing is written. Ends with 0 if nothing differs and with 1 if something does.
    """
    check_files([file], COMMANDS)
    workbook = None if output is None else Path(output)
    if workbook is not None:
        _check_output(workbook)
    registry = load_registry()
    plan = build_plan(
        [file], {**given, "mode": WriteKind.UPSERT.value, "on_conflict": OnConflict.UPDATE.value}, registry
    )
    with native_output_logged():
        found = compare_with_table(plan, registry=registry)
    if workbook is not None:
        from tui_importer.rejects.difference_workbook import write_difference_workbook  # it takes a while to import

        write_difference_workbook(workbook, found)
    if as_json:
        click.echo(msgspec.json.encode(found).decode())
    else:
        for line in _lines(found):
            click.echo(encodable(line, getattr(sys.stdout, "encoding", None)))
    return _DIFFERENT if found.changes or found.rejected else _SAME


def _check_output(path: Path) -> None:
    """Raises :class:`UsageError` for a path where no new workbook can be written."""
    if path.suffix.lower() != ".xlsx":
        raise UsageError(f"--output {path}: differences are written as an Excel workbook: its name has to end in .xlsx")
    check_new_file(path, "the differences")
    if os.path.lexists(path):
        raise UsageError(f"--output {path}: is there already: name another file")


def _lines(found: Difference) -> Iterator[str]:
    yield f"{visible(Path(found.source).name)} and table {visible(found.table)}"
    yield from map(_line, found.changes[:_SHOWN])
    if (more := len(found.changes) - _SHOWN) > 0:
        yield f"and {plural(more, 'row')} more (--json and --output list all)"
    yield (
        f"{found.inserted:,} to insert, {found.updated:,} to update, {found.unchanged:,} unchanged, "
        f"{found.missing:,} missing in the sheet"
    )
    if found.superseded:
        yield f"{plural(found.superseded, 'row')} superseded by a later one of the same key"
    if found.rejected:
        yield f"{plural(found.rejected, 'row')} cannot be converted and would be rejected"
    if found.not_compared:
        yield f"not compared: {', '.join(map(visible, found.not_compared))}"


def _line(change: RowChange) -> str:
    row = "" if change.row is None else f"row {change.row:,}  "
    key = ", ".join(f"{visible(name)}={_shown(value)}" for name, value in change.key.items())
    values = ", ".join(f"{visible(each.column)}: {_shown(each.old)} -> {_shown(each.new)}" for each in change.values)
    return f"{_MARKS[change.kind]} {row}{key}{f'  {values}' if values else ''}"


def _shown(value: str | None) -> str:
    return "NULL" if value is None else repr(shortened(value, _MAX_VALUE))
