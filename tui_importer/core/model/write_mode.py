"""The write mode: what an import does to the table and to the rows that are in it.

This is the one definition of its choices: command line, plan file, setup screen and HTTP derive theirs.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Literal

import msgspec

from tui_importer.core.model.fields import convert_fields
from tui_importer.errors import PlanError


class WriteKind(StrEnum):
    """What happens to the table."""

    APPEND = "append"
    CREATE = "create"
    TRUNCATE = "truncate"
    REPLACE = "replace"
    UPSERT = "upsert"

    @property
    def summary(self) -> str:
        """What a user has to know to choose it."""
        return _SUMMARIES[self]

    @property
    def seen_meanwhile(self) -> str:
        """What other readers of the table see while rows are loaded."""
        return _SEEN_MEANWHILE[self]


_SUMMARIES = {
    WriteKind.APPEND: "the rows are added to the table",
    WriteKind.CREATE: "the table must not exist",
    WriteKind.TRUNCATE: "the rows take the place of those in the table, once all of them are loaded",
    WriteKind.REPLACE: "the same, and a table of other columns gets those of the sheet",
    WriteKind.UPSERT: "a row whose key is in the table updates the row there, every other row is added",
}

_BATCHES = "each batch once it is committed"
_SEEN_MEANWHILE = {
    WriteKind.APPEND: _BATCHES,
    WriteKind.CREATE: _BATCHES,
    WriteKind.TRUNCATE: "the old rows, until all new ones are in",
    WriteKind.REPLACE: "the old table, until all rows are in",
    WriteKind.UPSERT: _BATCHES,
}


class OnConflict(StrEnum):
    """What happens to a row whose key is in the table already, or in an earlier row of the file."""

    ERROR = "error"
    SKIP = "skip"
    UPDATE = "update"

    @property
    def summary(self) -> str:
        """What a user has to know to choose it."""
        return _CONFLICT_SUMMARIES[self]


_CONFLICT_SUMMARIES = {
    OnConflict.ERROR: "the row is rejected",
    OnConflict.SKIP: "the row is skipped",
    OnConflict.UPDATE: "the row updates the earlier one",
}

#: The values of :class:`OnConflict`, as a type for callers.
OnConflictWord = Literal["error", "skip", "update"]
#: The values of :class:`WriteKind`, as a type for callers.
WriteKindWord = Literal["append", "create", "truncate", "replace", "upsert"]


class WriteMode(msgspec.Struct, frozen=True):
    """How rows are written: the kind, the columns of the key, and what happens to a row whose key is there already.

    An empty ``key`` is the primary key. Without ``on_conflict``, an upsert updates, an append with a key skips, and
    anything else rejects. ``update`` are the columns that a row updates; if empty, all that are imported but the key.
    The constructor raises :class:`PlanError` for values that are not valid, alone or together.
    """

    kind: WriteKind = WriteKind.APPEND
    key: tuple[str, ...] = ()
    on_conflict: OnConflict = None  # type: ignore[assignment]  # the constructor replaces it
    update: tuple[str, ...] = ()

    if TYPE_CHECKING:

        def __init__(
            self,
            kind: WriteKind = WriteKind.APPEND,
            key: tuple[str, ...] = (),
            on_conflict: OnConflict | None = None,
            update: tuple[str, ...] = (),
        ) -> None: ...

    def __post_init__(self) -> None:
        if not self.on_conflict:
            msgspec.structs.force_setattr(self, "on_conflict", self._usual_on_conflict)
        convert_fields(self)
        if self.kind is WriteKind.UPSERT and self.on_conflict is OnConflict.ERROR:
            raise PlanError("mode upsert does not reject rows whose key is there: set on_conflict to update or skip")
        if self.kind is WriteKind.APPEND and self.on_conflict is OnConflict.UPDATE:
            raise PlanError("mode append does not update rows: use mode upsert")
        if self.kind is WriteKind.APPEND and self.key and self.on_conflict is OnConflict.ERROR:
            raise PlanError("a key has no effect while a row whose key is there is rejected: set on_conflict")
        if self.update and self.on_conflict is not OnConflict.UPDATE:
            raise PlanError("columns to update have an effect only where rows are updated: use mode upsert")
        for name, columns in (("key", self.key), ("update", self.update)):
            if "" in columns or len(set(columns)) < len(columns):
                raise PlanError(f"{name} must name different columns, not {', '.join(map(repr, columns))}")
        if both := [column for column in self.update if column in self.key]:
            raise PlanError(f"a column of the key is not updated: {', '.join(map(repr, both))}")

    @property
    def _usual_on_conflict(self) -> OnConflict:
        if self.kind == WriteKind.UPSERT:
            return OnConflict.UPDATE
        return OnConflict.SKIP if self.kind == WriteKind.APPEND and self.key else OnConflict.ERROR

    @property
    def needs_new_table(self) -> bool:
        """Whether a table that exists already is an error."""
        return self.kind is WriteKind.CREATE

    @property
    def after_creation(self) -> WriteMode:
        """The mode in which an import goes on after it has created its table."""
        if self.kind is not WriteKind.CREATE:
            return self
        if self.on_conflict is OnConflict.UPDATE:
            return WriteMode(WriteKind.UPSERT, self.key, OnConflict.UPDATE, self.update)
        if self.on_conflict is OnConflict.SKIP:
            return WriteMode(WriteKind.APPEND, self.key, OnConflict.SKIP)
        return WriteMode()

    @property
    def needs_stage(self) -> bool:
        """Whether the rows go to a staging table first: until all are loaded, others see the table as it was."""
        return self.kind in (WriteKind.REPLACE, WriteKind.TRUNCATE)

    @property
    def empties(self) -> bool:
        """Whether the rows that are in the table are removed."""
        return self.needs_stage

    @property
    def order_matters(self) -> bool:
        """Whether rows of the same key have to be written in the order of the file, because the first or the last
        one wins."""
        return self.on_conflict is not OnConflict.ERROR

    @property
    def identity(self) -> tuple[str | tuple[str, ...], ...]:
        """What distinguishes an import in this mode from one that appends the same rows; empty if nothing does.

        An import that created its table appends to it when it is resumed, so that these two kinds are the same.
        """
        kind = WriteKind.APPEND if self.kind is WriteKind.CREATE else self.kind
        if (kind, self.key, self.on_conflict) == (WriteKind.APPEND, (), OnConflict.ERROR):
            return ()
        parts = (kind.value, self.key, self.on_conflict.value)
        return (*parts, self.update) if self.update else parts
