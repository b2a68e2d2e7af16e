"""Counts that are given as ``N|auto``: with ``auto``, the program chooses. The value of ``auto`` is None."""

from __future__ import annotations

import re
import sys
from typing import Annotated

import msgspec
from msgspec import Meta

from tui_importer.core.model.patterns import pattern
from tui_importer.errors import PlanError

#: The word for a count that the program chooses.
AUTO = "auto"
#: The form of such a count, as shown by ``--help``.
METAVAR = f"N|{AUTO}"

#: A count that may be given as ``auto``; None is ``auto``.
CountOrAuto = Annotated[int, Meta(ge=1, le=sys.maxsize, description=f"a whole number from 1 or {AUTO}")] | None

_DIGITS = pattern(r"[0-9]{1,19}", re.ASCII)


def parse_count(text: str) -> int | None:
    """Parse ``N|auto``. Raises :class:`PlanError` for anything else."""
    if text == AUTO:
        return None
    if _DIGITS.fullmatch(text) and 1 <= int(text) <= sys.maxsize:
        return int(text)
    raise PlanError(f"{text!r} is neither a whole number from 1 nor {AUTO}")


def format_count(count: int | None) -> str:
    """The inverse of :func:`parse_count`."""
    return AUTO if count is None else str(count)


def convert_auto(struct: msgspec.Struct, *names: str) -> None:
    """Replace ``auto`` by None in the named fields of a new struct."""
    for name in names:
        if getattr(struct, name) == AUTO:
            msgspec.structs.force_setattr(struct, name, None)
