"""The command ``tui-importer rejects RUN``."""

from __future__ import annotations

from pathlib import Path

import click

from tui_importer.core.run.run_id import source_of
from tui_importer.recording.recordings import find_recording, recordings_folder
from tui_importer.text.numbers import plural
from tui_importer.text.safe import visible


@click.command("rejects", context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80})
@click.argument("run", required=False)
@click.option("-o", "--output", metavar="FILE", help="Where to (default: NAME.rejects.xlsx).")
def command(*, run: str | None, output: str | None) -> None:
    """Write the rejected rows of a run as a workbook to mend and give back.

    RUN is its id or the beginning of one; without it, the latest run. Of a run of several files, RUN.2 is
    the second.
    """
    from tui_importer.rejects.rebuilt import write_rejects_of

    recording = find_recording(recordings_folder(), run)
    source = None if run is None else source_of(run)
    path, count = write_rejects_of(recording, None if output is None else Path(output), source)
    click.echo(f"{plural(count, 'row')} written to {visible(str(path))}", err=True)
