"""The options a client may set for its run: fields of the plan and options of plugins, within the server's limits, and
never a path or a URL."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from tui_importer.core.model.count_or_auto import AUTO, parse_count
from tui_importer.core.model.formats import GIVEN_FIELDS, formats_given, parse_value_of_column
from tui_importer.core.model.patterns import pattern
from tui_importer.core.model.plan import Plan, Totals, UnknownCells, checked
from tui_importer.core.model.plugin_values import PluginValue, merged
from tui_importer.core.planning.expansion import names_several
from tui_importer.core.scheduling.worker_count import MAX_WORKERS
from tui_importer.errors import PlanError, UsageError
from tui_importer.plugins.options import OptionSet, PluginOption, ValueKind
from tui_importer.plugins.registry import Registry
from tui_importer.server.http_error import HttpError
from tui_importer.server.settings import Settings

#: The name of a strategy, within the limits for names of plugins.
_Name = Annotated[str, Meta(min_length=1, max_length=60)]
_Text = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
_Rows = Annotated[int, Meta(ge=1, le=2_000_000_000)]


#: Values for all columns or for one, ``[COLUMN=]VALUE``; the parameter may be repeated.
_FormatValues = Annotated[tuple[_Text, ...], Meta(max_length=100)]


class UploadOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The query of an upload request: fields of the plan's ``source``, ``options`` and formats (each value for all
    columns, or ``COLUMN=VALUE`` for one; ``round_column`` is a column); ``method`` is the strategy.
    ``header_row`` is a sheet row (from 1), 0 for none. In the query, each of the ``plugin_options`` is a parameter of
    its own, ``PLUGIN.OPTION``."""

    method: Annotated[_Name, Meta(description="The strategy.")] | UnsetType = UNSET
    sheet: (
        Annotated[_Text, Meta(description="Name or number of the sheet; the first one with a table by default.")]
        | UnsetType
    ) = UNSET
    range: Annotated[str, Meta(pattern=r"^[A-Za-z]{1,3}[1-9][0-9]{0,6}:[A-Za-z]{1,3}[1-9][0-9]{0,6}$")] | UnsetType = (
        UNSET
    )
    header_row: Annotated[int, Meta(ge=0, le=1_048_576)] | UnsetType = UNSET
    limit: _Rows | UnsetType = UNSET
    encoding: _Text | UnsetType = UNSET
    delimiter: Annotated[str, Meta(min_length=1, max_length=9)] | UnsetType = UNSET
    quote: Annotated[str, Meta(min_length=1, max_length=6)] | UnsetType = UNSET
    totals: Totals | UnsetType = UNSET
    workers: Annotated[int, Meta(ge=1, le=MAX_WORKERS)] | Literal["auto"] | UnsetType = UNSET
    batch_size: Annotated[int, Meta(ge=1, le=100_000)] | Literal["auto"] | UnsetType = UNSET
    error_cells: UnknownCells | UnsetType = UNSET
    uncalculated: UnknownCells | UnsetType = UNSET
    date_format: _FormatValues | UnsetType = UNSET
    decimal_mark: _FormatValues | UnsetType = UNSET
    null_if: _FormatValues | UnsetType = UNSET
    true_words: _FormatValues | UnsetType = UNSET
    false_words: _FormatValues | UnsetType = UNSET
    round: bool | UnsetType = UNSET
    round_column: _FormatValues | UnsetType = UNSET
    max_rejects: Annotated[str, Meta(pattern=r"^([0-9]{1,9}|(100|[0-9]{1,2})(\.[0-9]{1,6})?%)$")] | UnsetType = UNSET
    max_rate: Annotated[float, Meta(ge=0.1, le=1e9)] | UnsetType = UNSET
    timeout: Annotated[float, Meta(ge=0.1, le=1e6)] | UnsetType = UNSET
    again: bool | UnsetType = UNSET
    atomic: bool | UnsetType = UNSET
    verify: bool | UnsetType = UNSET
    dry_run: bool | UnsetType = UNSET
    plugin_options: dict[str, dict[str, PluginValue]] | UnsetType = UNSET


#: The parameters of a query that are fields of :class:`UploadOptions`.
FIELDS = tuple(name for name in UploadOptions.__struct_fields__ if name != "plugin_options")

#: The parameters that may be repeated.
_REPEATED = (*GIVEN_FIELDS, "round_column")

_SOURCE = ("sheet", "range", "header_row", "limit", "encoding", "delimiter", "quote", "totals")

_INTEGER = pattern(r"-?[0-9]{1,18}", re.ASCII)
_NUMBER = pattern(r"-?[0-9]{1,18}(\.[0-9]{1,18})?([eE][+-]?[0-9]{1,3})?", re.ASCII)
_BOOLEANS = {"true": True, "false": False}


def _integer(text: str) -> int | str:
    return int(text) if _INTEGER.fullmatch(text) else text


def _number(text: str) -> float | str:
    return float(text) if _NUMBER.fullmatch(text) else text


def _count(name: str, text: str) -> int | str:
    try:
        return parse_count(text) or AUTO
    except PlanError as error:
        raise HttpError(400, f"{name}: {error}") from error


def _boolean(text: str) -> bool | str:
    return _BOOLEANS.get(text, text)


#: Parsers of the fields' texts; a text that cannot be parsed stays text, and the type check refuses it.
_READ: dict[str, Callable[[str], Any]] = {
    **dict.fromkeys(("header_row", "limit"), _integer),
    **{name: partial(_count, name) for name in ("workers", "batch_size")},
    **dict.fromkeys(("max_rate", "timeout"), _number),
    **dict.fromkeys(("again", "atomic", "verify", "dry_run", "round"), _boolean),
}
#: The same for options of plugins, by the kind of their values; a text is the value itself.
_OF_KIND: dict[ValueKind, Callable[[str], Any]] = {
    ValueKind.INTEGER: _integer,
    ValueKind.NUMBER: _number,
    ValueKind.BOOLEAN: _boolean,
}


def read_choices(query: Iterable[tuple[str, str]], settings: Settings, registry: Registry) -> UploadOptions:
    """Parse the options of a query. Raises :class:`HttpError` (400) for the first that is not valid."""
    values: dict[str, Any] = {}
    seen: set[str] = set()
    of_plugins = {option.key: option for plugin in registry.options for option in client_options(plugin)}
    for name, text in query:
        if name in _REPEATED:
            values.setdefault(name, []).append(text)
            continue
        if name in seen:
            raise HttpError(400, f"{name} is given twice")
        seen.add(name)
        if name in of_plugins:
            option = of_plugins[name]
            values.setdefault("plugin_options", {}).setdefault(option.plugin, {})[option.name] = _value(option, text)
        elif name in FIELDS:
            values[name] = _READ.get(name, str)(text)
        else:
            raise HttpError(400, f"unknown option {name!r}: known are {', '.join([*FIELDS, *of_plugins])}")
    try:
        options = msgspec.convert(values, UploadOptions)
    except msgspec.ValidationError as error:
        sentence, _, place = str(error).partition(" - at `$.")
        raise HttpError(400, f"{place.rstrip('`')}: {sentence[:1].lower()}{sentence[1:]}") from error
    try:
        if options.method is not UNSET:
            registry.strategy(options.method)
        if isinstance(options.workers, int) and options.workers > settings.max_workers:
            raise UsageError(f"workers must be {settings.max_workers} or fewer here")
        registry.options.check(plan_of(options, settings, "upload.csv").options.plugin_options)
    except UsageError as error:
        raise HttpError(400, str(error)) from error
    return options


def client_options(plugin: OptionSet) -> list[PluginOption]:
    """The options of a plugin that a client may set: those of readers and strategies, except texts, which could be
    paths or URLs. Anything about the database is the server's to choose."""
    if plugin.kind not in ("reader", "strategy"):
        return []
    return [option for option in plugin.options if option.kind is not ValueKind.TEXT]


def _value(option: PluginOption, text: str) -> PluginValue:
    read = _OF_KIND.get(option.kind, str)
    try:
        return option.check(read(text))
    except UsageError as error:
        raise HttpError(400, str(error)) from error


def plan_of(options: UploadOptions, settings: Settings, file: str) -> Plan:
    """Return the plan of an upload stored as ``file``. Raises :class:`UsageError` if it is not valid."""
    chosen = {name: value for name, value in msgspec.structs.asdict(options).items() if value is not UNSET}
    if "method" in chosen:
        chosen["strategy"] = chosen.pop("method")
    if chosen.get("sheet", "").isdecimal():
        chosen["sheet"] = int(chosen["sheet"])
    if settings.run_timeout is not None:
        chosen["timeout"] = min(chosen.get("timeout", settings.run_timeout), settings.run_timeout)
    if names_several(chosen.get("sheet")):
        raise UsageError(f"sheet: an upload is one sheet, and {chosen['sheet']!r} may name several")
    formats = formats_given(settings.plan.formats, _given_formats(chosen))
    source = {name: chosen.pop(name) for name in _SOURCE if name in chosen}
    plan = settings.plan
    chosen["plugin_options"] = merged(plan.options.plugin_options, chosen.get("plugin_options", {}))
    return checked(
        msgspec.structs.replace(
            plan,
            source=msgspec.structs.replace(plan.source, file=file, **source),
            options=msgspec.structs.replace(plan.options, **chosen),
            formats=formats,
        )
    )


def _given_formats(chosen: dict[str, Any]) -> list[tuple[str, str | None, object]]:
    """Take the formats out of the chosen options: field, column and value."""
    given: list[tuple[str, str | None, object]] = [
        (field, *parse_value_of_column(text)) for field in GIVEN_FIELDS for text in chosen.pop(field, ())
    ]
    given += [("round", column, True) for column in chosen.pop("round_column", ())]
    if chosen.pop("round", False):
        given.append(("round", None, True))
    return given


def known_suffix(registry: Registry, name: str) -> str:
    """Return the suffix of a file name that a reader opens. Raises :class:`HttpError` (400), naming the known ones."""
    suffix = Path(name).suffix.lower()
    try:
        registry.reader_for(Path(f"upload{suffix}"))
    except UsageError as error:
        raise HttpError(400, str(error).removesuffix(" (or --reader)").replace(f"upload{suffix}: ", "")) from error
    return suffix
