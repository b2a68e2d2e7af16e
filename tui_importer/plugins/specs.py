"""Descriptions of what plugins offer. They are small, so that listing plugins imports no driver and no library."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from tui_importer.core.scheduling.executor import Executor
    from tui_importer.core.scheduling.strategy import Strategy
    from tui_importer.core.source.reader import Reader
    from tui_importer.core.writing.backend import Backend


class _Optional(msgspec.Struct, frozen=True, kw_only=True):
    options: type[msgspec.Struct] | None = None


class _Spec(_Optional, frozen=True):
    """``factory`` creates the object: a callable, or ``"package.module:attribute"``, imported when first needed.

    ``options`` is a frozen :class:`msgspec.Struct` whose fields are the plugin's options
    (:mod:`tui_importer.plugins.options`); if there is one, the factory is also called with ``options=`` and an instance
    of it.
    """

    name: str
    summary: str
    factory: Callable[..., Any] | str

    def make(self, *args: Any, **options: Any) -> Any:
        """Call the factory. Third-party code may raise anything."""
        return _resolved(self.factory)(*args, **options)


class StrategySpec(_Spec, frozen=True):
    """A strategy; ``factory()`` returns a ``Strategy``. ``aliases`` are further names of it."""

    factory: Callable[..., Strategy] | str
    aliases: tuple[str, ...] = ()


class ReaderSpec(_Spec, frozen=True):
    """A reader; ``factory()`` returns a :class:`~tui_importer.core.source.reader.Reader`.

    ``extensions`` are the suffixes (``.xlsx``) of the files it opens. Of several readers for a suffix, the one with the
    highest ``priority`` is used; one below 0 is used only if requested by name. ``backend_setup`` has, by the name of a
    backend, what is called before that backend is created to import a file that this reader reads: a callable or
    ``"package.module:attribute"``, for what the backend needs to take the reader's encoded columns.
    """

    factory: Callable[..., Reader] | str
    extensions: tuple[str, ...] = ()
    priority: int = 0
    backend_setup: Mapping[str, Callable[[], object] | str] = {}

    def set_up(self, backend: str) -> None:
        """Call what belongs before the backend with that name is created. Third-party code may raise anything."""
        if backend in self.backend_setup:
            _resolved(self.backend_setup[backend])()


class BackendSpec(_Spec, frozen=True):
    """A database backend; ``factory(settings)`` returns a :class:`~tui_importer.core.writing.backend.Backend`.

    ``schemes`` are the schemes of its URLs (``postgresql``); ``*`` is any that no other backend has. ``schemas`` says
    whether its tables can be in schemas. ``check(url)`` raises :class:`tui_importer.errors.UsageError` for an invalid
    URL, without connecting; if it is None, the factory checks.
    """

    factory: Callable[..., Backend] | str
    schemes: tuple[str, ...] = ()
    schemas: bool = True
    check: Callable[[str], object] | str | None = None

    def check_url(self, url: str) -> None:
        """Call ``check``, if there is one; raises :class:`tui_importer.errors.UsageError`."""
        if self.check is not None:
            _resolved(self.check)(url)


class ExecutorSpec(_Spec, frozen=True):
    """An executor; ``factory()`` returns an :class:`~tui_importer.core.scheduling.executor.Executor`."""

    factory: Callable[..., Executor] | str


def _resolved(function: Callable[..., Any] | str) -> Callable[..., Any]:
    """A function, imported if it is given by its address."""
    return pkgutil.resolve_name(function) if isinstance(function, str) else function


AnySpec = StrategySpec | ReaderSpec | BackendSpec | ExecutorSpec
