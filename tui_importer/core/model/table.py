"""Tables and their columns, existing or to be created."""

from __future__ import annotations

from dataclasses import dataclass, field

from tui_importer.core.model.types import ColumnType


@dataclass(frozen=True, slots=True)
class TableColumn:
    """A column of a target table.

    ``default``: the database fills it if an import does not (a default, an identity or a generated column);
    ``default_sql`` is the expression, if there is one. ``writable`` is false if it accepts no value (generated always).
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
    """A target table, as reflected from the database or to be created.

    ``identity`` names a 64-bit primary key that the database numbers; ``timestamps`` are columns that it fills with the
    current time. ``keys`` maps each constraint on values (unique, primary, foreign, check) to its columns.
    """

    name: str
    columns: tuple[TableColumn, ...]
    schema: str | None = None
    identity: str | None = None
    timestamps: tuple[str, ...] = ()
    indexes: tuple[Index, ...] = ()
    keys: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def column(self, name: str) -> TableColumn | None:
        """The column with this name, or None."""
        return next((column for column in self.columns if column.name == name), None)

    def takes_default(self, name: str) -> bool:
        """Whether a blank in this column takes the column's default, because it cannot be NULL."""
        column = self.column(name)
        return column is not None and column.default and not column.nullable

    @property
    def qualified_name(self) -> str:
        """``schema.name`` for people; SQLAlchemy or the driver quote identifiers for the database."""
        return f"{self.schema}.{self.name}" if self.schema else self.name
