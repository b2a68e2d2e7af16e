"""Any other database that SQLAlchemy supports, written with plain INSERT statements."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import exc

from tui_importer.backends.generic.session import open_session
from tui_importer.backends.sql.catalog import SqlCatalog
from tui_importer.backends.sql.faults import first_line
from tui_importer.backends.sql.ledger import SqlLedger
from tui_importer.backends.sql.sqlalchemy_database import SQLAlchemyDatabase
from tui_importer.core.writing.backend import ConnectionSettings, Destination, Session
from tui_importer.core.writing.base import BaseBackend
from tui_importer.errors import UnreachableError, UsageError


def engine_for(url: str) -> sa.Engine:
    """Create the engine of a URL without connecting; raises :class:`UsageError` if its driver is not installed."""
    try:
        return sa.create_engine(url, poolclass=sa.NullPool)
    except exc.NoSuchModuleError as error:
        scheme = url.partition(":")[0]
        raise UsageError(f"no driver for {scheme}:// URLs is known: install one for SQLAlchemy") from error
    except ModuleNotFoundError as error:
        raise UsageError(f"the driver for this database URL is not installed: {error.name}") from error
    except (exc.ArgumentError, ValueError):
        # The message may repeat the password.
        raise UsageError("malformed database URL: write dialect+driver://user@host:port/database") from None


class Generic(BaseBackend):
    """A database behind an SQLAlchemy URL. Its driver is installed separately."""

    def __init__(self, settings: ConnectionSettings) -> None:
        self._engine = engine_for(settings.url)
        self._database = SQLAlchemyDatabase(self._engine)
        self.catalog = SqlCatalog(self._database)

    def connect(self) -> None:
        try:
            self._engine.connect().close()
        except exc.SQLAlchemyError as error:
            cause = error.orig if isinstance(error, exc.DBAPIError) and error.orig else error
            raise UnreachableError(f"no connection to the database: {first_line(cause)}") from error

    def ledger(self, schema: str | None) -> SqlLedger:
        return SqlLedger(self._database, schema)

    def open_session(self, destination: Destination) -> Session:
        self.connect()
        return open_session(self._database, destination)

    def close(self) -> None:
        self._engine.dispose()
