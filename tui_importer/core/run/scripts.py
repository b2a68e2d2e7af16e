"""When the scripts of an import are executed.

Rows that become visible together are moved between the two scripts, in one transaction. Otherwise the first script has
a transaction of its own before the first row, and the second one after the last. Each is executed once, however often
the import is resumed.
"""

from __future__ import annotations

from tui_importer.core.model.scripts import ScriptMoment, Scripts, read_scripts
from tui_importer.core.run.context import RunContext
from tui_importer.core.run.stages import PreparedImport


def scripts_of(context: RunContext) -> Scripts:
    """The scripts of the import. Raises :class:`~tui_importer.errors.PlanError` if one cannot be read."""
    return read_scripts(context.plan.options.before, context.plan.options.after)


def run_script(context: RunContext, prepared: PreparedImport, moment: ScriptMoment) -> None:
    """Execute a script by itself, unless it is executed where the rows become visible."""
    history, script = prepared.history, scripts_of(context).at(moment)
    if script is None:
        return
    if history is None:
        context.notice(f"the script of {moment.option} is not executed: nothing is written")
    elif prepared.stage_table is None and context.retried(lambda: history.run_script(moment, script)):
        context.notice(f"the script of {moment.option} was executed")
