"""Encodes any text as the text of a spreadsheet cell, so that it reads back exactly and is never taken for a
formula."""

from __future__ import annotations

from tui_importer.core.model.patterns import pattern

#: Maximum length of a cell's text, in UTF-16 code units (Excel's published specifications).
MAX_CELL_TEXT = 32_767
#: The end of a text that was too long for a cell.
CUT_MARK = "… [cut]"

# Characters that XML 1.0 cannot hold (2.2), and CR, which an XML parser reads as LF (2.11). ECMA-376 part 1, 22.9.2.19
# (ST_Xstring) writes them as _xHHHH_, so the underscore of a text that already looks like that is escaped, too.
_NEEDS_ESCAPE = pattern("[\x00-\x08\x0b\x0c\x0d\x0e-\x1f\ud800-\udfff\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4}_)")
_ESCAPED = pattern("_x([0-9A-Fa-f]{4})_")

# A cell being edited becomes a formula after one of the first four, here also in the full-width forms of East Asian
# input. A leading apostrophe is dropped, and some programs skip leading white space.
_FORMULA_LIKE = frozenset("=+-@'\t\r\n\x00 ＝＋－＠")


def escaped(text: str) -> str:
    """Escape a text for the XML of a cell."""
    # Nearly every text: what XML cannot hold is not printable.
    if text.isprintable() and "_x" not in text and not text.isspace():
        return text
    result = _NEEDS_ESCAPE.sub(lambda match: f"_x{ord(match[0]):04X}_", text)
    if result and not result.strip():
        # Readers drop a text of nothing but white space, whatever xml:space says.
        result = f"_x{ord(result[0]):04X}_{result[1:]}"
    return result


def unescaped(text: str) -> str:
    """The inverse of :func:`escaped`, for readers that return the XML's text unchanged."""
    return _ESCAPED.sub(lambda match: chr(int(match[1], 16)), text)


def is_formula_like(text: str) -> bool:
    """Whether a spreadsheet program might run or change the text once a user edits its cell."""
    return text[:1] in _FORMULA_LIKE if text else False


def fitting(text: str) -> str:
    """The text, or as much of it as fits into a cell with :data:`CUT_MARK` at the end."""
    if _units(text) <= MAX_CELL_TEXT:
        return text
    room = MAX_CELL_TEXT - _units(CUT_MARK)
    # A code point is one or two units, so at most this many code points fit.
    units = text[:room].encode("utf-16-le", "surrogatepass")[: room * 2]
    kept = units.decode("utf-16-le", "surrogatepass")
    if "\ud800" <= kept[-1:] <= "\udbff":
        kept = kept[:-1]  # the cut was inside of a surrogate pair
    return kept + CUT_MARK


def _units(text: str) -> int:
    if len(text) * 2 <= MAX_CELL_TEXT:
        return len(text)
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
