"""Interactive imports: set up on a screen, run in a process of their own, and watched."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from tui_importer.api import target_address
from tui_importer.cli.dashboard import print_result, show
from tui_importer.cli.options import build_plan
from tui_importer.console.print_error import print_error
from tui_importer.core.model.plan import Plan, checked
from tui_importer.errors import ImporterError
from tui_importer.plugins.choice import choose, options_of
from tui_importer.plugins.registry import Registry
from tui_importer.process.messages import ImportRequest
from tui_importer.process.reports import write_report
from tui_importer.text.command import command_of


def import_on_screen(file: str | None, given: Mapping[str, Any], registry: Registry) -> int:
    """Import one file on the dashboard, which asks for the file if none is given. Return the exit code of its run, or 0
    if the run continues in the background."""

    def plan_for(file: str) -> Plan:
        plan = checked(build_plan([file], given, registry))
        options = msgspec.structs.replace(plan.options, strategy=registry.strategy(plan.options.strategy).name)
        return msgspec.structs.replace(plan, options=options)

    try:
        if file is not None:  # errors in the request are reported before the screen is taken over
            plan = plan_for(file)
            registry.backend_for(target_address(plan).scheme)
            if not Path(file).is_file():
                reader = registry.make_reader(registry.reader_for(Path(file)).name, plan.options.plugin_options)
                reader.open(Path(file))
    except ImporterError as error:
        print_error(str(error))
        return int(error.exit_code)
    from tui_importer.tui.importing import Importing

    importing = Importing(
        registry.strategy_names(),
        plan_for,
        lambda plan: _request_for(plan, given),
        lambda plan: options_of(choose(plan, registry), registry),
    )
    if file is None:
        result = show(importing.pick)
    else:
        screen = importing.begin if given["yes"] else importing.set_up
        result = show(lambda glyphs: screen(file, glyphs))
    code = print_result(result)
    if given["report"] == "-" and result.report is not None:
        write_report("-", result.report)
    return code


def _request_for(plan: Plan, given: Mapping[str, Any]) -> ImportRequest:
    """Return the request to the run's process."""
    schema = given.get("schema")
    return ImportRequest(
        plan=plan,
        command=command_of(plan, target_address(plan).display, schema if str(schema).endswith(".toml") else None),
        rejects_file=given["rejects"],
        report_file=None if given["report"] == "-" else given["report"],
    )
