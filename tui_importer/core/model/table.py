"""Tables: the one to be created, and the one that is already there."""

from __future__ import annotations

from dataclasses import dataclass, field

from tui_importer.core.model.types import ColumnType


@dataclass(frozen=True, slots=True)
class TableColumn:
    """A column of a target table.

    ``default`` says that the database fills it when an import does not (a default, an identity, a generated
    column), ``default_sql`` how, where there is an expression for it; ``writable`` is false for columns that take no
    value (generated always).
    """

    name: str
    type: ColumnType
    nullable: bool = True
    default: bool = False
    writable: bool = True
    default_sql: str | None = None


@dataclass(frozen=True, slots=True)
class Index:
    """An index on ``columns``; ``name`` is unique in the schema."""

    name: str
    columns: tuple[str, ...]
    unique: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A target table: as reflected from the database, or as it shall be created.

    ``identity`` names a 64-bit primary key that the database numbers by itself; ``timestamps`` are columns that
    the database fills with the current time. ``keys`` maps each constraint on values (unique, primary, foreign,
    check) to its columns.
    """

    name: str
    columns: tuple[TableColumn, ...]
    schema: str | None = None
    identity: str | None = None
    timestamps: tuple[str, ...] = ()
    indexes: tuple[Index, ...] = ()
    keys: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def column(self, name: str) -> TableColumn | None:
        """The column of that name, or None."""
        return next((column for column in self.columns if column.name == name), None)

    def takes_default(self, name: str) -> bool:
        """Whether a blank in the column of that name takes the column's default: it could not be NULL."""
        column = self.column(name)
        return column is not None and column.default and not column.nullable

    @property
    def qualified_name(self) -> str:
        """``schema.name`` for people; databases get quoted identifiers from SQLAlchemy or the driver."""
        return f"{self.schema}.{self.name}" if self.schema else self.name
