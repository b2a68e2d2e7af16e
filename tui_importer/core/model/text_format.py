"""How delimited text is written, as far as the user says so."""

from __future__ import annotations

import codecs

import msgspec

from tui_importer.errors import PlanError

#: Words for delimiters that are awkward to type.
DELIMITER_WORDS = {
    "comma": ",",
    "semicolon": ";",
    "tab": "\t",
    "\\t": "\t",
    "pipe": "|",
    "colon": ":",
    "space": " ",
    "blank": " ",
}
#: The words for "nothing is quoted" and for the quotes that shells treat specially.
NO_QUOTE = "none"
QUOTE_WORDS = {"double": '"', "single": "'", NO_QUOTE: NO_QUOTE}


class TextFormat(msgspec.Struct, frozen=True):
    """The encoding, delimiter and quote of delimited text; None is detected from the file.

    ``quote`` is one character, or :data:`NO_QUOTE`.
    """

    encoding: str | None = None
    delimiter: str | None = None
    quote: str | None = None


def parse_encoding(text: str) -> str:
    """Check the name of a text encoding; raises :class:`PlanError`."""
    try:
        codec = codecs.lookup(text.strip())
        text_codec = codec._is_text_encoding  # what bytes.decode asks as well
    except (LookupError, ValueError):
        text_codec = False
    if not text_codec:
        raise PlanError(
            f"encoding must be that of a text, like utf-8, windows-1252, windows-1251 or shift_jis, not {text!r}"
        )
    return text.strip()


def parse_delimiter(text: str) -> str:
    """One character, or a word like ``tab``; raises :class:`PlanError`."""
    delimiter = DELIMITER_WORDS.get(text.strip().lower() or text, text)
    if len(delimiter) != 1 or delimiter in "\"'\r\n\0":
        raise PlanError(
            f"delimiter must be one character, or one of {', '.join(_words(DELIMITER_WORDS))}, not {text!r}"
        )
    return delimiter


def parse_quote(text: str) -> str:
    """One character, or a word like ``double``; raises :class:`PlanError`."""
    quote = QUOTE_WORDS.get(text.strip().lower(), text)
    if quote != NO_QUOTE and (len(quote) != 1 or quote.isalnum() or quote in " \t\r\n\0"):
        raise PlanError(f"quote must be one character, or one of {', '.join(_words(QUOTE_WORDS))}, not {text!r}")
    return quote


def _words(words: dict[str, str]) -> list[str]:
    return [word for word in words if word.isalpha()]
