"""What one cell of an ods file holds, where python-calamine makes something else of it."""

from __future__ import annotations

import datetime as dt
import re

from tui_importer.core.model.cells import Cell, CellError, UncalculatedFormula
from tui_importer.readers.package import local

#: How programs show errors (OpenFormula 1.3, 5.12; Err:502 and its like are LibreOffice's own).
_ERROR = re.compile(r"#(?:DIV/0!|N/A|NAME\?|NULL!|NUM!|REF!|VALUE!)|Err:[0-9]{3}")
_DURATION = re.compile(
    r"(-)?P(?:([0-9]{1,9})D)?(?:T(?:([0-9]{1,9})H)?(?:([0-9]{1,9})M)?(?:([0-9]{1,9})(?:[.,]([0-9]*))?S)?)?"
)
_MICROSECONDS = 6
_DAY = dt.timedelta(days=1)
_VALUES = ("office:value", "office:date-value", "office:time-value", "office:boolean-value", "office:string-value")
#: Spaces that one element may stand for; a cell has no more characters.
_MAX_SPACES = 65_535


class CellContent:
    """A cell's attributes, and what is in it: ``shown`` is its text, without those of notes and drawings."""

    def __init__(self, attributes: dict[str, str]) -> None:
        self.attributes = attributes
        self.paragraphs = 0
        self._parts: list[str] = []
        self._depth = 0  # within the cell
        self._passed_over: int | None = None  # the depth of a note or drawing
        self._text_depth: int | None = None  # the depth of a paragraph

    @property
    def shown(self) -> str:
        """The cell's text."""
        return "".join(self._parts)

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """An element within the cell begins."""
        self._depth += 1
        if self._passed_over is not None:
            return
        match name:
            case "office:annotation":
                self._passed_over = self._depth
            case "text:p" if self._text_depth is None:
                self._parts.append("\n" if self.paragraphs else "")
                self.paragraphs += 1
                self._text_depth = self._depth
            case "text:s":
                self._parts.append(" " * min(int(attributes.get("text:c", "1")), _MAX_SPACES))
            case "text:tab":
                self._parts.append("\t")
            case "text:line-break":
                self._parts.append("\n")
            case _ if name.startswith(("draw:", "table:")):
                self._passed_over = self._depth

    def end(self) -> bool:
        """An element ends; True where it is the cell itself."""
        if self._depth == 0:
            return True
        if self._passed_over == self._depth:
            self._passed_over = None
        if self._text_depth == self._depth:
            self._text_depth = None
        self._depth -= 1
        return False

    def text(self, text: str) -> None:
        """Characters within the cell."""
        if self._passed_over is None and self._text_depth is not None:
            self._parts.append(text)


def hidden_value(cell: CellContent) -> Cell:
    """The value of a cell of which python-calamine makes, or may make, another; None for a plain one."""
    attributes = cell.attributes
    types = {attributes[name] for name in attributes if local(name) == "value-type"}
    formula = attributes.get("table:formula")
    if "error" in types:
        return CellError(cell.shown.strip() or "#ERROR!")
    if formula is not None:
        if _is_shown_error(cell):
            return CellError(cell.shown.strip())
        if not any(name in attributes for name in _VALUES) and "string" not in types and not _is_empty_text(cell):
            return UncalculatedFormula(formula.partition("=")[2])
    if "office:time-value" in attributes:
        return _duration(attributes["office:time-value"])
    if attributes.get("office:value-type") == "string" and "office:string-value" not in attributes:
        return cell.shown
    return None


def _is_shown_error(cell: CellContent) -> bool:
    """Whether a formula's value is none: programs before calcext gave it as 0, or as no text, and showed the error."""
    attributes = cell.attributes
    worthless = attributes.get("office:value") == "0" or attributes.get("office:string-value") == ""
    return (worthless or not any(name in attributes for name in _VALUES)) and _ERROR.fullmatch(
        cell.shown.strip()
    ) is not None


def _is_empty_text(cell: CellContent) -> bool:
    """LibreOffice writes a formula whose result is an empty text without a value, but with a paragraph."""
    return cell.paragraphs > 0 and not cell.shown


def _duration(text: str) -> Cell:
    """A span of time (XML Schema part 2, 3.2.6), as a time of day where it can be one: so python-calamine gives the
    usual ones. None for what is none."""
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        return None
    sign, days, hours, minutes, seconds, fraction = match.groups()
    try:
        span = dt.timedelta(
            days=int(days or 0),
            hours=int(hours or 0),
            minutes=int(minutes or 0),
            seconds=int(seconds or 0),
            microseconds=int((fraction or "0")[:_MICROSECONDS].ljust(_MICROSECONDS, "0")),
        )
    except OverflowError:
        return None
    if sign:
        return -span if span else dt.time()
    return (dt.datetime.min + span).time() if span < _DAY else span
