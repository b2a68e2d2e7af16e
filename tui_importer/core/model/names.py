"""Column names from headers, table names from sheets and files, and comparison of headers.

A name is snake_case in the script of the header, never empty, within every database's limit, and never that of a system
column. Reserved words are allowed, because identifiers are always quoted.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Sequence
from functools import lru_cache

import msgspec

from tui_importer.core.model.cells import column_letters
from tui_importer.core.model.lists import listed

#: PostgreSQL truncates longer identifiers without an error (NAMEDATALEN - 1); MySQL allows 64, SQL Server 128.
MAX_NAME_BYTES = 63

#: Names that a column cannot have: PostgreSQL's system columns, which CREATE TABLE refuses ("oid" up to version 11),
#: and SQLite's names of the row number, which a column of that name would hide.
SYSTEM_COLUMNS = frozenset({"cmax", "cmin", "ctid", "oid", "rowid", "tableoid", "xmax", "xmin"})

#: Prefixes of table names that users cannot have: SQLite refuses the first; the second is that of the ledger.
SYSTEM_TABLES = ("sqlite_", "tui_importer_")

#: The table's name if the name of the sheet or file has no letter or digit.
NAMELESS_TABLE = "imported"

#: The number of characters of a header that a message shows.
MAX_SHOWN = 40

#: Characters inside a word that are removed without splitting it ("Owner's" is one word).
_INSIDE_WORDS = frozenset("'’ʼ`´")


class TargetNames(msgspec.Struct, frozen=True):
    """One name per header, in order, and a note for each name that is not simply its header in snake_case."""

    names: tuple[str, ...]
    notes: tuple[str, ...]


def target_names(
    headers: Sequence[str | None], taken: Collection[str] = (), *, positions: Sequence[int] | None = None
) -> TargetNames:
    """The column names for a sheet's headers: unique ignoring case, also among ``taken``.

    ``taken`` are the columns that the table has anyway (its identity, its timestamps). ``positions`` are the sheet
    columns (from 0) of the headers, by default the first ones of the sheet.
    """
    places = range(len(headers)) if positions is None else positions
    reasons: list[list[str]] = []
    requested: list[str] = []
    for header, place in zip(headers, places, strict=True):
        name, why = _requested_name(header, place)
        requested.append(name)
        reasons.append(why)

    names: list[str | None] = [None] * len(requested)
    own = {name.casefold() for name in taken}
    used = set(own)
    # Headers get the name they ask for if it is free; those with text come before blank ones. So "a", "a", "a_2" become
    # a, a_3, a_2, and no header loses its name to a generated one.
    for with_text in (True, False):
        for index, (header, name) in enumerate(zip(headers, requested, strict=True)):
            if bool(snake_case(header or "")) is with_text and name.casefold() not in used:
                names[index] = name
                used.add(name.casefold())
    for index, name in enumerate(requested):
        if names[index] is None:
            reasons[index].append("is a name the table has by itself" if name.casefold() in own else "repeats")
            names[index] = free = _numbered(name, used)
            used.add(free.casefold())

    changed = dict[str, list[tuple[str, str, str]]]()
    unique = tuple(name for name in names if name is not None)
    for header, place, why, name in zip(headers, places, reasons, unique, strict=True):
        if why:
            changed.setdefault(" and ".join(why), []).append((column_letters(place), _shown(header), name))
    return TargetNames(unique, tuple(_note(why, columns) for why, columns in changed.items()))


def _note(why: str, columns: Sequence[tuple[str, str, str]]) -> str:
    """One note for all columns whose name differs from the header for the same reason.

    ``columns`` are their letters, headers as shown, and names.
    """
    if len(columns) == 1:
        ((letters, header, name),) = columns
        return f"column {letters}: header{header} {why}, becomes {name}"
    described = listed([f"{letters}{header}" for letters, header, _ in columns])
    return f"columns {described}: header {why}, become {listed([name for _, _, name in columns])}"


def table_name(text: str) -> str:
    """A table name from the name of a sheet or of a file (without its suffix)."""
    name = snake_case(text) or NAMELESS_TABLE
    if name[0].isdecimal() or name.startswith(SYSTEM_TABLES):
        name = f"_{name}"
    return _cut(name)


def normalized(header: str | None) -> str:
    """A header in the form used for comparison: only letters and digits, ignoring case.

    "E-Mail" and "email" are equal. A header without letters and digits is compared by its characters; a blank one is
    ``""``.
    """
    letters = snake_case(header or "").replace("_", "").casefold()
    return unicodedata.normalize("NFKC", letters) or "".join((header or "").split())


@lru_cache(maxsize=1024)
def snake_case(text: str) -> str:
    """The words of a text in lower case, joined by underscores; ``""`` if it has no letter or digit."""
    text = unicodedata.normalize("NFKC", text)
    marked: list[str] = []
    for index, char in enumerate(text):
        if _starts_word(text, index):
            marked.append(" ")
        if _is_word(char):
            marked.append(char)
        elif char not in _INSIDE_WORDS and unicodedata.category(char) != "Cf":
            marked.append(" ")  # characters of category Cf are invisible: soft hyphens, joiners, a byte order mark
    words = unicodedata.normalize("NFKC", "".join(marked).lower()).split()
    # A combining mark without its letter is not a word.
    return "_".join(word for word in words if any(map(str.isalnum, word)))


def _requested_name(header: str | None, place: int) -> tuple[str, list[str]]:
    """The name that a header asks for, and why it differs from the header in snake_case."""
    name = snake_case(header or "")
    if not name:
        why = "has no letter or digit" if header and header.strip() else "is blank"
        return f"column_{column_letters(place).lower()}", [why]
    why_not = []
    if name in SYSTEM_COLUMNS:
        why_not.append("is a system column of a database")
        name = f"{name}_"
    if name[0].isdecimal():
        why_not.append("starts with a digit")
        name = f"_{name}"
    if len(name.encode()) > MAX_NAME_BYTES:
        why_not.append(f"is longer than {MAX_NAME_BYTES} bytes")
        name = _cut(name)
    return name, why_not


def _numbered(name: str, used: Collection[str]) -> str:
    number = 2
    while True:
        suffix = f"_{number}"
        candidate = _cut(name.rstrip("_"), MAX_NAME_BYTES - len(suffix)) + suffix
        if candidate.casefold() not in used:
            return candidate
        number += 1


def _cut(name: str, limit: int = MAX_NAME_BYTES) -> str:
    """The name cut to ``limit`` bytes of UTF-8, between characters."""
    if len(name.encode()) <= limit:
        return name
    return name.encode()[:limit].decode(errors="ignore").rstrip("_")


def _is_word(char: str) -> bool:
    # Vowel signs and accents (category M) belong to their letter; many scripts need them.
    return char.isalnum() or unicodedata.category(char).startswith("M")


def _starts_word(text: str, index: int) -> bool:
    """Whether a capital begins a word: firstName, HTTPServer, Q1Sales, but not IDs, B2B, H2O."""
    if index == 0 or not text[index].isupper():
        return False
    before, after = text[index - 1], text[index + 1 : index + 3]
    return before.islower() or (before.isalnum() and len(after) == 2 and all(map(str.islower, after)))


def _shown(header: str | None) -> str:
    text = (header or "").strip()
    if not text:
        return ""
    if len(text) > MAX_SHOWN:
        text = f"{text[:MAX_SHOWN]}…"
    return f" {text!r}"
