"""The plan that a command line asks for: its options, over a plan file, over the environment and the defaults."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from tui_importer.core.model.count_or_auto import AUTO
from tui_importer.core.model.formats import GIVEN_FIELDS, formats_given
from tui_importer.core.model.patterns import pattern
from tui_importer.core.model.plan import Options, Plan, Source
from tui_importer.core.model.plan_file import load_plan
from tui_importer.core.model.plugin_values import merged
from tui_importer.core.model.standard_input import STANDARD_INPUT, source_path
from tui_importer.core.model.url import portable_address
from tui_importer.errors import UsageError
from tui_importer.plugins.registry import Registry

#: Environment variables for the database if ``--db`` is not given, in this order.
DATABASE_VARIABLES = ("TUI_IMPORTER_DB", "DATABASE_URL")
#: The executor of ``--jobs``.
SIDE_BY_SIDE = "processes"

_SHEET_NUMBER = pattern(r"[1-9][0-9]{0,8}", re.ASCII)

StructT = TypeVar("StructT", bound=msgspec.Struct)


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


def _typed(struct: StructT, **values: Any) -> StructT:
    """Return the struct with the values that were typed; None means not typed."""
    return msgspec.structs.replace(struct, **{name: value for name, value in values.items() if value is not None})
