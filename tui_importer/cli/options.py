"""Options that several commands share, and their conversion to a plan."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args

import click
import msgspec

from tui_importer.core.model.count_or_auto import AUTO, METAVAR, parse_count
from tui_importer.core.model.files import check_new_file
from tui_importer.core.model.formats import GIVEN_FIELDS, formats_given, parse_value_of_column
from tui_importer.core.model.plan import ExtraColumns, Options, Plan, Source, Totals, UnknownCells, load_plan
from tui_importer.core.model.plugin_values import merged
from tui_importer.core.model.standard_input import STANDARD_INPUT, source_path
from tui_importer.core.model.url import portable_address
from tui_importer.core.model.write_mode import OnConflict, WriteKind
from tui_importer.errors import PlanError, UsageError
from tui_importer.plugins.files import add_plugin_file
from tui_importer.plugins.registry import Registry, load_registry

Command = TypeVar("Command", bound=Callable[..., Any])

#: Environment variables for the database if ``--db`` is not given, in this order.
DATABASE_VARIABLES = ("TUI_IMPORTER_DB", "DATABASE_URL")


_SHEET_NUMBER = re.compile(r"[1-9][0-9]{0,8}", re.ASCII)


class CountOrAuto(click.ParamType):  # type: ignore[type-arg]  # older versions of click have no argument here
    """A whole number from 1, or ``auto``, which also overrides the number of a plan file."""

    name = METAVAR

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | str:
        try:
            return parse_count(str(value)) or AUTO
        except PlanError as error:
            self.fail(str(error), param, ctx)


class Number(click.FloatRange):
    """A number within limits; NaN and infinity are refused."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number: float = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a number", param, ctx)
        return number


class ColumnType(click.ParamType):  # type: ignore[type-arg]
    """``COLUMN=TYPE``."""

    name = "COLUMN=TYPE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        column, equals, type_ = str(value).rpartition("=")
        if not (equals and column and type_):
            self.fail(f"{value!r} is not COLUMN=TYPE", param, ctx)
        return column, type_


class NewName(click.ParamType):  # type: ignore[type-arg]
    """``A=b``: a header and a target."""

    name = "A=b"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        header, equals, target = str(value).rpartition("=")
        if not (equals and header and target):
            self.fail(f"{value!r} is not A=b, a header and the name of a column", param, ctx)
        return header, target


class ValueToSet(click.ParamType):  # type: ignore[type-arg]
    """``COLUMN=VALUE``; without a value, NULL."""

    name = "COLUMN=VALUE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        column, equals, text = str(value).partition("=")
        if not (equals and column):
            self.fail(f"{value!r} is not COLUMN=VALUE", param, ctx)
        return column, text


class ValueOfColumn(click.ParamType):  # type: ignore[type-arg]
    """``[COLUMN=]VALUE``; a value with an equals sign in it is written ``=VALUE``."""

    name = "[COLUMN=]VALUE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str | None, str]:
        if isinstance(value, tuple):
            return value
        try:
            return parse_value_of_column(str(value))
        except PlanError as error:
            self.fail(str(error), param, ctx)


class PluginOptionText(click.ParamType):  # type: ignore[type-arg]
    """``PLUGIN.OPTION=VALUE``; which plugins and options there are is checked with the plan."""

    name = "PLUGIN.OPTION=VALUE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str, str]:
        key, equals, text = str(value).partition("=")
        plugin, dot, option = key.rpartition(".")
        if not (equals and dot and plugin and option):
            self.fail(f"{value!r} is not PLUGIN.OPTION=VALUE", param, ctx)
        return plugin, option, text


def plugin_file_option() -> click.Option:
    """The option for plugins that are files, which are known before all other options are read."""

    def add(ctx: click.Context, param: click.Parameter, files: Sequence[str]) -> Sequence[str]:
        for file in files:
            add_plugin_file(file, os.environ)
        return files

    return click.Option(
        ["--plugin", "plugin_files"],
        multiple=True,
        metavar="FILE.py",
        is_eager=True,
        expose_value=False,
        callback=add,
        help="Use the plugin in this file (again and again).",
    )


class CommandWithPlugins(click.Command):
    """A command that takes options of plugins, and lists those of all installed plugins in its help."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.params.append(plugin_file_option())
        self.params.append(
            click.Option(
                ["-o", "plugin_options"],
                type=PluginOptionText(),
                multiple=True,
                help='Set an option of a plugin; "tui-importer plugins" lists them all.',
            )
        )

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        super().format_options(ctx, formatter)
        rows = [
            (f"-o {option.key}={option.metavar}", option.description)
            for options in load_registry().options
            for option in options.options
        ]
        if rows:
            with formatter.section("Plugin options"):
                formatter.write_dl(rows)


def source_options(command: Command) -> Command:
    """Add the options that select rows of the file."""
    for option in reversed(
        (
            click.option(
                "--sheet",
                "sheets",
                multiple=True,
                metavar="NAME|N|GLOB|all",
                help="Sheet by name, number or pattern, or all of them (again and again; default: the first with a "
                "table).",
            ),
            click.option("--range", metavar="A5:F900", help="Part of the sheet, header included."),
            click.option("--header-row", type=click.IntRange(1), metavar="N", help="Sheet row of the header."),
            click.option("--no-header", is_flag=True, help="The sheet has no header."),
            click.option(
                "--totals", type=click.Choice(get_args(Totals)), help="Leave out a totals row (default), or import it."
            ),
            click.option("--reader", metavar="NAME", help="Reader plugin (default: by the file's suffix)."),
            click.option("--limit", type=click.IntRange(1), metavar="ROWS", help="Read so many rows at most."),
            click.option("--encoding", metavar="NAME", help="Encoding of delimited text that is not UTF-8 or UTF-16."),
            click.option("--delimiter", metavar="CHAR", help="Delimiter of delimited text, or a word: tab, semicolon."),
            click.option("--quote", metavar="CHAR", help="Quote of delimited text, or a word: double, single, none."),
        )
    ):
        command = option(command)
    return command


def target_options(command: Command) -> Command:
    """Add the options for the database and the mapping of columns."""
    for option in reversed(
        (
            click.option(
                "--db",
                metavar="URL",
                help="Database: a URL, libpq's host=... dbname=..., or a path for SQLite. Default: TUI_IMPORTER_DB, "
                "DATABASE_URL, else an SQLite file called like the source.",
            ),
            click.option(
                "--table",
                metavar="NAME",
                help="Target table, also with {file} and {sheet} (default: by schema or sheet, one for the same "
                "columns).",
            ),
            click.option(
                "--schema",
                metavar="auto|infer|NAME|plan.toml",
                help="Where columns and types come from (default: auto).",
            ),
            click.option("--type", "types", type=ColumnType(), multiple=True, help="Override a column's type."),
            click.option("--rename", type=NewName(), multiple=True, help="The target of a column, by its header."),
            click.option(
                "--set",
                "set_",
                type=ValueToSet(),
                multiple=True,
                help="Fill a further column with a value; {file}, {sheet}, {row} and {run} are where a row is from.",
            ),
            click.option(
                "--lineage",
                is_flag=True,
                default=None,
                help="Further columns with where a row is from: _file, _sheet, _row and _run.",
            ),
            click.option(
                "--extra-columns",
                type=click.Choice(get_args(ExtraColumns)),
                help="Columns that the table does not have: fail (default), leave them out, or add them to the table.",
            ),
            click.option("--skip", multiple=True, metavar="COLUMN", help="Leave a column out."),
            *(
                click.option(f"--{name.replace('_', '-')}", name, type=ValueOfColumn(), multiple=True, help=text)
                for name, text in _FORMAT_HELP.items()
            ),
            click.option("--round", "round_", is_flag=True, help="Round numbers with more decimals than their column."),
            click.option("--round-column", multiple=True, metavar="COLUMN", help="The same for one column."),
            click.option(
                "--error-cells",
                type=click.Choice(get_args(UnknownCells)),
                help="What becomes of cells like #N/A (default: reject the row).",
            ),
            click.option(
                "--uncalculated",
                type=click.Choice(get_args(UnknownCells)),
                help="What becomes of formulas without a value (default: reject the row).",
            ),
            click.option("--mode", type=click.Choice([kind.value for kind in WriteKind]), help=_modes_help()),
            click.option(
                "--key", multiple=True, metavar="COLUMN", help="Column that identifies a row (again and again)."
            ),
            click.option(
                "--on-conflict", type=click.Choice([each.value for each in OnConflict]), help=_conflicts_help()
            ),
            click.option(
                "--update",
                multiple=True,
                metavar="COLUMN",
                help="Column that an upsert updates (again and again; default: all but the key).",
            ),
            click.option(
                "--create-schema", is_flag=True, default=None, help="Create the schema of a new table if it is missing."
            ),
            click.option("--ledger-schema", metavar="NAME", help="PostgreSQL schema for the ledger's tables."),
            click.option(
                "--connect-timeout", type=click.FloatRange(0, min_open=True), metavar="S", help="Default: 10 s."
            ),
        )
    ):
        command = option(command)
    return command


#: What each field of a format that can be given does.
_FORMAT_HELP = {
    "date_format": "How dates are written: DD.MM.YYYY, %m/%d/%y, or an order: dmy.",
    "decimal_mark": "A point or a comma; all other marks in numbers are thousands.",
    "null_if": "A word that stands for NULL (again and again).",
    "true_words": "A word for true (again and again).",
    "false_words": "A word for false (again and again).",
}


def _modes_help() -> str:
    """What each write mode does."""
    return f"{'; '.join(f'{kind.value}: {kind.summary}' for kind in WriteKind)} (default: {WriteKind.APPEND})."


def _conflicts_help() -> str:
    """What happens to a row whose key is there already."""
    choices = "; ".join(f"{each.value}: {each.summary}" for each in OnConflict)
    return f"A row whose key is there already. {choices} (default: update for an upsert, skip with --key, else error)."


def build_plan(files: Sequence[str], given: Mapping[str, Any], registry: Registry) -> Plan:
    """Return the plan of these files: options override the plan file, which overrides the environment and the defaults.

    The registry knows the types of plugins' options. Raises :class:`tui_importer.errors.PlanError`.
    """
    plan_file = plan_file_of(given)
    plan = Plan(source=Source(file=files[0])) if plan_file is None else load_plan(Path(plan_file))
    plan = _for_mended(plan, files, given)
    sheets = given.get("sheets") or (None,)
    source, *further_sources = (_source(file, sheet, plan, given) for file in files for sheet in sheets)
    environment = database_in_environment(os.environ)
    typed = given.get("db")
    target = _typed(
        plan.target,
        # An empty address that was typed is an unset variable, and refused.
        database=_database(plan, environment) if typed is None else typed,
        table=given.get("table"),
        mode=given.get("mode"),
        key=given.get("key") or None,
        on_conflict=given.get("on_conflict"),
        update=given.get("update") or None,
    )
    apart = ("schema", "types", "skip", "rename", "set", "plugin_options")
    named = {name: given.get(name) for name in Options.__struct_fields__ if name not in apart}
    executor, jobs = _executor(given, plan.options)
    named["executor"] = executor
    options = _typed(
        plan.options,
        **named,
        schema=given.get("schema") if plan_file is None else None,
        types={**plan.options.types, **dict(given.get("types") or ())},
        skip=(*plan.options.skip, *(given.get("skip") or ())),
        rename={**plan.options.rename, **dict(given.get("rename") or ())},
        set={**plan.options.set, **dict(given.get("set_") or ())},
        plugin_options=merged(
            plan.options.plugin_options, registry.options.read([*(given.get("plugin_options") or ()), *jobs])
        ),
    )
    formats = formats_given(plan.formats, _given_formats(given))
    return msgspec.structs.replace(
        plan, source=source, further_sources=further_sources, target=target, options=options, formats=formats
    )


def _for_mended(plan: Plan, files: Sequence[str], given: Mapping[str, Any]) -> Plan:
    """The plan for a file of mended rejects: that of the run that rejected them. For any other file, the given plan.

    Raises :class:`UsageError` if the run is not recorded here, and no database is named.
    """
    from tui_importer.rejects.recognition import mended_run

    for file in files:
        run_id = None if file == STANDARD_INPUT else mended_run(source_path(file))
        if run_id is None:
            continue
        # Here, since few files come so far, and these modules would delay the opening of all others.
        from tui_importer.recording.recordings import recordings_folder
        from tui_importer.rejects.mended import check_alone, mended_source, recorded_plan

        check_alone(len(files), file)
        source = _source(file, None, plan, given)
        recorded = recorded_plan(source, run_id, recordings_folder())
        if recorded is not None:
            return recorded
        if not (given.get("db") or plan.target.database or database_in_environment(os.environ)):
            raise UsageError(
                f"{file}: run {run_id}, which rejected these rows, is not recorded here: name its database with --db "
                "and its table with --table"
            )
        return msgspec.structs.replace(plan, source=mended_source(source, run_id))
    return plan


def _database(plan: Plan, environment: str | None) -> str | None:
    """The database of the plan, or that of the environment if there is none. A recorded one has no password: the same
    in the environment may have."""
    planned = plan.target.database
    if plan.source.mends is not None and environment and portable_address(environment) == planned:
        return environment
    return planned or environment


def database_in_environment(environment: Mapping[str, str]) -> str | None:
    """The database that the environment names."""
    return next((value for name in DATABASE_VARIABLES if (value := environment.get(name))), None)


def _executor(given: Mapping[str, Any], planned: Options) -> tuple[str | None, list[tuple[str, str, str]]]:
    """The executor that was typed, and its option for ``--jobs``; without a name, the one that takes that option."""
    name: str | None = given.get("executor")
    jobs = given.get("jobs")
    if jobs is None:
        return name, []
    if name is None and planned.executor == Options().executor:
        name = SIDE_BY_SIDE
    return name, [(name or planned.executor, "jobs", "0" if jobs == AUTO else str(jobs))]


def _given_formats(given: Mapping[str, Any]) -> Iterator[tuple[str, str | None, object]]:
    """The formats that were typed: field, column and value."""
    for field in GIVEN_FIELDS:
        for column, value in given.get(field) or ():
            yield field, column, value
    if given.get("round_"):
        yield "round", None, True
    for column in given.get("round_column") or ():
        yield "round", column, True


def _source(file: str, sheet: str | None, plan: Plan, given: Mapping[str, Any]) -> Source:
    """The source of a file and the sheet that was typed, as described by the plan, which may name it, and by the
    options."""
    described = next((source for source in plan.sources if source.file == file), plan.source)
    return _typed(
        described,
        file=file,
        sheet=int(sheet) if sheet is not None and _SHEET_NUMBER.fullmatch(sheet) else sheet,
        range=given.get("range"),
        header_row=0 if given.get("no_header") else given.get("header_row"),
        reader=given.get("reader"),
        limit=given.get("limit"),
        encoding=given.get("encoding"),
        delimiter=given.get("delimiter"),
        quote=given.get("quote"),
        totals=given.get("totals"),
    )


def plan_file_of(given: Mapping[str, Any]) -> str | None:
    """Return the value of ``--schema`` if it is a plan file, else None."""
    schema: str | None = given.get("schema")
    return schema if schema is not None and schema.endswith(".toml") else None


def check_report_path(where: str, kept: Iterable[str | Path | None] = ()) -> None:
    """Check before the import that the report can be written (``-`` is stdout) without replacing a file that is to be
    ``kept``. Raises :class:`UsageError`."""
    path = Path(where)
    if where == "-":
        return
    if not path.exists() or path.is_dir():
        check_new_file(path, "the report")
    elif not os.access(path, os.W_OK):
        raise UsageError(f"{where}: the report cannot be written there")
    for file in kept:
        if file is not None and os.path.abspath(file) == os.path.abspath(path):
            raise UsageError(f"{where}: is named for something else already; name another file for the report")
        if file is not None and path.exists() and os.path.exists(file) and path.samefile(file):
            raise UsageError(f"{where}: the report would replace {file}; name another file for it")


#: The executor of ``--jobs``.
SIDE_BY_SIDE = "processes"

StructT = TypeVar("StructT", bound=msgspec.Struct)


def _typed(struct: StructT, **values: Any) -> StructT:
    """Return the struct with the values that were typed; None means not typed."""
    return msgspec.structs.replace(struct, **{name: value for name, value in values.items() if value is not None})
