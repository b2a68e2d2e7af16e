"""Searches a sheet's XML for possible errors and uncalculated formulas, and reads cells written in the usual form.

Both are searches in C; the rest is left to an XML parser. :func:`suspects` finds at least every such cell, and
:func:`plain_cell` reads a cell exactly or not at all. ECMA-376 part 1, 18.3.1.4 (``c``), 18.3.1.40 (``f``).
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from tui_importer.core.model.patterns import pattern

#: The attribute t with value e in any quotes, or a value that may be e as a character reference.
_ERROR = pattern(rb"""t\s*=\s*(?:"e"|'e'|["']&)""")
#: A formula that is not directly followed by a value.
_FORMULA = pattern(rb"""<f(?=[\s/>])(?![^<>]*(?:/>|>[^<]*</f\s*>)\s*<v(?:\ xml:space="preserve")?>[^<])""", re.VERBOSE)
#: A cell with its reference first, plain attributes, and then at most a formula and a value.
_CELL = pattern(
    rb"""<c\ r="([A-Za-z]{1,3})([0-9]{1,7})"((?:\ [\w:]+="[^"<>&=]*")*)\ ?>
    (<f(?:\ [\w:]+="[^"<>&]*")*(?:\ ?/>|>([^<]*)</f>))?\s*
    (<v(?:\ xml:space="preserve")?(?:\ ?/>|>([^<]*)</v>))?\s*</c>""",
    re.VERBOSE,
)
_TYPE = pattern(rb' t="([^"]*)"')
_RICH = b' vm="'
#: What only a parser can decode: character references, line ends, and what XML forbids.
_ODD_TEXT = pattern(rb"&(?!(?:amp|lt|gt|quot|apos);)|[\0-\x08\x0b-\x1f]|\]\]>|\xef\xbf[\xbe\xbf]")
_ENTITIES = (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&apos;", "'"), ("&amp;", "&"))


class PlainCell(NamedTuple):
    """A cell whose XML ends at ``end``. ``formula`` and ``value`` are still XML; None if there is no such element.

    ``rich``: it has metadata of its value (``vm``).
    """

    end: int
    letters: str
    row: int
    type: str
    formula: bytes | None
    value: bytes | None
    rich: bool


def suspects(window: bytes) -> list[int]:
    """The places, in order, of possible hidden cells. ``window`` holds no comments and no CDATA."""
    errors = [match.start() for match in _ERROR.finditer(window)] if _may_have_errors(window) else []
    # A search for a byte that is nowhere runs at the speed of memory, which no expression reaches.
    has_formulas = b"f" in window and b"<f" in window
    formulas = [match.start() for match in _FORMULA.finditer(window)] if has_formulas else []
    return sorted(errors + formulas) if errors and formulas else errors or formulas


def _may_have_errors(window: bytes) -> bool:
    """Whether :data:`_ERROR` can match, as :func:`suspects` rules it out."""
    return (
        (b"e" in window and b'"e"' in window)
        or (b"'" in window and (b"'e'" in window or b"'&" in window))
        or (b"&" in window and b'"&' in window)
    )


def plain_cell(window: bytes, place: int) -> PlainCell | None:
    """Read the cell around the place; None if it needs a parser."""
    match = _CELL.match(window, max(0, window.rfind(b"<c ", 0, place + 1)))
    if match is None or match.end() <= place:
        return None
    letters, row, attributes, has_formula, formula, has_value, value = match.groups(b"")
    return PlainCell(
        match.end(),
        letters.decode(),
        int(row),
        _type(attributes) if attributes else "n",
        formula if has_formula else None,
        value if has_value else None,
        _RICH in attributes,
    )


def plain_text(xml: bytes | None) -> str | None:
    """Decode the text of XML; None if it needs a parser."""
    if not xml:
        return ""
    if _ODD_TEXT.search(xml):
        return None
    try:
        text = xml.decode()
    except UnicodeDecodeError:
        return None
    if "&" in text:
        for entity, character in _ENTITIES:
            text = text.replace(entity, character)
    return text


@lru_cache(64)
def _type(attributes: bytes) -> str:
    """The type of a cell with these attributes."""
    found = _TYPE.search(attributes)
    return found[1].decode(errors="replace") if found else "n"
