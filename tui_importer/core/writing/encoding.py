"""Encoding of batches by the reading thread, so that workers do little but wait for the database."""

from __future__ import annotations

from msgspec.structs import replace

from tui_importer.core.model.batch import Batch
from tui_importer.core.scheduling.failures import INTERRUPTS, unexpected
from tui_importer.core.writing.backend import Backend
from tui_importer.errors import ImporterError


def encoded(batch: Batch, backend: Backend, name: str) -> Batch:
    """The batch with its rows encoded for the backend called ``name``, if that makes loading cheaper.

    Raises :class:`ImporterError` if encoding fails.
    """
    try:
        return replace(batch, encoded=backend.encode(batch))
    except (ImporterError, *INTERRUPTS):
        raise
    except BaseException as error:  # third-party code
        raise ImporterError(f"backend {name!r} failed: {unexpected(error)}") from error
