"""Makes text from outside safe for a terminal: everything is shown, nothing is interpreted."""

from __future__ import annotations

import unicodedata

from tui_importer.core.model.patterns import pattern

#: Maximum characters of a text in one line; a cell can hold 32,767.
MAX_SHOWN = 200

# Format characters that words need: Persian and the Indian scripts join and separate letters with them, and emoji use
# them.
_HARMLESS = frozenset("\u200c\u200d")
# Controls, formats (bidirectional overrides among them), surrogates, and line and paragraph separators.
_OBEYED = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_SHORT = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}
_ORDINARY = pattern(r"[ -~]*")


def visible(text: str) -> str:
    r"""Return the text with everything that a terminal would interpret escaped: an escape is ``\x1b``, a line break
    ``\n``, an override of the writing direction ``\u202e``."""
    if _ORDINARY.fullmatch(text):
        return text
    return "".join(map(_shown, text))


def shortened(text: str, limit: int = MAX_SHOWN) -> str:
    """Return :func:`visible` of the text, cut to ``limit`` characters of the text."""
    return visible(text) if len(text) <= limit else visible(text[:limit]) + "…"


def encodable(text: str, encoding: str | None) -> str:
    """Replace what the encoding lacks: punctuation by its ASCII equivalent, letters by escapes such as ``\\xe9``."""
    encoding = encoding or "ascii"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        plain = text.translate(_PLAIN)
        return plain.encode(encoding, "backslashreplace").decode(encoding)
    except LookupError:
        return encodable(text, "ascii")
    return text


#: Characters beyond ASCII that the program itself uses.
_PLAIN = str.maketrans({"›": ">", "→": "->", "·": "/", "…": "..."})


def _shown(character: str) -> str:
    if unicodedata.category(character) not in _OBEYED or character in _HARMLESS:
        return character
    short = _SHORT.get(character)
    if short is not None:
        return short
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:
        code -= 0xDC00  # a byte of a file's name that is not text (PEP 383)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
