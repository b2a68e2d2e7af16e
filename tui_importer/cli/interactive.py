"""An import in front of somebody: set up on a screen, begun as a process of its own, watched."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tui_importer.api import target_address
from tui_importer.cli.dashboard import say_ending, show, show_run
from tui_importer.cli.options import build_plan
from tui_importer.console.command import command_of
from tui_importer.console.complaint import complain
from tui_importer.core.plan import Plan, checked
from tui_importer.errors import ImporterError
from tui_importer.plugins.registry import Registry
from tui_importer.process.messages import ImportRequest
from tui_importer.tui.opening import begun


def import_on_screen(file: str, given: Mapping[str, Any], registry: Registry) -> int:
    """Import one file on the dashboard; gives the exit code of its run, or 0 where it goes on without us."""
    try:
        plan = checked(build_plan(file, given))
        registry.strategy(plan.options.strategy)
        target_address(plan)
    except ImporterError as error:
        complain(str(error))
        return int(error.exit_code)
    ending = show_run(begun(request_for(plan, given)))
    return say_ending(ending)


def request_for(plan: Plan, given: Mapping[str, Any]) -> ImportRequest:
    """What the run's process is told. Paths are made whole: it may be asked about from another folder."""
    return ImportRequest(
        plan=plan,
        command=command_of(plan, target_address(plan).display),
        rejects_file=None if given["rejects"] is None else str(Path(given["rejects"]).absolute()),
        report_file=None if given["report"] in (None, "-") else str(Path(given["report"]).absolute()),
    )
