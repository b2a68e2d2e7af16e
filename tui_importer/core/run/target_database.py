"""The database of a run: its backend and its ledger, and what was looked up there while the file was being parsed."""

from __future__ import annotations

from collections.abc import Sequence

from tui_importer.core.model.names import table_name
from tui_importer.core.model.plan import Plan
from tui_importer.core.model.standard_input import source_path
from tui_importer.core.model.table import Table
from tui_importer.core.run.context import RunContext
from tui_importer.core.writing.backend import Backend
from tui_importer.core.writing.ledger import Ledger, PastRun
from tui_importer.errors import TransientFault


class TargetDatabase:
    """One database, connected after :meth:`connect`. Methods raise the errors of :mod:`tui_importer.errors`.

    ``ledger`` is None in a dry run into a table that does not exist: there is nothing to ask it.
    """

    def __init__(self, context: RunContext) -> None:
        self._context = context
        self._tables: dict[str, Table | None] = {}
        self._histories: dict[str, Sequence[PastRun]] = {}
        self.ledger: Ledger | None = None
        self.backend = _open(context)

    def connect(self) -> None:
        """Connect, and look up the table that is most likely the target; if it is another, the connection is warm."""
        # Wait for a database that is busy, but not for one that cannot be reached.
        self._context.retried(self.backend.connect, (TransientFault,))
        self._context.retried(lambda: self._look_ahead(self._context.plan))

    def table(self, name: str) -> Table | None:
        """The table of that name, or None."""
        if name not in self._tables:
            self._tables[name] = self._context.retried(lambda: self.backend.catalog.reflect(name))
        return self._tables[name]

    def history(self, ledger: Ledger, name: str) -> Sequence[PastRun]:
        """The runs into the table of that name, the latest first."""
        if name not in self._histories:
            self._histories[name] = self._context.retried(lambda: ledger.history(name))
        return self._histories[name]

    def close(self) -> None:
        """Close all connections."""
        if self.ledger is not None:
            self.ledger.close()
        self.backend.close()

    def _look_ahead(self, plan: Plan) -> None:
        named = plan.target.table if "{" not in (plan.target.table or "") else None
        likely = named or table_name(source_path(plan.source.file).stem)
        self._tables[likely] = self.backend.catalog.reflect(likely)
        if not plan.options.dry_run or self._tables[likely] is not None:
            self.ledger = self.backend.ledger(plan.options.ledger_schema)
            self._histories[likely] = self.ledger.history(likely)


def table_exists(context: RunContext, name: str) -> bool:
    """Whether there is such a table in the database of an import, asked before the import begins. Raises as
    :class:`TargetDatabase` does."""
    backend = _open(context)
    try:
        context.retried(backend.connect, (TransientFault,))
        return context.retried(lambda: backend.catalog.reflect(name)) is not None
    finally:
        backend.close()


def _open(context: RunContext) -> Backend:
    backend = context.components.open_backend(context.connection_settings())
    if not context.plan.options.dry_run:
        return backend
    from tui_importer.core.writing.dry_run import DryBackend  # imports asyncio, which few runs need

    return DryBackend(backend)
