"""The command that repeats a run, as a person would type it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

import msgspec

from tui_importer.core.model.plan import Options, Plan, Source, Target
from tui_importer.core.model.plugin_values import value_text

#: Field of a plan -> the option that sets it. A flag takes no value.
_SOURCE = {name: f"--{name}" for name in ("sheet", "range", "reader", "limit", "encoding", "delimiter", "quote")}
_TARGET = {"table": "--table", "mode": "--mode"}
_OPTIONS = {
    name: f"--{name.replace('_', '-')}"
    for name in Options.__struct_fields__
    if name not in ("types", "skip", "schema", "plugin_options")
}


def command_of(plan: Plan, database: str, schema: str | None = None) -> str:
    """Return the plan as a shell command line, without a user interface.

    ``database`` is the address to show, without its password; ``schema`` is the value of ``--schema`` if the plan came
    from a file.
    """
    words = ["tui-importer", plan.source.file, "--db", database]
    words += _changed(plan.source, Source(file=plan.source.file), _SOURCE)
    if plan.source.header_row == 0:
        words.append("--no-header")
    elif plan.source.header_row is not None:
        words += ["--header-row", str(plan.source.header_row)]
    words += _changed(plan.target, Target(), _TARGET)
    if schema is not None or plan.options.schema != Options().schema:
        words += ["--schema", schema or plan.options.schema]
    for column, type_ in plan.options.types.items():
        words += ["--type", f"{column}={type_}"]
    for column in plan.options.skip:
        words += ["--skip", column]
    words += _changed(plan.options, Options(), _OPTIONS)
    for plugin, values in plan.options.plugin_options.items():
        for name, value in values.items():
            words += ["-o", f"{plugin}.{name}={value_text(value)}"]
    return shlex.join([*words, "--no-ui"])


def _changed(given: msgspec.Struct, default: msgspec.Struct, options: dict[str, str]) -> Iterator[str]:
    for name, option in options.items():
        value = getattr(given, name)
        if value == getattr(default, name):
            continue
        yield option
        if value is not True:
            yield f"{value:g}" if isinstance(value, float) else str(value)
