"""Opens the backend of a database by its address alone, for what is not an import."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tui_importer.core.model.url import DatabaseAddress
from tui_importer.core.writing.backend import Backend, ConnectionSettings
from tui_importer.plugins.registry import load_registry

_CONNECT_TIMEOUT = 10.0


@contextmanager
def connected(address: DatabaseAddress, purpose: str) -> Iterator[Backend]:
    """Connect to a database; it is shown there as ``tui_importer/PURPOSE``.

    Raises :class:`tui_importer.errors.ImporterError` if there is no backend for it, or if it cannot be reached.
    """
    registry = load_registry()
    spec = registry.backend_for(address.scheme)
    backend = registry.make_backend(
        spec.name, ConnectionSettings(address.text, f"tui_importer/{purpose}", _CONNECT_TIMEOUT)
    )
    try:
        backend.connect()
        yield backend
    finally:
        backend.close()
