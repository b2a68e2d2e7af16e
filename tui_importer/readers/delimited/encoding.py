"""Finds out the encoding of a text file. An encoding is believed only if the file's bytes prove it.

UTF-8 proves itself: other text that has bytes above 127 is hardly ever valid UTF-8 (RFC 3629, section 1). UTF-16 and
UTF-32 are told by a byte order mark, or by the NUL bytes of their ASCII characters. Every other encoding would give
some letters for these bytes, and perhaps other ones than were written, so the user has to name it.
"""

from __future__ import annotations

import codecs
import unicodedata
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import msgspec

from tui_importer.errors import SourceError

#: Byte order marks, the longer ones first: that of UTF-32 begins like that of UTF-16 (Unicode, section 23.8).
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_UTF_8 = ("utf-8", "utf-8-sig")
#: Encodings without a mark that ASCII characters reveal by their NUL bytes.
_WIDE = ("utf-32-le", "utf-32-be", "utf-16-le", "utf-16-be")
#: Encodings to propose, by the names that people know: those of East Asia accept few texts that were not written in
#: them, the others nearly all.
_EASTERN = ("shift_jis", "gb18030", "big5", "euc_kr", "euc_jp")
_WESTERN = ("windows-1252", "windows-1250", "windows-1251")
#: How many encodings are proposed, and how many characters of the text are shown in each.
_PROPOSALS, _SHOWN = 4, 24
#: Control characters that occur in texts: tab, line breaks, form feed, and the separators of ASCII.
_USUAL_CONTROLS = frozenset("\t\n\v\f\r\x1a\x1c\x1d\x1e\x1f\x85")
#: The lines that are not UTF-8 by which encodings are proposed.
_SAMPLE_LINES = 1_000
_CHUNK = 1 << 20
_HEAD = 1 << 16


#: Tells whether the whole of a file is valid UTF-8, and whether a backslash occurs in front of a quote.
Examine = Callable[[Path], tuple[bool, bool]]


class TextEncoding(msgspec.Struct, frozen=True):
    """The encoding of a file, and whether a backslash occurs in front of a quote (so that it may be an escape)."""

    name: str
    backslash_quotes: bool = False


def find_encoding(path: Path, given: str | None = None, examine: Examine | None = None) -> TextEncoding:
    """The encoding of a text file, checked for the whole file; a guess from its beginning could fail at row 350,000.

    ``given`` is the user's choice, ``examine`` a faster way of finding out about UTF-8. Raises :class:`SourceError` if
    the file is not in it, if it is not text, or if its encoding cannot be proven.
    """
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
        marked = next((name for mark, name in _MARKS if head.startswith(mark)), None)
        if given is not None:
            # A mark is not a character of the text, whatever the user calls the encoding.
            same_family = marked is not None and codecs.lookup(given).name.startswith(marked.removesuffix("-sig"))
            return _checked(path, marked if same_family and marked else given, examine)
        if marked is not None:
            return _checked(path, marked, examine)
        wide = _wide_encoding(head) if b"\0" in head else None
        if wide is not None:
            return _checked(path, wide, examine)
        return _checked(path, "utf-8", examine, guessed=True)
    except OSError as error:
        raise SourceError(f"{path}: cannot be read: {error.strerror or error}") from error


def _checked(path: Path, name: str, examine: Examine | None, *, guessed: bool = False) -> TextEncoding:
    """Decode the whole file; raises :class:`SourceError`."""
    if examine is not None and name in _UTF_8:
        valid, backslash_quotes = examine(path)
        if valid:
            return TextEncoding(name, backslash_quotes)
    decoder = codecs.getincrementaldecoder(name)()
    wide = len("a".encode(name.removesuffix("-sig"))) > 1
    escapes, tail = False, b""
    try:
        for chunk in _chunks(path):
            decoder.decode(chunk)
            escapes = escapes or (not wide and (b'\\"' in chunk or (tail == b"\\" and chunk[:1] == b'"')))
            tail = chunk[-1:]
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        raise _unproven(path) if guessed else _invalid(path, name, error) from None
    except UnicodeError:
        raise _invalid(path, name, None) from None
    return TextEncoding(name, escapes)


def _wide_encoding(head: bytes) -> str | None:
    """The encoding without a mark that explains the NUL bytes; None if it is not one with wide characters."""
    # UTF-8 may hold NUL characters too, but few. Two of its characters taken for one would give other letters.
    if head.count(0) * 4 < len(head) and _is_utf8(head, final=False):
        return None
    found: list[tuple[int, str]] = []
    for name in _WIDE:
        size = 4 if "32" in name else 2
        whole = head[: len(head) - len(head) % size]
        try:
            text = codecs.getincrementaldecoder(name)().decode(whole)
        except UnicodeDecodeError:
            continue
        usual = sum(map(text.count, "\n\r,;\t 0123456789eao"))
        if text and usual and not _is_binary(text):
            found.append((usual, name))
    return max(found)[1] if found else None


def _is_binary(text: str) -> bool:
    """Whether a text has characters that no text has."""
    return any(unicodedata.category(char) in ("Cc", "Cn", "Cs") and char not in _USUAL_CONTROLS for char in set(text))


def _invalid(path: Path, name: str, error: UnicodeDecodeError | None) -> SourceError:
    where = f" ({error.reason})" if error is not None else ""
    return SourceError(f"{path}: is not text in {name.removesuffix('-sig')}{where}: name its encoding with --encoding")


def _unproven(path: Path) -> SourceError:
    """Why a file that is not UTF-8 is refused: what it could be, or that it is not text."""
    first, bad, good, sample = 0, 0, 0, list[bytes]()
    with path.open("rb") as file:
        for number, line in enumerate(iter(partial(file.readline, _CHUNK), b""), start=1):
            if line.isascii():
                continue
            if _is_utf8(line):
                good += 1
                continue
            first, bad = first or number, bad + 1
            if bad <= _SAMPLE_LINES:
                sample.append(line)
    text = b"".join(sample)
    if b"\0" in text:
        return SourceError(f"{path}: is neither a workbook nor text: its bytes are in no encoding of text")
    what = "is not UTF-8"
    if good > bad:
        what = f"is UTF-8 but for {bad:,} line{'s' * (bad > 1)}, the first is line {first:,}"
    shown_line = sample[0].rstrip(b"\r\n")
    proposals = [f"{name} reads {_around(shown_line.decode(name))!r}" for name in _proposals(text)]
    shown = f" ({', '.join(proposals)})" if proposals else ""
    return SourceError(f"{path}: {what}, its encoding is unknown: name it with --encoding{shown}")


def _proposals(data: bytes) -> list[str]:
    """Encodings that can decode these lines, the most telling ones first."""
    eastern = [name for name in _EASTERN if _reads_letters(data, name)]
    western = [name for name in _WESTERN if _reads_letters(data, name)]
    return (eastern[:2] + western)[:_PROPOSALS]


def _reads_letters(data: bytes, name: str) -> bool:
    try:
        text = data.decode(name)
    except UnicodeDecodeError:
        return False
    foreign = {char for char in text if not char.isascii()}
    if name in _EASTERN:  # half of what they decode from other texts is neither a letter nor punctuation
        return all(unicodedata.category(char)[0] in "LPNZS" for char in foreign) and not _is_binary(text)
    return not _is_binary(text)


def _is_utf8(data: bytes, *, final: bool = True) -> bool:
    """Whether these bytes are UTF-8. Unless they are the ``final`` ones, the last character may be cut off."""
    try:
        codecs.utf_8_decode(data, "strict", final)
    except UnicodeDecodeError:
        return False
    return True


def _around(text: str) -> str:
    """The part of a line that has its first letter outside of ASCII."""
    place = next((index for index, char in enumerate(text) if not char.isascii()), 0)
    start = max(0, place - _SHOWN // 2)
    return "".join(char if char.isprintable() else "?" for char in text[start : start + _SHOWN])


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk
