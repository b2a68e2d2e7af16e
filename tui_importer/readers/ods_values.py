"""Reads the value of an ods cell where python-calamine returns another one."""

from __future__ import annotations

import datetime as dt

from tui_importer.core.model.cells import Cell, CellError, UncalculatedFormula
from tui_importer.core.model.patterns import pattern
from tui_importer.readers.package import local

#: Error texts that programs show (OpenFormula 1.3, 5.12; Err:502 and the like are LibreOffice's own).
_ERROR = pattern(r"#(?:DIV/0!|N/A|NAME\?|NULL!|NUM!|REF!|VALUE!)|Err:[0-9]{3}")
_DURATION = pattern(
    r"(-)?P(?:([0-9]{1,9})D)?(?:T(?:([0-9]{1,9})H)?(?:([0-9]{1,9})M)?(?:([0-9]{1,9})(?:[.,]([0-9]*))?S)?)?"
)
_MICROSECONDS = 6
_DAY = dt.timedelta(days=1)
_VALUES = ("office:value", "office:date-value", "office:time-value", "office:boolean-value", "office:string-value")
#: Maximum number of spaces of one element; a cell has no more characters.
_MAX_SPACES = 65_535


class CellContent:
    """A cell's attributes and content; ``shown`` is its text, without notes and drawings."""

    def __init__(self, attributes: dict[str, str]) -> None:
        self.attributes = attributes
        self.paragraphs = 0
        self._parts: list[str] = []
        self._depth = 0  # inside of the cell
        self._skipped_depth: int | None = None  # of a note or drawing
        self._text_depth: int | None = None  # of a paragraph

    @property
    def shown(self) -> str:
        """The cell's text."""
        return "".join(self._parts)

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """Process the start of an element inside of the cell."""
        self._depth += 1
        if self._skipped_depth is not None:
            return
        match name:
            case "office:annotation":
                self._skipped_depth = self._depth
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
                self._skipped_depth = self._depth

    def end(self) -> bool:
        """Process the end of an element; True if it is the cell itself."""
        if self._depth == 0:
            return True
        if self._skipped_depth == self._depth:
            self._skipped_depth = None
        if self._text_depth == self._depth:
            self._text_depth = None
        self._depth -= 1
        return False

    def text(self, text: str) -> None:
        """Add characters inside of the cell."""
        if self._skipped_depth is None and self._text_depth is not None:
            self._parts.append(text)


def hidden_value(cell: CellContent) -> Cell:
    """The cell's value if python-calamine returns, or may return, another one; None for a plain cell."""
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
    """Whether a formula's result is an error: before calcext, programs wrote the value 0 or an empty text and showed
    the error."""
    attributes = cell.attributes
    no_result = attributes.get("office:value") == "0" or attributes.get("office:string-value") == ""
    return (no_result or not any(name in attributes for name in _VALUES)) and _ERROR.fullmatch(
        cell.shown.strip()
    ) is not None


def _is_empty_text(cell: CellContent) -> bool:
    """Whether a formula's result is an empty text: LibreOffice writes it without a value, but with a paragraph."""
    return cell.paragraphs > 0 and not cell.shown


def _duration(text: str) -> Cell:
    """Parse a time span (XML Schema part 2, 3.2.6). One that can be a time of day is returned as one, as
    python-calamine does for the usual ones. None for anything else."""
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
