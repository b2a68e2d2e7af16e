"""The commands ``tui-importer attach`` and ``tui-importer replay``."""

from __future__ import annotations

import click

from tui_importer.console.terminals import on_a_terminal
from tui_importer.errors import ExitCode
from tui_importer.recording.recordings import Recording, find_recording, recordings_folder

_SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 80}


@click.command("attach", context_settings=_SETTINGS)
@click.argument("run", required=False)
@click.option("--no-ui", is_flag=True, help="Lines on stderr instead of a dashboard.")
def attach(*, run: str | None, no_ui: bool) -> int:
    """Show a run: live, wherever it was begun, or how it ended.

    RUN is its id or the beginning of one; without it, the latest that is alive.
    """
    return _show(find_recording(recordings_folder(), run), None, no_ui=no_ui)


@click.command("replay", context_settings=_SETTINGS)
@click.argument("run", required=False)
@click.option("--speed", type=click.FloatRange(0, min_open=True), default=1.0, show_default=True, help="Times as fast.")
@click.option("--no-ui", is_flag=True, help="Lines on stderr instead of a dashboard.")
def replay(*, run: str | None, speed: float, no_ui: bool) -> int:
    """Play a run again as it was. Leaving it early is not a failure."""
    recording = find_recording(recordings_folder(), run)
    try:
        return _show(recording, speed, no_ui=no_ui)
    except KeyboardInterrupt:
        return int(ExitCode.OK)


def _show(recording: Recording, speed: float | None, *, no_ui: bool) -> int:
    from tui_importer.cli.dashboard import default_sighup, print_result, show_run

    if no_ui or not on_a_terminal():
        from tui_importer.console.following import follow_in_lines

        with default_sighup():
            return follow_in_lines(recording, speed)
    from tui_importer.tui.open_run import attached, replayed

    return print_result(show_run(attached(recording) if speed is None else replayed(recording, speed)))
