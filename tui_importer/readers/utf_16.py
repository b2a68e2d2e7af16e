"""Parts of workbooks in UTF-16, which the format allows and python-calamine takes for empty ones."""

from __future__ import annotations

from itertools import islice

from tui_importer.errors import SourceError
from tui_importer.readers.package import Package

#: How a file in UTF-16 begins: with a mark, or else with the first character of XML.
_BEGINNINGS = (b"\xff\xfe", b"\xfe\xff", b"<\0", b"\0<")
#: How many parts are looked at: a program writes all of them in one encoding.
_LOOKED_AT = 256
#: Bytes that are read of a part, packed.
_PIECE = 512


def has_utf_16(package: Package) -> bool:
    """Whether any part with XML is in UTF-16."""
    parts = (member.filename for member in package.members() if is_xml(member.filename))
    return any(is_utf_16(package, part.lstrip("/")) for part in islice(parts, _LOOKED_AT))


def is_utf_16(package: Package, part: str) -> bool:
    """Whether a part with XML is in UTF-16; of a damaged one, which may be of no use to anybody, that is not said."""
    try:
        return next(filter(None, package.pieces(part, _PIECE)), b"").startswith(_BEGINNINGS)
    except SourceError:
        return False


def is_xml(name: str) -> bool:
    """Whether a part holds XML, by its name."""
    return name.lower().endswith((".xml", ".rels"))
