"""The plan of an import.

A plan may leave open what the program can find out (columns, sheet, header row ...). The engine resolves it against the
source and the target. The resolved plan is itself a plan: it can be saved to a file
(:mod:`tui_importer.core.model.plan_file`), edited and used again.

A plan is validated when it is constructed: the annotations of its fields define the allowed values. Any other value,
from a program, the command line or a plan file, raises :class:`PlanError`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from msgspec import Meta

from tui_importer.core.model.cells import MAX_ROWS
from tui_importer.core.model.count_or_auto import CountOrAuto, convert_auto
from tui_importer.core.model.fields import check_encodable, convert_fields
from tui_importer.core.model.formats import NO_FORMATS, PLAIN, ColumnFormat, Formats, column_format
from tui_importer.core.model.plugin_values import PluginValue
from tui_importer.core.model.ranges import parse_range
from tui_importer.core.model.schemas import check_schema
from tui_importer.core.model.standard_input import source_path
from tui_importer.core.model.text_format import TextFormat, parse_delimiter, parse_encoding, parse_quote
from tui_importer.core.model.types import ColumnType
from tui_importer.core.model.undecodable_names import escaped
from tui_importer.core.model.url import parse_address, shown
from tui_importer.core.model.write_mode import OnConflict, OnConflictWord, WriteKind, WriteKindWord, WriteMode
from tui_importer.errors import PlanError, UsageError

#: The version of the plan file's format; increased when an older program could misread a newer file.
PLAN_VERSION = 1

#: More than a year: nobody waits longer, and the timers of every platform support it.
MAX_SECONDS = 4e7

#: What happens to error cells, and to formulas that were never calculated.
UnknownCells = Literal["reject", "null", "text"]
#: What happens to a totals row below the table.
Totals = Literal["skip", "keep"]
#: What happens to columns of the sheet that the table does not have.
ExtraColumns = Literal["fail", "ignore", "add"]
_Name = Annotated[str, Meta(min_length=1, description="a text that is not empty")]
_Count = Annotated[int, Meta(ge=1, le=sys.maxsize, description="a whole number from 1")]
_SheetNumber = Annotated[int, Meta(ge=1, le=sys.maxsize, description="a number from 1")]
_HeaderRow = Annotated[int, Meta(ge=0, le=MAX_ROWS, description=f"a sheet row from 1 to {MAX_ROWS:,}, or 0 for none")]
_Rate = Annotated[float, Meta(gt=0, le=sys.float_info.max, description="a number of rows per second above 0")]
_Seconds = Annotated[
    float, Meta(gt=0, lt=MAX_SECONDS, description=f"a number of seconds above 0 and below {MAX_SECONDS:.0e}")
]
_SecondsOrNone = Annotated[
    float, Meta(ge=0, lt=MAX_SECONDS, description=f"a number of seconds from 0 and below {MAX_SECONDS:.0e}")
]
_MaxRejects = Annotated[
    str,
    Meta(
        pattern=r"\A(?:[0-9]{1,9}|(?:100|[0-9]{1,2})(?:\.[0-9]{1,9})?%)\Z",
        description="a number of rows or a percentage like 5%",
    ),
]
_PluginOptions = Annotated[
    dict[_Name, dict[_Name, PluginValue]],
    Meta(description="a table of plugins, each with a table of its options (texts, numbers, true or false)"),
]
_SchemaName = Annotated[str, Meta(pattern=r"\S", description="the name of a schema")]

#: The number of workers for a database that is near: two keep it busy on the same two cores; more wait for each other.
WORKERS = 2


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A part of a plan. The constructor raises :class:`PlanError` naming the first invalid value."""

    def __post_init__(self) -> None:
        convert_fields(self)


class Source(_Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Where rows come from. ``header_row`` is a sheet row (from 1), 0 for none; ``range`` is like ``A5:F900``.

    A ``file`` whose name is not text is named with escapes (:mod:`tui_importer.core.model.undecodable_names`).
    ``totals`` says whether a totals row below the table is left out or imported. ``may_be_empty``: a sheet without
    cells is passed over, where it is an error otherwise. ``mends``: the rows are rejects of the import with this run id
    that come back mended (:mod:`tui_importer.core.model.mending`).

    ``encoding``, ``delimiter`` and ``quote`` say how delimited text is written, where the file does not tell
    (:mod:`tui_importer.core.model.text_format`).
    """

    file: _Name
    sheet: _Name | _SheetNumber | None = None
    range: str | None = None
    header_row: _HeaderRow | None = None
    reader: _Name | None = None
    limit: _Count | None = None
    encoding: str | None = None
    delimiter: str | None = None
    quote: str | None = None
    totals: Totals = "skip"
    may_be_empty: bool = False
    mends: _Name | None = None

    if TYPE_CHECKING:

        def __init__(
            self,
            *,
            file: str | os.PathLike[str],
            sheet: str | int | None = None,
            range: str | None = None,  # noqa: A002  # the field's name
            header_row: int | None = None,
            reader: str | None = None,
            limit: int | None = None,
            encoding: str | None = None,
            delimiter: str | None = None,
            quote: str | None = None,
            totals: Totals = "skip",
            may_be_empty: bool = False,
            mends: str | None = None,
        ) -> None: ...

    def __post_init__(self) -> None:
        super().__post_init__()
        msgspec.structs.force_setattr(self, "file", escaped(self.file))
        if self.range is not None:
            parse_range(self.range)
        text_format = self.text_format
        for name in ("encoding", "delimiter", "quote"):
            msgspec.structs.force_setattr(self, name, getattr(text_format, name))

    @property
    def text_format(self) -> TextFormat:
        """How the user says that delimited text is written. Raises :class:`PlanError` for an invalid value."""
        return TextFormat(
            encoding=None if self.encoding is None else parse_encoding(self.encoding),
            delimiter=None if self.delimiter is None else parse_delimiter(self.delimiter),
            quote=None if self.quote is None else parse_quote(self.quote),
        )


class Target(_Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Where rows go. ``database`` is a URL or a path; a saved plan never contains its password.

    A path whose name is not text becomes a URL (``sqlite:///caf%E9.db``). ``mode``, ``key``, ``on_conflict`` and
    ``update`` are the write mode
    (:class:`tui_importer.core.model.write_mode.WriteMode`); the columns are named as in the table or in the sheet.
    """

    database: str | None = None
    table: _Name | None = None
    mode: WriteKindWord = "append"
    key: tuple[_Name, ...] = ()
    on_conflict: OnConflictWord | None = None
    update: tuple[_Name, ...] = ()

    if TYPE_CHECKING:

        def __init__(
            self,
            *,
            database: str | os.PathLike[str] | None = None,
            table: str | None = None,
            mode: WriteKindWord = "append",
            key: Sequence[str] = (),
            on_conflict: OnConflictWord | None = None,
            update: Sequence[str] = (),
        ) -> None: ...

    def __post_init__(self) -> None:
        super().__post_init__()
        _ = self.write_mode  # raises PlanError for words that do not fit together
        if self.database is not None:
            try:
                address = parse_address(self.database)
            except UsageError as error:
                raise PlanError(str(error)) from None  # no chained exception: it may show a password
            if address.file is not None and escaped(self.database) != self.database:
                msgspec.structs.force_setattr(self, "database", address.display)

    @property
    def write_mode(self) -> WriteMode:
        """The write mode as a value."""
        on_conflict = None if self.on_conflict is None else OnConflict(self.on_conflict)
        return WriteMode(WriteKind(self.mode), self.key, on_conflict, self.update)

    def in_mode(self, mode: WriteMode) -> Target:
        """The same target, written in another mode."""
        words = {"mode": mode.kind.value, "on_conflict": mode.on_conflict.value}
        return msgspec.structs.replace(self, key=mode.key, update=mode.update, **words)

    def __repr__(self) -> str:
        fields = {name: getattr(self, name) for name in self.__struct_fields__}
        if self.database is not None:
            fields["database"] = shown(self.database)
        return f"Target({', '.join(f'{name}={value!r}' for name, value in fields.items())})"


class ColumnPlan(_Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """How one source column maps to a target column.

    ``source`` is its header, ``letter`` its sheet column, and ``target`` its name in the table. ``type`` is in the
    format of :meth:`tui_importer.core.model.types.ColumnType.parse`. ``format`` is how the column's texts are
    written, as its cells have proven.
    """

    source: str
    letter: str
    target: str
    type: str = "text"
    required: bool = False
    format: ColumnFormat = PLAIN

    def __post_init__(self) -> None:
        if isinstance(self.format, dict):  # from a plan file
            msgspec.structs.force_setattr(self, "format", column_format(self.format, "columns.format"))
        super().__post_init__()
        if self.format == PLAIN:  # the default is left out of plan files, and known by its identity
            msgspec.structs.force_setattr(self, "format", PLAIN)


#: The columns that say where a row comes from, and what fills them.
LINEAGE = {"_file": "{file}", "_sheet": "{sheet}", "_row": "{row}", "_run": "{run}"}


class Options(_Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """How an import is carried out. If ``workers`` or ``batch_size`` is None (``auto`` in a plan file), the program
    chooses. ``executor`` is the plugin that carries out several imports.

    ``rename`` is the target of columns by their headers. ``set`` are further columns of the target with the value that
    fills each of them, in which ``{file}``, ``{sheet}``, ``{row}`` and ``{run}`` are where a row comes from;
    ``lineage``: so are :data:`LINEAGE`. ``extra_columns`` is what happens to columns that the table does not have.
    ``error_cells`` is what happens to cells like ``#N/A``, ``uncalculated`` to formulas that were never calculated.
    ``max_rejects`` is ``"N"`` rows or ``"P%"`` of the completed rows. ``max_rate`` is in rows per second; all times are
    in seconds. ``retry_for`` is how long an operation is retried after a transient error (0: not at all).
    ``stall_timeout`` is the silence of a connection after which it is checked and, if lost, given up (0: never).
    ``create_schema``: create the schema of a new table if it is not there. ``before`` and ``after`` are files of SQL
    that are executed once, before the first row and after the last (:mod:`tui_importer.core.model.scripts`).
    ``comment`` is that of a table that is created. ``rejects_ok``: a run with rejected rows but no other problem exits
    with code 0. ``again``: import again what has already been imported. ``atomic``: all rows become visible in one
    commit or not at all. ``verify``: compare checksums of source and table at the end. ``plugin_options`` are the
    options of plugins, by plugin and option; the run checks that they exist.
    """

    strategy: _Name = "batched"
    executor: _Name = "sequential"
    workers: CountOrAuto = None
    batch_size: CountOrAuto = None
    schema: _Name = "auto"
    types: dict[str, str] = {}
    skip: tuple[str, ...] = ()
    rename: dict[_Name, _Name] = {}
    set: dict[_Name, str] = {}
    lineage: bool = False
    extra_columns: ExtraColumns = "fail"
    error_cells: UnknownCells = "reject"
    uncalculated: UnknownCells = "reject"
    max_rejects: _MaxRejects | None = None
    rejects_ok: bool = False
    max_rate: _Rate | None = None
    timeout: _Seconds | None = None
    connect_timeout: _Seconds = 10.0
    retry_for: _SecondsOrNone = 300.0
    stall_timeout: _SecondsOrNone = 60.0
    ledger_schema: _SchemaName | None = None
    create_schema: bool = False
    before: _Name | None = None
    after: _Name | None = None
    comment: _Name | None = None
    plugin_options: _PluginOptions = {}
    again: bool = False
    atomic: bool = False
    verify: bool = False
    dry_run: bool = False

    @property
    def set_columns(self) -> Mapping[str, str]:
        """The columns that are filled with a value, and the value of each."""
        return {**LINEAGE, **self.set} if self.lineage else self.set

    def __post_init__(self) -> None:
        convert_auto(self, "workers", "batch_size")
        super().__post_init__()
        check_schema(self.schema)
        for column, type_ in self.types.items():
            try:
                ColumnType.parse(type_)
            except PlanError as error:
                raise PlanError(f"column {column!r}: {error}") from error


class Plan(_Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What goes where: one or more sources, each imported for itself, and what applies to all of them.

    Most plans have one ``source``; of several, it is the first, and ``further_sources`` are the others. A plan file has
    ``[source]`` for one and ``[[sources]]`` for several. ``formats`` is how the user says that values are
    written; ``columns`` is None until the plan is resolved.
    """

    source: Source
    further_sources: tuple[Source, ...] = ()
    target: Target = msgspec.field(default_factory=Target)
    options: Options = msgspec.field(default_factory=Options)
    formats: Formats = NO_FORMATS
    columns: tuple[ColumnPlan, ...] | None = None
    version: int = PLAN_VERSION

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.target.write_mode.order_matters:
            for name in ("atomic", "verify"):
                if getattr(self.options, name):
                    raise PlanError(
                        f"--{name.replace('_', '-')} is for rows that are only added: leave it out, or reject rows "
                        "whose key is there already (on_conflict error)"
                    )
        if self.options.verify and (self.options.before or self.options.after):
            raise PlanError("--verify compares the table before and after: leave out --before and --after, or --verify")
        if any(source.mends for source in self.sources) and self.stages:
            raise PlanError("mended rejects are added to their table: they cannot replace its rows, nor be --atomic")
        if self.formats == NO_FORMATS:  # the default is left out of plan files, and known by its identity
            msgspec.structs.force_setattr(self, "formats", NO_FORMATS)

    @property
    def sources(self) -> tuple[Source, ...]:
        """All sources, in the order in which they are imported."""
        return (self.source, *self.further_sources)

    @property
    def stages(self) -> bool:
        """Whether the rows go to a staging table first, and become visible together."""
        return self.options.atomic or self.target.write_mode.needs_stage


def checked(plan: Plan) -> Plan:
    """Return the plan after validating it again.

    Raises :class:`PlanError` for any other object, and for invalid changes made since it was constructed.
    """
    if not isinstance(plan, Plan):
        raise PlanError(f"a Plan is needed, not {type(plan).__name__}")
    msgspec.structs.replace(plan.options)
    formats = plan.formats
    for part in (*plan.sources, plan.target, plan.options, formats.all, *formats.columns.values(), formats):
        check_encodable(part)
    return plan


def database_of(plan: Plan) -> str:
    """The plan's database; by default an SQLite file in the current folder, named after the (first) source."""
    database = plan.target.database
    return f"{source_path(plan.source.file).stem}.db" if database is None else database
