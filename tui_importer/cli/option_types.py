"""Types of the values of options."""

from __future__ import annotations

import math
from typing import Any

import click

from tui_importer.core.model.count_or_auto import AUTO, METAVAR, parse_count
from tui_importer.core.model.formats import parse_value_of_column
from tui_importer.errors import PlanError


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


class Pair(click.ParamType):  # type: ignore[type-arg]
    """Two texts with an equals sign between them; ``name`` is their form in the help. The second has no equals sign."""

    def __init__(self, name: str, meaning: str = "") -> None:
        self.name = name
        self._meaning = meaning

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        first, equals, second = str(value).rpartition("=")
        if not (equals and first and second):
            self.fail(f"{value!r} is not {self.name}{self._meaning}", param, ctx)
        return first, second


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
