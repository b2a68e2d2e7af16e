"""The hook specifications. A plugin is a module or an object that implements any of them, found through the entry point
group ``tui_importer``."""

from __future__ import annotations

import pluggy

from tui_importer.plugins.specs import BackendSpec, ExecutorSpec, ReaderSpec, StrategySpec

PROJECT = "tui_importer"

#: The version of the interface for plugins. It is raised when plugins made for the one before would break or, worse, do
#: something wrong without breaking; compiled plugins compare it with theirs.
PLUGIN_API_VERSION = 1

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def tui_importer_readers() -> list[ReaderSpec]:  # type: ignore[empty-body]
    """Return the readers of this plugin."""


@hookspec
def tui_importer_strategies() -> list[StrategySpec]:  # type: ignore[empty-body]
    """Return the strategies of this plugin."""


@hookspec
def tui_importer_backends() -> list[BackendSpec]:  # type: ignore[empty-body]
    """Return the database backends of this plugin."""


@hookspec
def tui_importer_executors() -> list[ExecutorSpec]:  # type: ignore[empty-body]
    """Return the executors of this plugin."""
