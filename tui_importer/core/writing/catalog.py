"""The catalog of a database: its tables, and what a run does with them besides writing rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

from tui_importer.core.model.table import Index, Table, TableColumn
from tui_importer.core.model.write_mode import WriteMode
from tui_importer.core.writing.access import Access
from tui_importer.errors import DatabaseError


class Catalog(Protocol):
    """The tables of one database. Methods raise the errors of :mod:`tui_importer.errors`.

    :class:`BaseCatalog` has the methods that not every database needs.
    """

    def reflect(self, name: str) -> Table | None:
        """The table of that name (``schema.table`` where the database has schemas), or None."""

    def create_table(self, table: Table) -> None:
        """Create the table, without its indexes."""

    def create_schema(self, name: str) -> None:
        """Create the schema unless it is there."""

    def add_columns(self, table: Table, columns: Sequence[TableColumn]) -> None:
        """Add those of these columns to the table that it does not have."""

    def definition_statements(
        self, table: Table, *, create: bool, added: Sequence[TableColumn], indexes: Sequence[Index]
    ) -> Sequence[str]:
        """The statements that :meth:`create_table` (if ``create``), :meth:`add_columns` and :meth:`create_indexes`
        execute, for people."""

    def create_stage(self, table: Table, stage: Table, *, exists: bool) -> None:
        """Create an empty table with the columns of ``stage``.

        It gets those constraints of ``table`` that can be checked on these columns alone. If ``table`` ``exists``, they
        are taken from the database.
        """

    def drop_table(self, table: Table) -> None:
        """Drop the table."""

    def create_indexes(self, table: Table, indexes: Sequence[Index], on_made: Callable[[Index], None]) -> None:
        """Create the missing indexes, concurrently where the database allows it."""

    def holds_rows(self, table: Table) -> bool:
        """Whether the table exists and holds any row."""

    def count(self, table: Table) -> int:
        """The number of rows in the table."""

    def read(self, table: Table, columns: Sequence[str], rows: int) -> Iterator[Sequence[Sequence[Any]]]:
        """Yield these columns of all rows of the table, at most ``rows`` rows at a time, as the driver returns them."""

    def supports(self, mode: WriteMode) -> bool:
        """Whether sessions write rows in this mode (:attr:`tui_importer.core.writing.backend.Destination.mode`)."""

    def referring_tables(self, table: Table) -> Sequence[str]:
        """The names of other tables with foreign keys to this one."""

    def belongings(self, table: Table) -> Sequence[str]:
        """What would be lost with the table if it was dropped, such as ``view 'sales'``: views, indexes and
        constraints beyond the primary key, triggers, and grants."""

    def check_access(self, access: Access) -> None:
        """Raise :class:`~tui_importer.errors.DatabaseError` if anything of this is not permitted.

        The message is one line that names the missing privilege and how to grant it.
        """

    def advance_sequences(self, table: Table, columns: Sequence[str]) -> Sequence[str]:
        """Advance the sequences of these columns past the highest number in the table; never set them back.

        Called once all rows are committed. Returns notes for the user.
        """


class BaseCatalog:
    """The methods of :class:`Catalog` that not every database needs, to inherit from."""

    def create_schema(self, name: str) -> None:
        """Refuse it."""
        raise DatabaseError(f"schema {name!r} cannot be created here: leave the schema out")

    def add_columns(self, table: Table, columns: Sequence[TableColumn]) -> None:
        """Refuse it."""
        raise DatabaseError(f"columns cannot be added to table {table.qualified_name!r} here: add them to the table")

    def definition_statements(
        self, table: Table, *, create: bool, added: Sequence[TableColumn], indexes: Sequence[Index]
    ) -> Sequence[str]:
        """Return none: this database has no statements to show."""
        return ()

    def supports(self, mode: WriteMode) -> bool:
        """Support rows that are only added: the database itself refuses those whose key is there already."""
        return not mode.order_matters

    def referring_tables(self, table: Table) -> Sequence[str]:
        """Return none: the database itself refuses to remove rows that are referred to."""
        return ()

    def belongings(self, table: Table) -> Sequence[str]:
        """Return what cannot be told: the table is not replaced."""
        return ("whatever belongs to it",)

    def check_access(self, access: Access) -> None:
        """Permit everything: what is not permitted will fail when it is tried."""

    def advance_sequences(self, table: Table, columns: Sequence[str]) -> Sequence[str]:
        """Do nothing: numbers that the database assigns follow imported ones by themselves."""
        return ()
