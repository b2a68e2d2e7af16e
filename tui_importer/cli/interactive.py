"""Interactive imports: set up on a screen, run in a process of their own, and watched."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from tui_importer.cli.dashboard import print_result, show
from tui_importer.cli.plan import build_plan, plan_file_of
from tui_importer.console.print_error import print_error
from tui_importer.core.model.plan import Plan, checked
from tui_importer.core.model.standard_input import source_path
from tui_importer.errors import ImporterError
from tui_importer.plugins.choice import choose, options_of
from tui_importer.plugins.files import plugin_files
from tui_importer.plugins.registry import Registry
from tui_importer.process.messages import ImportRequest
from tui_importer.process.reports import write_report
from tui_importer.text.command import commands_of


def import_on_screen(plans: Sequence[Plan], asked: Sequence[Plan], given: Mapping[str, Any], registry: Registry) -> int:
    """Carry out the imports as one run on the dashboard, which asks for a file if there are none. Return the exit code
    of the run, or 0 if it continues in the background. ``asked`` are the plans without the tables that were chosen."""

    def named(plan: Plan) -> Plan:
        options = msgspec.structs.replace(plan.options, strategy=registry.strategy(plan.options.strategy).name)
        return msgspec.structs.replace(plan, options=options)

    try:
        for plan in plans:  # errors in the request are reported before the screen is taken over
            file = source_path(plan.source.file)
            if not file.is_file():
                registry.make_reader(registry.reader_for(file).name, plan.options.plugin_options).open(file)
    except ImporterError as error:
        print_error(str(error))
        return int(error.exit_code)
    from tui_importer.tui.importing import Importing

    chosen = [named(plan) for plan in plans]
    importing = Importing(
        registry.strategy_names(),
        lambda plans: _request_for(plans, [named(plan) for plan in asked] if [*plans] == chosen else plans, given),
        lambda plan: options_of(choose(plan, registry), registry),
        lambda file: named(checked(build_plan([file], given, registry))),
    )
    if plans:
        screen = importing.begin if given["yes"] else importing.set_up
        result = show(lambda glyphs: screen(chosen, glyphs))
    else:
        result = show(importing.pick)
    code = print_result(result)
    if given["report"] == "-" and result.report is not None:
        write_report("-", result.report)
    return code


def _request_for(plans: Sequence[Plan], asked: Sequence[Plan], given: Mapping[str, Any]) -> ImportRequest:
    """Return the request to the run's process; ``asked`` as for :func:`tui_importer.text.command.commands_of`."""
    return ImportRequest(
        plans=tuple(plans),
        command=commands_of(plans, plan_file_of(given), plugin_files(os.environ), asked),
        rejects_file=given["rejects"],
        report_file=None if given["report"] == "-" else given["report"],
    )
