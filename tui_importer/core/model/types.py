"""The types of target columns, independent of the database."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from tui_importer.core.model.patterns import pattern
from tui_importer.errors import PlanError


class Kind(StrEnum):
    """The kinds of column types, to which a database's own types are mapped."""

    TEXT = "text"
    INTEGER = "integer"
    NUMERIC = "numeric"
    FLOAT = "float"
    BOOLEAN = "boolean"
    DATE = "date"
    TIME = "time"
    TIMESTAMP = "timestamp"
    INTERVAL = "interval"
    #: A type of an existing table that only its database understands (uuid, jsonb, an enum ...):
    #: cells are sent as text, which the database parses.
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class ColumnType:
    """A column's type. ``str()`` returns it as in ``--type`` and in plan files; :meth:`parse` reads that.

    ``length`` is in characters, ``bits`` the width of an integer, ``precision`` and ``scale`` in decimal digits;
    ``native`` is the database's name of an OTHER type. Only a timestamp can have a ``timezone``: then its values are
    moments, which a database returns in the time zone of the session. Without one, a value with a zone is refused.
    With ``literals``, the database takes texts for values that no Python type holds (``infinity``, dates BC, spans of
    months and years), which makes no other type. Raises ``ValueError`` for another kind with a time zone.
    """

    kind: Kind
    length: int | None = None
    bits: int = 64
    precision: int | None = None
    scale: int | None = None
    timezone: bool = False
    native: str | None = None
    literals: bool = field(default=False, compare=False)

    def __post_init__(self) -> None:
        if self.timezone and self.kind is not Kind.TIMESTAMP:
            raise ValueError(f"a column of kind {self.kind.value} has no time zone")

    def __str__(self) -> str:
        match self.kind:
            case Kind.TEXT if self.length is not None:
                return f"text({self.length})"
            case Kind.INTEGER if self.bits != 64:
                return f"integer({self.bits})"
            case Kind.NUMERIC if self.precision is not None:
                return f"numeric({self.precision},{self.scale or 0})"
            case Kind.TIMESTAMP if self.timezone:
                return "timestamptz"
            case Kind.OTHER:
                return f"other({self.native})"
            case _:
                return self.kind.value

    @classmethod
    def parse(cls, text: str) -> ColumnType:
        """Parse ``text``, ``text(40)``, ``integer``, ``numeric(10,2)``, ``timestamptz`` and their synonyms.

        Raises :class:`PlanError` naming the known types.
        """
        match = _TYPE.fullmatch(text.strip().lower())
        if match:
            word, first, second = match.group("word"), match.group("first"), match.group("second")
            kind, bits, timezone = _WORDS.get(word, (None, 64, False))
            if kind is Kind.TEXT and second is None:
                return cls(kind, length=int(first) if first else None)
            if kind is Kind.INTEGER and second is None and first in (None, "16", "32", "64"):
                return cls(kind, bits=int(first) if first else bits)
            if kind is Kind.NUMERIC:
                if first is None:
                    return cls(kind)
                precision, scale = int(first), int(second or 0)
                if 0 < precision <= 1000 and scale <= precision:
                    return cls(kind, precision=precision, scale=scale)
            elif kind is not None and first is None:
                return cls(kind, timezone=timezone)
        if native := _NATIVE.fullmatch(text.strip()):
            return cls(Kind.OTHER, native=native.group(1))
        known = ", ".join(kind.value for kind in Kind if kind is not Kind.OTHER)
        raise PlanError(f"unknown type {text!r}: use one of {known}, text(N) or numeric(P,S)")


TEXT = ColumnType(Kind.TEXT)
INTEGER = ColumnType(Kind.INTEGER)
FLOAT = ColumnType(Kind.FLOAT)
BOOLEAN = ColumnType(Kind.BOOLEAN)
DATE = ColumnType(Kind.DATE)
TIME = ColumnType(Kind.TIME)
TIMESTAMP = ColumnType(Kind.TIMESTAMP)
TIMESTAMPTZ = ColumnType(Kind.TIMESTAMP, timezone=True)
INTERVAL = ColumnType(Kind.INTERVAL)

_TYPE = pattern(r"(?P<word>[a-z]+[0-9]*(?: [a-z ]+)?)\s*(?:\(\s*(?P<first>\d+)\s*(?:,\s*(?P<second>\d+)\s*)?\))?")
_NATIVE = pattern(r"other\((.+)\)")

#: The accepted words with their meaning: (kind, bits, with time zone).
_WORDS: dict[str, tuple[Kind, int, bool]] = {
    **{kind.value: (kind, 64, False) for kind in Kind if kind is not Kind.OTHER},
    **dict.fromkeys(("string", "str", "varchar", "char"), (Kind.TEXT, 64, False)),
    **dict.fromkeys(("int", "bigint", "int8"), (Kind.INTEGER, 64, False)),
    "int4": (Kind.INTEGER, 32, False),
    **dict.fromkeys(("smallint", "int2"), (Kind.INTEGER, 16, False)),
    "decimal": (Kind.NUMERIC, 64, False),
    **dict.fromkeys(("real", "double", "double precision", "float8"), (Kind.FLOAT, 64, False)),
    "bool": (Kind.BOOLEAN, 64, False),
    "datetime": (Kind.TIMESTAMP, 64, False),
    "timestamptz": (Kind.TIMESTAMP, 64, True),
    "duration": (Kind.INTERVAL, 64, False),
}
