"""Batches in the form in which a database takes them, made ahead: workers are left with little but waiting for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from tui_importer.core.model.batch import Batch
from tui_importer.core.scheduling.failures import INTERRUPTS, unexpected
from tui_importer.core.writing.backend import Backend
from tui_importer.errors import ImporterError


class Encoder(Protocol):
    """What a :class:`~tui_importer.core.writing.backend.Backend` may be besides."""

    def encode(self, batch: Batch) -> object:
        """Whatever makes it cheaper to load the whole batch, for its ``encoded``; None where there is nothing.

        Called by the reading thread, once for each batch.
        """


def encoded(batch: Batch, backend: Backend, name: str) -> Batch:
    """The batch with what its backend, called ``name``, makes of it ahead; raises :class:`ImporterError` where that
    fails."""
    encode: Callable[[Batch], object] | None = getattr(backend, "encode", None)
    if encode is None:
        return batch
    try:
        return replace(batch, encoded=encode(batch))
    except (ImporterError, *INTERRUPTS):
        raise
    except BaseException as error:  # a stranger's code
        raise ImporterError(f"backend {name!r} failed: {unexpected(error)}") from error
