"""The command that repeats a run, as a person would type it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from tui_importer.core.model.formats import GIVEN_FIELDS, Formats
from tui_importer.core.model.plan import Options, Plan, Source, Target, database_of
from tui_importer.core.model.plugin_values import value_text
from tui_importer.core.model.undecodable_names import escaped
from tui_importer.core.model.url import parse_address

#: Field of a plan -> the option that sets it. A flag takes no value.
_SOURCE = {
    name: f"--{name}" for name in ("sheet", "range", "reader", "limit", "encoding", "delimiter", "quote", "totals")
}
_TARGET = {"table": "--table", "mode": "--mode", "on_conflict": "--on-conflict"}
_OPTIONS = {
    name: f"--{name.replace('_', '-')}"
    for name in Options.__struct_fields__
    if name not in ("types", "skip", "rename", "set", "schema", "plugin_options")
}


def command_of(plan: Plan, database: str, schema: str | None = None) -> str:
    """Return the plan as a shell command line, without a user interface.

    ``database`` is the address to show, without its password; ``schema`` is the value of ``--schema`` if the plan came
    from a file.
    """
    return _joined(["tui-importer", plan.source.file, "--db", database, *_words(plan, schema)])


def commands_of(
    plans: Sequence[Plan],
    schema: str | None = None,
    plugin_files: Sequence[Path] = (),
    asked: Sequence[Plan] | None = None,
) -> tuple[str, ...]:
    """Return the command line that repeats a run, and after it that of each of its imports; ``schema`` is as for
    :func:`command_of`, ``plugin_files`` are the plugins that are files. ``asked`` are the plans without the tables that
    were chosen for the run, and will be chosen again.

    The run's is one command if the imports differ in their file alone, else one for each, with semicolons between them.
    """
    asked = plans if asked is None else asked
    plugins = "".join(f" --plugin {_joined([str(file)])}" for file in plugin_files)
    each = [command_of(plan, parse_address(database_of(plan)).display, schema) + plugins for plan in plans]
    alike = all(_alike(plan, asked[0]) for plan in asked)
    return (_command_of_files(asked, schema) + plugins if alike else "; ".join(each), *each)


def _alike(plan: Plan, other: Plan) -> bool:
    """Whether two plans differ in the file of their source alone."""
    source = msgspec.structs.replace(plan.source, file=other.source.file)
    return msgspec.structs.replace(plan, source=source) == other


def _command_of_files(plans: Sequence[Plan], schema: str | None) -> str:
    words = ["tui-importer", *(plan.source.file for plan in plans)]
    database = plans[0].target.database
    if database is not None or len(plans) == 1:
        words += ["--db", parse_address(database_of(plans[0])).display]
    return _joined([*words, *_words(plans[0], schema)])


def _joined(words: Sequence[str]) -> str:
    r"""The words for a shell; one whose bytes are not text as ``$'caf\xe9.toml'`` (POSIX.1-2024, 2.2.4)."""
    return " ".join(shlex.quote(word) if escaped(word) == word else f"$'{_backslashed(word)}'" for word in words)


def _backslashed(word: str) -> str:
    return escaped(word.replace("\\", r"\\").replace("'", r"\'"))


def _words(plan: Plan, schema: str | None) -> list[str]:
    """The options of a plan except its database."""
    words: list[str] = []
    words += _changed(plan.source, Source(file=plan.source.file), _SOURCE)
    if plan.source.header_row == 0:
        words.append("--no-header")
    elif plan.source.header_row is not None:
        words += ["--header-row", str(plan.source.header_row)]
    words += _changed(plan.target, Target(), _TARGET)
    words += [f"--key={column}" for column in plan.target.key]
    words += [f"--update={column}" for column in plan.target.update]
    if schema is not None or plan.options.schema != Options().schema:
        words += ["--schema", schema or plan.options.schema]
    for column, type_ in plan.options.types.items():
        words += ["--type", f"{column}={type_}"]
    for column in plan.options.skip:
        words += ["--skip", column]
    words += [f"--rename={header}={target}" for header, target in plan.options.rename.items()]
    words += [f"--set={column}={value}" for column, value in plan.options.set.items()]
    words += _formats(plan.formats)
    words += _changed(plan.options, Options(), _OPTIONS)
    for plugin, values in plan.options.plugin_options.items():
        for name, value in values.items():
            words += ["-o", f"{plugin}.{name}={value_text(value)}"]
    return [*words, "--no-ui"]


def _formats(formats: Formats) -> Iterator[str]:
    for column, format_ in ((None, formats.all), *formats.columns.items()):
        for name, several in GIVEN_FIELDS.items():
            value = getattr(format_, name)
            for each in value if several else filter(None, [value]):
                # Without a column, an equals sign in the value would end the column's name.
                prefix = f"{column}=" if column is not None else "=" if "=" in each else ""
                yield f"--{name.replace('_', '-')}={prefix}{each}"
        if format_.round:
            yield "--round" if column is None else f"--round-column={column}"


def _changed(given: msgspec.Struct, default: msgspec.Struct, options: dict[str, str]) -> Iterator[str]:
    for name, option in options.items():
        value = getattr(given, name)
        if value == getattr(default, name):
            continue
        yield option
        if value is not True:
            yield f"{value:g}" if isinstance(value, float) else str(value)
