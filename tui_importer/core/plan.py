"""What goes where: the plan of an import, and its form as a file.

A plan may leave open what the program can find out (columns, sheet, header row ...); the engine resolves it
against the source and the target, and the resolved plan is a plan again: it can be saved, changed by hand and
given back.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

import msgspec

from tui_importer.core.suggest import closest
from tui_importer.core.types import ColumnType
from tui_importer.core.url import shown
from tui_importer.errors import PlanError

#: The version of the plan file's form; raised when an older program could misread a newer file.
PLAN_VERSION = 1

#: A year and more: nobody waits so long, and a platform's timers can still count it.
MAX_SECONDS = 4e7

_MAX_REJECTS = re.compile(r"[0-9]{1,9}|(?:100|[0-9]{1,2})(?:\.[0-9]+)?%", re.ASCII)

ErrorCells = Literal["reject", "null", "text"]
Mode = Literal["append", "create"]

#: Workers unless told otherwise: two keep a database on the same two cores busy, more wait for each other.
WORKERS = 2


class Source(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Where rows come from. ``header_row`` is a sheet row (from 1), 0 for none; ``range`` is like ``A5:F900``."""

    file: str
    sheet: str | int | None = None
    range: str | None = None
    header_row: int | None = None
    reader: str | None = None
    limit: int | None = None


class Target(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Where rows go. ``database`` is a URL or a path; a saved plan never holds its password."""

    database: str | None = None
    table: str | None = None
    mode: Mode = "append"

    def __repr__(self) -> str:
        database = None if self.database is None else shown(self.database)
        return f"Target(database={database!r}, table={self.table!r}, mode={self.mode!r})"


class ColumnPlan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One column's way: ``source`` is its header, ``letter`` its sheet column, ``target`` its name in the table.

    ``type`` is written as :class:`tui_importer.core.types.ColumnType` reads it.
    """

    source: str
    letter: str
    target: str
    type: str = "text"
    required: bool = False


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """How an import is carried out. ``None`` for ``workers`` and ``batch_size`` means: let the program choose.

    ``max_rejects`` is ``"N"`` rows or ``"P%"`` of the rows read; ``max_rate`` is in rows per second, timeouts are
    in seconds, as is ``retry_for``, the time for which faults that may pass are met by another try (0: none), and
    ``stall_timeout``, the silence of a connection after which it is looked up and given up for lost (0: never).
    ``again`` imports once more what is in already; ``atomic`` shows the rows in one commit or not at all; ``verify``
    compares checksums of source and table at the end.
    """

    strategy: str = "batched"
    workers: int | None = None
    batch_size: int | None = None
    schema: str = "auto"
    types: dict[str, str] = {}
    skip: tuple[str, ...] = ()
    error_cells: ErrorCells = "reject"
    max_rejects: str | None = None
    max_rate: float | None = None
    timeout: float | None = None
    connect_timeout: float = 10.0
    retry_for: float = 300.0
    stall_timeout: float = 60.0
    ledger_schema: str | None = None
    again: bool = False
    atomic: bool = False
    verify: bool = False
    dry_run: bool = False


class Plan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A whole import. ``columns`` is None until the plan is resolved."""

    source: Source
    target: Target = Target()
    options: Options = Options()
    columns: tuple[ColumnPlan, ...] | None = None
    version: int = PLAN_VERSION


def load_plan(path: Path) -> Plan:
    """Read a plan file. Raises :class:`PlanError` naming the key at fault and, where close, the one meant."""
    import tomllib  # only few imports have a plan file

    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise PlanError(f"{path}: cannot read the plan: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PlanError(f"{path}: not a valid TOML file: {error}") from error
    _refuse_unknown_keys(raw, Plan, str(path), "")
    try:
        plan = msgspec.convert(raw, Plan)
    except msgspec.ValidationError as error:
        raise PlanError(f"{path}: {error}") from error
    if plan.version != PLAN_VERSION:
        raise PlanError(f"{path}: plan version {plan.version} is not known here (this program reads {PLAN_VERSION})")
    return plan


def save_plan(plan: Plan, path: Path) -> None:
    """Write a plan as TOML, readable by its owner only; the database's password is the caller's to leave out."""
    text = msgspec.toml.encode(plan)
    try:
        path.write_bytes(text)
        path.chmod(0o600)
    except OSError as error:
        raise PlanError(f"{path}: cannot write the plan: {error.strerror}") from error


def checked(plan: Plan) -> Plan:
    """The plan, once its values make sense by themselves; raises :class:`PlanError` naming the first that does not."""
    options = plan.options
    for name, number in (
        ("workers", options.workers),
        ("batch_size", options.batch_size),
        ("limit", plan.source.limit),
    ):
        if number is not None and number < 1:
            raise PlanError(f"{name} must be 1 or more, not {number}")
    for name, seconds in (("timeout", options.timeout), ("connect_timeout", options.connect_timeout)):
        if seconds is not None and not 0 < seconds < MAX_SECONDS:
            raise PlanError(f"{name} must be a number of seconds above 0, not {seconds:g}")
    for name, seconds in (("retry_for", options.retry_for), ("stall_timeout", options.stall_timeout)):
        if not 0 <= seconds < MAX_SECONDS:
            raise PlanError(f"{name} must be a number of seconds from 0, not {seconds:g}")
    if options.ledger_schema is not None and not options.ledger_schema.strip():
        raise PlanError("ledger_schema must be the name of a schema")
    if options.max_rate is not None and not 0 < options.max_rate < float("inf"):
        raise PlanError(f"max_rate must be a number of rows per second above 0, not {options.max_rate:g}")
    if options.max_rejects is not None and not _MAX_REJECTS.fullmatch(options.max_rejects):
        raise PlanError(f"max_rejects must be a number of rows or a percentage like 5%, not {options.max_rejects!r}")
    for column, type_ in options.types.items():
        try:
            ColumnType.parse(type_)
        except PlanError as error:
            raise PlanError(f"column {column!r}: {error}") from error
    return plan


_TABLES: dict[str, type[msgspec.Struct]] = {
    "source": Source,
    "target": Target,
    "options": Options,
    "columns": ColumnPlan,
}


def _refuse_unknown_keys(raw: object, struct: type[msgspec.Struct], path: str, where: str) -> None:
    if isinstance(raw, list):
        for number, item in enumerate(raw, start=1):
            _refuse_unknown_keys(item, struct, path, f"{where} {number}")
        return
    if not isinstance(raw, dict):
        return
    known = [field.name for field in msgspec.structs.fields(struct)]
    for key, value in raw.items():
        if key not in known:
            close = closest(key, known)
            hint = f"did you mean {close!r}?" if close else f"known keys: {', '.join(known)}"
            place = f" in [{where.strip()}]" if where else ""
            raise PlanError(f"{path}: unknown key {key!r}{place}: {hint}")
        if not where and key in _TABLES:
            _refuse_unknown_keys(value, _TABLES[key], path, key)
