"""The readers that are installed, and those that an import uses unless it is told otherwise."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tui_importer import Reader
from tui_importer.plugins.registry import load_registry

#: Names the readers that an import has to use for each of the suffixes below, so that nobody takes a run of the suite
#: for one with a plugin that was not found.
EXPECTED_VARIABLE = "TUI_IMPORTER_TEST_READERS"
_SUFFIXES = (".xlsx", ".csv")


def default_reader(path: Path) -> str:
    """The reader that an import of this file uses."""
    return load_registry().reader_for(path).name


def default_readers() -> dict[str, str]:
    """The readers that imports use, by suffix.

    Raises :class:`pytest.UsageError` if they are others than those that ``TUI_IMPORTER_TEST_READERS`` names.
    """
    found = {suffix: default_reader(Path(f"any{suffix}")) for suffix in _SUFFIXES}
    expected = os.environ.get(EXPECTED_VARIABLE)
    if expected is not None and expected.split() != list(found.values()):
        raise pytest.UsageError(f"imports use the readers {found}, and {EXPECTED_VARIABLE} says {expected}")
    return found


def workbook_readers() -> dict[str, Reader]:
    """All readers of xlsx, the built-in ones first."""
    registry = load_registry()
    names = [plugin.name for plugin in registry.plugins() if plugin.kind == "reader" and plugin.state == "active"]
    return {name: registry.make_reader(name) for name in names if ".xlsx" in registry.reader(name).extensions}
