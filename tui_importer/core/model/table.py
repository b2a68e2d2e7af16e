"""Tables, their columns and constraints, existing or to be created."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from tui_importer.core.model.table_names import joined_table_name
from tui_importer.core.model.types import ColumnType


class TableColumn(msgspec.Struct, frozen=True):
    """A column of a target table.

    ``default``: the database fills it if an import does not (a default, an identity or a generated column);
    ``default_sql`` is the expression, if there is one, also of a table to be created. ``writable`` is false if it
    accepts no value (generated always).
    """

    name: str
    type: ColumnType
    nullable: bool = True
    default: bool = False
    writable: bool = True
    default_sql: str | None = None


class ConstraintKind(StrEnum):
    """The kinds of constraints."""

    PRIMARY = "primary key"
    UNIQUE = "unique"
    FOREIGN = "foreign key"
    CHECK = "check"
    NOT_NULL = "not null"


#: The kinds by which no two rows have the same values.
UNIQUE_KINDS = (ConstraintKind.PRIMARY, ConstraintKind.UNIQUE)


class Constraint(msgspec.Struct, frozen=True):
    """What a table demands of the values in ``columns``.

    ``name`` is None if the database does not tell one. ``condition`` is the SQL expression of a check. ``partial``: a
    unique index that only holds some rows, or expressions instead of columns.
    """

    kind: ConstraintKind
    columns: tuple[str, ...]
    name: str | None = None
    condition: str | None = None
    partial: bool = False

    @property
    def label(self) -> str | None:
        """How the database's errors identify it: by its name or, as SQLite does for a check without one, by its
        condition."""
        return self.name or self.condition


class Index(msgspec.Struct, frozen=True):
    """An index on ``columns``; ``name`` is unique in the schema."""

    name: str
    columns: tuple[str, ...]
    unique: bool = False


class Table(msgspec.Struct, frozen=True):
    """A target table, as reflected from the database or to be created.

    ``identity`` names a 64-bit primary key that the database numbers; ``timestamps`` are columns that it fills with the
    current time. ``declared`` are the keys, foreign keys and checks of a table that exists, or the key of one to be
    created. ``comment`` is that of one to be created.
    """

    name: str
    columns: tuple[TableColumn, ...]
    schema: str | None = None
    identity: str | None = None
    timestamps: tuple[str, ...] = ()
    indexes: tuple[Index, ...] = ()
    declared: tuple[Constraint, ...] = ()
    comment: str | None = None

    def column(self, name: str) -> TableColumn | None:
        """The column with this name, or None."""
        return next((column for column in self.columns if column.name == name), None)

    @property
    def constraints(self) -> tuple[Constraint, ...]:
        """All constraints: those declared, the primary key of an ``identity``, and the columns that are NOT NULL."""
        identity = () if self.identity is None else (Constraint(ConstraintKind.PRIMARY, (self.identity,)),)
        not_null = (column.name for column in self.columns if not column.nullable)
        return (*self.declared, *identity, *(Constraint(ConstraintKind.NOT_NULL, (name,)) for name in not_null))

    def constraint(self, label: str | None) -> Constraint | None:
        """The declared constraint that an error of the database identifies so, or None."""
        if label is None:
            return None
        return next((constraint for constraint in self.declared if constraint.label == label), None)

    def takes_default(self, name: str) -> bool:
        """Whether a blank in this column takes the column's default, because it cannot be NULL."""
        column = self.column(name)
        return column is not None and column.default and not column.nullable

    @property
    def qualified_name(self) -> str:
        """``schema.name`` for people; the backend quotes identifiers for the database."""
        return joined_table_name(self.schema, self.name)
