"""Columns that are not columns of the sheet: they are filled with a value, or with where each row comes from."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

import msgspec

from tui_importer.core.conversion.convert import Conversion
from tui_importer.core.model.column import Column
from tui_importer.core.model.list_column import ListColumn
from tui_importer.core.model.patterns import pattern
from tui_importer.errors import PlanError

#: The place of a row's number in a value; other places are filled before.
_ROW = "{row}"
#: What a value may name.
PLACES = ("file", "sheet", "row", "run")
_PLACE = pattern(r"\{([^{}]*)\}")


class SetColumn(msgspec.Struct, frozen=True):
    """A target column that is filled with ``value``, in which ``{row}`` is the number of the sheet row."""

    target: str
    value: str
    conversion: Conversion

    def column(self, rows: Sequence[int]) -> Column:
        """The values for these sheet rows. Raises :class:`PlanError` if the column does not take one."""
        if _ROW in self.value:
            return self._converted([self.value.replace(_ROW, str(row)) for row in rows])
        [value] = self._converted([self.value]).values()
        return ListColumn([value] * len(rows))

    def _converted(self, texts: list[str]) -> Column:
        converted, reasons = self.conversion.apply(ListColumn([text or None for text in texts]))
        for offset, reason in reasons.items():
            raise PlanError(f"--set {self.target}={texts[offset]}: {reason}")
        return converted


def filled_in(value: str, places: Mapping[str, str], option: str) -> str:
    """The value with the ``{places}`` that it names filled in; ``{row}`` stays. Raises :class:`PlanError` for an
    unknown place."""
    return _PLACE.sub(_filler(value, places, option), value)


def _filler(value: str, places: Mapping[str, str], option: str) -> Callable[[re.Match[str]], str]:
    def fill(found: re.Match[str]) -> str:
        name = found[1]
        if name in places:
            return places[name]
        raise PlanError(
            f"{option}: {value!r} names {{{name}}}: known are {', '.join(f'{{{place}}}' for place in places)}"
        )

    return fill
