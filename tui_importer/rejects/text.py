"""Any text as the text of a spreadsheet cell, so that it reads back exactly and is never taken for a formula."""

from __future__ import annotations

import re

#: The longest text of a cell, in UTF-16 code units (Excel's published specifications).
MAX_CELL_TEXT = 32_767
#: What stands at the end of a text that was too long for a cell.
CUT_MARK = "… [cut]"

# What XML 1.0 cannot hold (2.2), and CR, which an XML parser reads as LF (2.11). ECMA-376 part 1, 22.9.2.19
# (ST_Xstring) writes them as _xHHHH_, so a text that already looks like that has its underscore written so, too.
_NEEDS_ESCAPE = re.compile("[\x00-\x08\x0b\x0c\x0d\x0e-\x1f\ud800-\udfff\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4}_)")
_ESCAPED = re.compile("_x([0-9A-Fa-f]{4})_")

# A cell being edited becomes a formula after one of the first four, here also in the full-width forms that East Asian
# input makes; a leading apostrophe is eaten, and leading white space is looked through by some programs.
_FORMULA_LIKE = frozenset("=+-@'\t\r\n\x00 ＝＋－＠")


def escaped(text: str) -> str:
    """The text as it stands in the XML of a cell."""
    # Nearly every text; what XML cannot hold is not printable.
    if text.isprintable() and "_x" not in text and not text.isspace():
        return text
    result = _NEEDS_ESCAPE.sub(lambda match: f"_x{ord(match[0]):04X}_", text)
    if result and not result.strip():
        # Nothing but white space is dropped by readers, whatever xml:space says.
        result = f"_x{ord(result[0]):04X}_{result[1:]}"
    return result


def unescaped(text: str) -> str:
    """The inverse of :func:`escaped`, for readers that hand over the XML's text as it stands."""
    return _ESCAPED.sub(lambda match: chr(int(match[1], 16)), text)


def is_formula_like(text: str) -> bool:
    """Whether a spreadsheet program might run the text, or change it, once somebody edits its cell."""
    return text[:1] in _FORMULA_LIKE if text else False


def fitting(text: str) -> str:
    """The text, or as much of it as a cell can hold with :data:`CUT_MARK` at its end."""
    if _units(text) <= MAX_CELL_TEXT:
        return text
    room = MAX_CELL_TEXT - _units(CUT_MARK)
    # A code point is one unit or two, so no more code points than units can fit.
    units = text[:room].encode("utf-16-le", "surrogatepass")[: room * 2]
    kept = units.decode("utf-16-le", "surrogatepass")
    if "\ud800" <= kept[-1:] <= "\udbff":
        kept = kept[:-1]  # the cut fell into a pair
    return kept + CUT_MARK


def _units(text: str) -> int:
    if len(text) * 2 <= MAX_CELL_TEXT:
        return len(text)
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
