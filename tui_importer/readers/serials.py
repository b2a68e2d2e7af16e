"""Finds numbers shown as dates or times that libraries convert wrongly: negative ones, zeros shown as a date, and spans
of a day or more shown as a time of day.

A workbook stores dates as days since an epoch; only the number format says that they are dates. Programs other than
Excel store days before the epoch as negative numbers. python-calamine treats any serial below 1 as a time of day, so
1809-02-12 becomes 00:00:00 and -0:30 becomes 23:30. Libraries take 25 hours in a cell that shows a time of day for one
o'clock of the first of January 1900. Such cells are searched for in the file itself.

Number formats: ECMA-376 part 1, 18.8.30 (``numFmt``) and 18.8.31; serials: 18.17.4.1.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import Enum, auto
from typing import Literal

import msgspec

from tui_importer.core.conversion.parsing import as_text
from tui_importer.core.model.cells import MIDNIGHT, Cell, cell_name, column_index, column_letters
from tui_importer.core.model.patterns import pattern
from tui_importer.core.source.layout import Layout
from tui_importer.readers.hidden_cell import HiddenCell
from tui_importer.readers.package import Package, local

#: Day 0 of the two date systems (18.17.4.1); for the 1900 system, the day from which dates since March 1900 come out
#: right.
_EPOCH_1900, _EPOCH_1904 = dt.datetime(1899, 12, 30), dt.datetime(1904, 1, 1)
#: Milliseconds per day: spreadsheets keep times to the millisecond.
_DAY = 86_400_000
_LEAP_DAY = 60
#: A number of so many days or more in a cell that shows a time of day alone is a moment whose date is not shown. It is
#: a power of two, so that two bytes of a double tell.
_LONGEST_SPAN = 1 << 10
#: The last two bytes of such a double (IEEE 754 binary64, little-endian). Libraries read all of them correctly.
MANY_DAYS = rb"(?:[\x90-\xff]\x40|.[\x41-\x7f])"


#: The parts of a format that are not placeholders: literals, colours, conditions and languages.
_LITERAL = pattern(r'[\\_*].|"[^"]*"?|\[[^\]]*\]?', re.DOTALL)


class Shown(Enum):
    """The parts of a date or time that a number format shows."""

    DATE = auto()
    TIME = auto()
    BOTH = auto()
    #: A time span (``[h]:mm:ss``), which every library reads correctly, even a negative one.
    SPAN = auto()


#: Built-in formats, which have no code in the file (18.8.30).
BUILTIN_FORMATS: dict[int, Shown] = {
    **dict.fromkeys((14, 15, 16, 17), Shown.DATE),
    **dict.fromkeys((18, 19, 20, 21, 45, 47), Shown.TIME),
    22: Shown.BOTH,
    46: Shown.SPAN,
}


def shown_by(code: str) -> Shown | None:
    """The parts of a date or time that a number format shows; None if it shows a number.

    A format is a date format exactly when python-calamine says so: otherwise a column could mix dates and numbers.
    """
    code = code.lower()
    if not (moment := _moment_in(code)):
        return None
    if moment is Shown.SPAN:
        return moment
    letters = _LITERAL.sub("", code).partition(";")[0]
    clock = not {"h", "s", "a"}.isdisjoint(letters)
    # An m is a month, except beside hours or seconds: there it means minutes unless the format has a day or a year.
    date = not {"d", "y"}.isdisjoint(letters) or ("m" in letters and not clock)
    return (Shown.BOTH if clock else Shown.DATE) if date else Shown.TIME


def _moment_in(code: str) -> bool | Literal[Shown.SPAN]:
    """Whether the first section of a format, in lower case, shows a date, a time or a time span."""
    escaped = quoted = half_day = counts = False
    brackets, before = 0, " "
    for character in code:
        if escaped:
            escaped = False
        elif character in "\\_*":
            escaped = True
        elif quoted or character == '"':
            quoted = not quoted if character == '"' else quoted
        elif character == ";":
            return False
        elif character == "[":
            brackets += 1
        elif character == "]":
            if counts and brackets == 1:
                return Shown.SPAN
            brackets = max(0, brackets - 1)
        elif not brackets and character == "a" and not half_day:
            half_day = True  # of AM/PM or A/P, or a letter without meaning
        elif not brackets and character in ("pm/" if half_day else "dmyhs"):
            return True
        elif not (counts and character == before):
            counts = before == "[" and character in "hms"
        before = character
    return False


class Serials(msgspec.Struct, frozen=True):
    """The date and time styles of a workbook: what each cell style shows, by its number, and the date system."""

    styles: Mapping[int, Shown] = msgspec.field(default_factory=dict)
    date1904: bool = False

    @property
    def searched(self) -> Sequence[int]:
        """The styles, in ascending order, for which :meth:`value` may return a value."""
        return sorted(style for style, shown in self.styles.items() if shown is not Shown.SPAN)

    @property
    def epoch(self) -> dt.datetime:
        """Day 0 of the workbook's date system."""
        return _EPOCH_1904 if self.date1904 else _EPOCH_1900

    def value(self, style: int, serial: float) -> Cell:
        """The value of a number in a cell of that style; None if libraries convert it correctly.

        A date before the year 1, which Python cannot represent, stays a number.
        """
        shown = self.styles.get(style)
        if shown is Shown.TIME and 1 <= serial < _LONGEST_SPAN:
            return _span(serial)
        if shown in (None, Shown.SPAN) or serial >= 1 or not (serial < 0 or shown is Shown.DATE):
            return None
        return _span(serial) if shown is Shown.TIME else self._moment(serial)

    def meaning(self, style: int, serial: float) -> Cell:
        """The value of any number in a cell of that style, for cells whose style a library ignores; None if it is a
        number."""
        shown = self.styles.get(style)
        if shown is None:
            return None
        if shown is Shown.SPAN or (shown is Shown.TIME and 1 <= serial < _LONGEST_SPAN):
            return _span(serial)
        if serial < 1:
            value = self.value(style, serial)
            return (
                (dt.datetime.min + dt.timedelta(milliseconds=round(serial * _DAY))).time() if value is None else value
            )
        # The 1900 system has a 29th of February 1900 (18.17.4.1): days before it are numbered one lower.
        return self._moment(serial + (not self.date1904 and serial < _LEAP_DAY))

    def _moment(self, serial: float) -> Cell:
        try:
            moment = self.epoch + dt.timedelta(milliseconds=round(serial * _DAY))
        except (OverflowError, ValueError):
            return serial
        return moment.date() if moment.time() == MIDNIGHT else moment


def _span(serial: float) -> Cell:
    try:
        return dt.timedelta(milliseconds=round(serial * _DAY))
    except (OverflowError, ValueError):
        return serial


def package_serials(package: Package) -> Serials:
    """The date and time styles of an xlsx or xlsm workbook."""
    date1904 = False
    codes: dict[int, str] = {}
    formats: list[int] = []
    section = ""

    def workbook(name: str, attributes: dict[str, str]) -> None:
        nonlocal date1904
        if local(name) == "workbookPr":
            date1904 = attributes.get("date1904", "0") in ("1", "true")

    def styles(name: str, attributes: dict[str, str]) -> None:
        nonlocal section
        match local(name):
            case "numFmts" | "cellXfs" | "cellStyleXfs" | "dxfs" | "cellStyles" as begun:
                section = begun
            case "numFmt" if section == "numFmts":
                codes[_number(attributes.get("numFmtId"))] = attributes.get("formatCode", "")
            case "xf" if section == "cellXfs":
                formats.append(_number(attributes.get("numFmtId")))

    package.walk_related("/officeDocument", workbook)
    package.walk_related("/styles", styles)
    return Serials(styles_of(formats, codes), date1904)


def styles_of(formats: Iterable[int], codes: Mapping[int, str]) -> dict[int, Shown]:
    """What the cell styles show: ``formats`` are the styles' number formats, ``codes`` those that the workbook
    defines."""
    shown = {number: shown_by(code) for number, code in codes.items()}
    found = ((style, shown.get(number, BUILTIN_FORMATS.get(number))) for style, number in enumerate(formats))
    return {style: what for style, what in found if what is not None}


def _number(text: str | None) -> int:
    return int(text) if text is not None and text.isdecimal() else 0


class SerialSearch:
    """Finds the cells in a sheet's plain XML for which :meth:`Serials.value` returns a value, by searches in C."""

    def __init__(self, serials: Serials) -> None:
        self._serials = serials
        styles = serials.searched
        days = [style for style in styles if serials.styles[style] is Shown.DATE]
        clocks = [style for style in styles if serials.styles[style] is Shown.TIME]
        self._negative = _cells_of(styles, rb"-[^<]*")
        self._span = _cells_of(clocks, rb"[1-9][0-9]{0,3}(?:\.[0-9]*)?")
        self._zero = _cells_of(days, rb"0[^<]*|[0-9.]+[eE]-[^<]*")

    def cells(self, window: bytes) -> list[HiddenCell] | None:
        """The cells of whole rows; None if the XML is written in an unusual form."""
        if not self._negative:
            return []
        if b"<v " in window or _ODD.search(window, 0, _ODD_BYTES):
            return None
        found: list[HiddenCell] = []
        for values, hints in (
            (self._negative, (b"<v>-",)),
            (self._zero, (b"<v>0", b"E-", b"e-")),
            (self._span, (b"<v>",)),
        ):
            if values is None or not any(hint in window for hint in hints):
                continue
            for match in values.finditer(window):
                begin = window.rfind(b"<c ", 0, match.start() + 1)
                cell = self._cell(window[begin : match.start("value")], match["value"].decode("ascii", "replace"))
                if cell is None:
                    return None
                if cell.value is not None:
                    found.append(cell)
        return found

    def _cell(self, xml: bytes, text: str) -> HiddenCell | None:
        tag = xml.partition(b">")[0]
        reference, style, type_ = _REFERENCE.search(tag), _STYLE.search(tag), _TYPE.search(tag)
        if reference is None or style is None:
            return None
        number = type_ is None or type_[1] == b"n"
        value = self.value(int(style[1]), text) if number else None
        return HiddenCell(int(reference[2]), column_index(reference[1].decode()), value)

    def value(self, style: int, text: str) -> Cell:
        """The value of a number in text form, as :meth:`Serials.value`."""
        try:
            return self._serials.value(style, float(text))
        except ValueError:
            return None


#: Unusual forms of a cell's attributes. Programs are consistent, so the first bytes of a window are enough.
_ODD = pattern(rb"""<c[\t\r\n]|<c [^<>]*?(?:[\t\r\n]s\s*=| s\s+=| s=[^"])""")
_ODD_BYTES = 1 << 14
_REFERENCE = pattern(rb""" r="([A-Za-z]{1,3})([0-9]{1,7})\"""")
_STYLE = pattern(rb""" s="([0-9]{1,9})\"""")
_TYPE = pattern(rb""" t="([^"]*)\"""")


def _cells_of(styles: Sequence[int], value: bytes) -> re.Pattern[bytes] | None:
    """Compile a pattern for cells of these styles with such a value, with or without a formula."""
    if not styles:
        return None
    # The pattern begins with the style, which few cells have; the cell's start is near and is found backwards.
    return re.compile(
        rb""" s="(?:%b)"[^<>]*>\s*(?:(?:<f[^<>]*/>|<f[^<]*</f>)\s*)?<v>(?P<value>%b)</v>"""
        % (b"|".join(b"%d" % style for style in styles), value)
    )


def serial_notes(cells: Iterable[HiddenCell], serials: Serials, sheet: str, layout: Layout) -> Iterator[str]:
    """A sentence per column and kind of cell of the table for which :meth:`Serials.value` returned another value."""
    found: dict[tuple[int, str], list[HiddenCell]] = {}
    for cell in cells:
        sort = _sort(cell.value, serials)
        if sort is not None and layout.holds(cell.row, cell.column):
            found.setdefault((cell.column, sort), []).append(cell)
    for (column, sort), same in sorted(found.items(), key=lambda item: item[0]):
        first = same[0]
        yield (
            f"column {column_letters(column)}: {sort.format(epoch=serials.epoch.date())}: "
            f"{len(same):,} cell{'s' * (len(same) > 1)}, the first {cell_name(sheet, first.row, first.column)} "
            f"({as_text(first.value)})"
        )


def _sort(value: Cell, serials: Serials) -> str | None:
    match value:
        case dt.datetime() | dt.date():
            day = value.date() if isinstance(value, dt.datetime) else value
            if day < serials.epoch.date():
                return "negative numbers shown as dates are read as days before {epoch}"
            return "zeros shown as dates are read as {epoch}" if day == serials.epoch.date() else None
        case dt.timedelta() if value < dt.timedelta():
            return "negative times of day are read as spans of time"
        case float() if value < 0:
            return "negative numbers shown as dates, which lie before the year 1, stay numbers"
        case _:
            return None
