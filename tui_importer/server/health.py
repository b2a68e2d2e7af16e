"""Whether the database answers, checked seldom enough to be harmless."""

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

#: Seconds for which one answer of the database serves all health requests.
_VALID_FOR = 2.0
#: Seconds within which the database has to answer.
_CONNECT_TIMEOUT = 5.0

_log = logging.getLogger(__name__)


class DatabaseCheck:
    """Checks the database with one connection at a time, in a thread of its own: a database that hangs blocks no other
    work."""

    def __init__(self, settings: Settings, registry: Registry) -> None:
        address = parse_address(settings.database)
        self._spec = registry.backend_for(address.scheme)
        self._settings = ConnectionSettings(address.text, "tui_importer/health", _CONNECT_TIMEOUT)
        self._registry = registry
        self._values = settings.plan.options.plugin_options
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="health")
        self._check: asyncio.Future[bool] | None = None
        self._answered_at = float("-inf")
        self._answer = False

    async def ok(self) -> bool:
        """Whether the database accepted a connection within the last :data:`_VALID_FOR` seconds."""
        if time.monotonic() - self._answered_at < _VALID_FOR:
            return self._answer
        if self._check is None:
            self._check = asyncio.get_running_loop().run_in_executor(self._pool, self._connect)
            self._check.add_done_callback(self._keep_answer)
        done, _ = await asyncio.wait([self._check], timeout=_CONNECT_TIMEOUT)
        return bool(done) and self._answer

    def close(self) -> None:
        """Stop checking."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _keep_answer(self, check: asyncio.Future[bool]) -> None:
        self._check = None
        self._answered_at = time.monotonic()
        self._answer = not check.cancelled() and check.exception() is None and check.result()

    def _connect(self) -> bool:
        try:
            backend = self._registry.make_backend(self._spec.name, self._settings, self._values)
            try:
                backend.connect()
            finally:
                backend.close()
        except ImporterError as error:
            _log.warning("the database does not answer: %s", error)
            return False
        return True
