"""What the ledger and the catalog need of a database: connections that execute composed statements.

Each driver has its own (:class:`SqlDatabase`, :class:`SqlConnection`), and so has SQLAlchemy for any other database, so
that a run imports what it uses: SQLAlchemy takes longer to import than a small sheet.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tui_importer.backends.sql.dialects import SqlDialect
from tui_importer.backends.sql.faults import first_line, is_transient
from tui_importer.errors import DatabaseError, TransientFault

if TYPE_CHECKING:
    import sqlalchemy as sa

#: The values of a statement's parameters, by name.
Parameters = Mapping[str, Any]

NO_PARAMETERS: Parameters = {}


class SqlConnection(ABC):
    """A connection to the database. The first statement opens a transaction, or :meth:`SqlDatabase.transaction`.

    Statements are composed by the database's :class:`~tui_importer.backends.sql.dialects.SqlDialect`. Methods raise the
    driver's errors.
    """

    @abstractmethod
    def execute(self, statement: str, parameters: Parameters = NO_PARAMETERS) -> int:
        """Execute a statement; returns how many rows it has affected (-1 if the driver cannot tell)."""

    @abstractmethod
    def execute_many(self, statement: str, parameters: Sequence[Parameters]) -> None:
        """Execute a statement with each of the parameters."""

    @abstractmethod
    def execute_script(self, script: str) -> None:
        """Execute a text as it is: no driver looks for parameters in it."""

    @abstractmethod
    def rows(self, query: str, parameters: Parameters = NO_PARAMETERS) -> Sequence[Sequence[Any]]:
        """All rows of a query's result."""

    @abstractmethod
    def stream(self, query: str, rows: int) -> Iterator[Sequence[Sequence[Any]]]:
        """Yield the rows of a query's result, at most ``rows`` at a time, and hold no more."""

    @abstractmethod
    def commit(self) -> None:
        """Commit the open transaction."""

    @abstractmethod
    def close(self) -> None:
        """Close the connection; what is not committed is rolled back."""

    @property
    @abstractmethod
    def closed(self) -> bool:
        """Whether the connection was closed or lost."""

    def row(self, query: str, parameters: Parameters = NO_PARAMETERS) -> Sequence[Any] | None:
        """The first row of a query's result, or None."""
        return next(iter(self.rows(query, parameters)), None)

    def value(self, query: str, parameters: Parameters = NO_PARAMETERS) -> Any:
        """The first value of the first row of a query's result, or None."""
        found = self.row(query, parameters)
        return None if found is None else found[0]


class SqlDatabase(ABC):
    """A database, as the operations see it that a run needs once or twice."""

    def __init__(self, dialect: SqlDialect) -> None:
        self.dialect = dialect

    @abstractmethod
    def connect(self) -> SqlConnection:
        """A new connection, which the caller closes."""

    @abstractmethod
    def connection(self) -> AbstractContextManager[SqlConnection]:
        """A connection for a short time, of any thread; in the end, what is not committed is rolled back."""

    @abstractmethod
    def inspected(self) -> AbstractContextManager[sa.Connection]:
        """A connection of SQLAlchemy for a short time, which reads definitions of tables."""

    @abstractmethod
    def cause(self, error: Exception) -> tuple[BaseException, bool] | None:
        """The driver's own error behind one that it has raised, and whether the connection was lost; None for the error
        of anything else."""

    @contextmanager
    def errors(self, doing: str) -> Iterator[None]:
        """Raise the driver's errors as ours, in one line that says what failed."""
        try:
            yield
        except Exception as error:
            found = self.cause(error)
            if found is None:
                raise
            cause, lost = found
            kind = TransientFault if lost or is_transient(cause) else DatabaseError
            sqlstate = getattr(cause, "sqlstate", None)
            raise kind(f"cannot {doing}: {first_line(cause)}", sqlstate=sqlstate) from cause

    @contextmanager
    def reading(self, doing: str) -> Iterator[SqlConnection]:
        """A connection that writes nothing; errors say that it was not possible to do this."""
        with self.errors(doing), self.connection() as connection:
            yield connection

    @contextmanager
    def inspecting(self, doing: str) -> Iterator[sa.Connection]:
        """As :meth:`reading`, a connection of SQLAlchemy."""
        with self.errors(doing), self.inspected() as connection:
            yield connection

    @contextmanager
    def transaction(self, doing: str) -> Iterator[SqlConnection]:
        """A connection in a transaction that is committed in the end; errors are raised as by :meth:`errors`."""
        with self.errors(doing), self.connection() as connection:
            if self.dialect.begin is not None:
                connection.execute(self.dialect.begin)
            yield connection
            connection.commit()


class DriverDatabase(SqlDatabase, ABC):
    """A database whose own driver executes the statements. SQLAlchemy is imported only to read definitions of
    tables."""

    @abstractmethod
    def driver_cause(self, error: Exception) -> tuple[BaseException, bool] | None:
        """As :meth:`cause`, of the driver's errors."""

    @abstractmethod
    def make_engine(self) -> sa.Engine:
        """An engine of SQLAlchemy on the driver's connections."""

    def cause(self, error: Exception) -> tuple[BaseException, bool] | None:
        found = self.driver_cause(error)
        if found is not None or "_engine" not in self.__dict__:
            return found
        from tui_importer.backends.sql.sqlalchemy_database import sqlalchemy_cause

        return sqlalchemy_cause(error)

    @contextmanager
    def inspected(self) -> Iterator[sa.Connection]:
        with self._engine.connect() as connection:
            yield connection

    def close(self) -> None:
        """Close the connections that are not in use."""
        if "_engine" in self.__dict__:
            self._engine.dispose()

    @cached_property
    def _engine(self) -> sa.Engine:
        return self.make_engine()


def is_of_constraint(error: BaseException | None) -> bool:
    """Whether a driver's error says that a constraint is violated (PEP 249, IntegrityError)."""
    return any(kind.__name__ == "IntegrityError" for kind in type(error).__mro__)
