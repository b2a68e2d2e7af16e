"""Validation of a struct's values against its annotations, with errors that say what is expected."""

from __future__ import annotations

import os
from enum import Enum
from functools import cache
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec

from tui_importer.core.model.suggest import closest
from tui_importer.errors import PlanError

#: The number of characters of a wrong value that its error shows.
_MAX_SHOWN = 60

_WORDS: dict[object, str] = {
    str: "a text",
    int: "a whole number",
    float: "a number",
    bool: "True or False",
    tuple: "a list",
    dict: "a table of names and values",
}


def convert_fields(struct: msgspec.Struct) -> None:
    """Check every field of a new struct and convert it to the type of its annotation.

    A path becomes a text, a list a tuple. A bool is not a number, and a NaN is within no limits (msgspec's strict
    conversion). Raises :class:`PlanError` naming the first invalid value.
    """
    for name, type_, default in _annotations(type(struct)):
        given = getattr(struct, name)
        if given is default:
            continue  # most fields have their default, and a conversion takes ten microseconds
        try:
            value = msgspec.convert(os.fspath(given) if isinstance(given, os.PathLike) else given, type_)
        except (msgspec.ValidationError, OverflowError) as error:
            raise PlanError(
                f"{name} must be {_expected(type_)}, not {_shown(given)}{_suggestion(given, type_)}"
            ) from error
        if value is not given:
            msgspec.structs.force_setattr(struct, name, value)


def check_encodable(struct: msgspec.Struct) -> None:
    """Check that all texts can be stored; raises :class:`PlanError` naming the first field that has another one.

    The bytes of a command line that are not UTF-8 are lone surrogates in Python.
    """
    for name in struct.__struct_fields__:
        try:
            msgspec.json.encode(getattr(struct, name))
        except UnicodeEncodeError:
            # Not the value, which may be a password; and no chained exception, which shows it.
            raise PlanError(f"{name} has characters that are not UTF-8: write it in UTF-8") from None


@cache
def _annotations(kind: type[msgspec.Struct]) -> tuple[tuple[str, Any, Any], ...]:
    """The names, types and defaults (or ``NODEFAULT``) of the fields of a struct."""
    return tuple((field.name, field.type, field.default) for field in msgspec.structs.fields(kind))


def _expected(type_: Any) -> str:
    """A description of the values of a type."""
    origin, arguments = get_origin(type_), get_args(type_)
    if origin is Annotated:
        return str(next(meta.description for meta in arguments[1:] if meta.description))
    if choices := _choices(type_):
        return f"one of {', '.join(choices)}"
    if origin in (Union, UnionType):
        return " or ".join(_expected(each) for each in arguments if each is not type(None))
    return _WORDS.get(origin or type_) or f"a {type_.__name__}"


def _choices(type_: Any) -> tuple[str, ...]:
    """The words of a Literal or an Enum; empty for any other type."""
    if get_origin(type_) is Literal:
        return tuple(map(str, get_args(type_)))
    return tuple(str(member.value) for member in type_) if isinstance(type_, type) and issubclass(type_, Enum) else ()


def _shown(value: object) -> str:
    if value is None or isinstance(value, (str, bool, int, float)):
        try:
            text = repr(value)
        except ValueError:  # more digits than Python converts to text
            text = "so large a number"
        return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}..."
    return f"an object of type {type(value).__name__}"


def _suggestion(value: object, type_: Any) -> str:
    close = closest(value, _choices(type_)) if isinstance(value, str) else None
    return f": did you mean {close!r}?" if close else ""
