"""The file format of plans: TOML, with a table for each part of a plan."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from tui_importer.core.model.formats import Formats
from tui_importer.core.model.plan import PLAN_VERSION, ColumnPlan, Options, Plan, Source, Target
from tui_importer.core.model.suggest import closest
from tui_importer.errors import PlanError


def load_plan(path: Path) -> Plan:
    """Read a plan file. Raises :class:`PlanError` naming the invalid key and suggesting a similar one."""
    import tomllib  # few imports have a plan file

    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise PlanError(f"{path}: cannot read the plan: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PlanError(f"{path}: not a valid TOML file: {error}") from error
    _refuse_unknown_keys(raw, _KEYS, str(path), "")
    try:
        plan = _build_plan(raw)
    except PlanError as error:
        raise PlanError(f"{path}: {error}") from error
    if plan.version != PLAN_VERSION:
        raise PlanError(f"{path}: plan version {plan.version} is not known here (this program reads {PLAN_VERSION})")
    return plan


def save_plan(plan: Plan, path: Path, *, replace: bool = True) -> None:
    """Write a plan as TOML, readable by its owner only. The caller must remove the database's password.

    Raises :class:`PlanError` if it cannot be written, or, unless ``replace``, if the file exists with other content.
    """
    text = msgspec.toml.encode(_file_of(plan))
    try:
        if not replace and os.path.lexists(path):
            if path.read_bytes() == text:
                return
            raise PlanError(
                f"{path}: exists already with other contents: save under another name, or replace it with --force"
            )
        path.write_bytes(text)
        path.chmod(0o600)
    except OSError as error:
        raise PlanError(f"{path}: cannot write the plan: {error.strerror}") from error


PartT = TypeVar("PartT", bound=msgspec.Struct)

#: The tables of a plan file.
_TABLES: dict[str, type[msgspec.Struct]] = {
    "source": Source,
    "sources": Source,
    "target": Target,
    "options": Options,
    "formats": Formats,
    "columns": ColumnPlan,
}
_KEYS = (*_TABLES, "version")


def _refuse_unknown_keys(raw: object, known: Sequence[str], path: str, where: str) -> None:
    if isinstance(raw, list):
        for number, item in enumerate(raw, start=1):
            _refuse_unknown_keys(item, known, path, f"{where} {number}")
        return
    if not isinstance(raw, dict):
        return
    for key, value in raw.items():
        if key not in known:
            close = closest(key, known)
            hint = f"did you mean {close!r}?" if close else f"known keys: {', '.join(known)}"
            place = f" in [{where.strip()}]" if where else ""
            raise PlanError(f"{path}: unknown key {key!r}{place}: {hint}")
        if not where and key in _TABLES:
            _refuse_unknown_keys(value, _TABLES[key].__struct_fields__, path, key)


def _build_plan(raw: dict[str, object]) -> Plan:
    """Construct the plan of a file, which names one ``source``, or all of several ``sources``."""
    parts: dict[str, Any] = {key: _build_nested(key, value) for key, value in raw.items()}
    if "sources" in parts:
        sources = parts.pop("sources")
        if "source" in parts:
            raise PlanError("there are both [source] and [[sources]]: name every source in [[sources]]")
        if not isinstance(sources, tuple) or not sources:
            raise PlanError("sources must be a list of tables, each [[sources]]")
        parts["source"], *parts["further_sources"] = sources
    if "source" not in parts:
        raise PlanError("the key 'source' is missing")
    return Plan(**parts)


def _build(raw: dict[str, object], struct: type[PartT], where: str) -> PartT:
    """Construct a part of a plan file as a program would, so that both get the same errors."""
    for field in msgspec.structs.fields(struct):
        if field.required and field.name not in raw:
            raise PlanError(f"the key {field.name!r} is missing in [{where}]")
    values: dict[str, Any] = raw
    return struct(**values)


def _build_nested(key: str, value: object) -> object:
    if key not in _TABLES:
        return value
    if isinstance(value, list):
        return tuple(_build(item, _TABLES[key], key) if isinstance(item, dict) else item for item in value)
    return _build(value, _TABLES[key], key) if isinstance(value, dict) else value


def _file_of(plan: Plan) -> dict[str, object]:
    """The inverse of :func:`_build_plan`."""
    fields: dict[str, Any] = msgspec.to_builtins(plan)
    if plan.further_sources:
        fields["sources"] = [fields.pop("source"), *fields.pop("further_sources")]
    return fields
