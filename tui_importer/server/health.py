"""Whether the database answers, asked seldom enough that asking harms nobody."""

from __future__ import annotations

import asyncio
import logging
import time
from concurrent.futures import ThreadPoolExecutor

from tui_importer.core.model.url import parse_address
from tui_importer.core.writing.backend import ConnectionSettings
from tui_importer.errors import ImporterError
from tui_importer.plugins.registry import Registry
from tui_importer.server.settings import Settings

#: Seconds for which an answer of the database is good for everybody who asks.
_GOOD_FOR = 2.0
#: Seconds within which the database has to answer.
_PATIENCE = 5.0

_log = logging.getLogger(__name__)


class DatabaseCheck:
    """One connection at a time, in a thread of its own: a database that hangs takes nobody else's place."""

    def __init__(self, settings: Settings, registry: Registry) -> None:
        address = parse_address(settings.database)
        self._spec = registry.backend_for(address.scheme)
        self._settings = ConnectionSettings(address.text, "tui_importer/health", _PATIENCE)
        self._registry = registry
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="health")
        self._asking: asyncio.Future[bool] | None = None
        self._answered_at = float("-inf")
        self._answer = False

    async def ok(self) -> bool:
        """Whether the database lets us in, at most :data:`_GOOD_FOR` seconds ago."""
        if time.monotonic() - self._answered_at < _GOOD_FOR:
            return self._answer
        if self._asking is None:
            self._asking = asyncio.get_running_loop().run_in_executor(self._pool, self._ask)
            self._asking.add_done_callback(self._note)
        done, _ = await asyncio.wait([self._asking], timeout=_PATIENCE)
        return bool(done) and self._answer

    def close(self) -> None:
        """Ask no more."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _note(self, asked: asyncio.Future[bool]) -> None:
        self._asking = None
        self._answered_at = time.monotonic()
        self._answer = not asked.cancelled() and asked.exception() is None and asked.result()

    def _ask(self) -> bool:
        try:
            backend = self._registry.make_backend(self._spec.name, self._settings)
            try:
                backend.connect()
            finally:
                backend.close()
        except ImporterError as error:
            _log.warning("the database does not answer: %s", error)
            return False
        return True
