"""What plugins offer: small descriptions, so that listing plugins imports no driver and no library."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tui_importer.core.scheduling.strategy import Strategy
    from tui_importer.core.source.reader import Reader
    from tui_importer.core.writing.backend import Backend


@dataclass(frozen=True, slots=True)
class _Spec:
    """``factory`` makes the thing: a callable, or ``"package.module:attribute"``, imported when it is first needed."""

    name: str
    summary: str
    factory: Callable[..., Any] | str

    def make(self, *args: Any) -> Any:
        """Call the factory. Raises whatever a stranger's code may raise."""
        factory = pkgutil.resolve_name(self.factory) if isinstance(self.factory, str) else self.factory
        return factory(*args)


@dataclass(frozen=True, slots=True)
class StrategySpec(_Spec):
    """A strategy; ``factory()`` gives a ``Strategy``. ``aliases`` are further names for it."""

    factory: Callable[..., Strategy] | str
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReaderSpec(_Spec):
    """A reader; ``factory()`` gives a :class:`~tui_importer.core.source.reader.Reader`.

    ``extensions`` are the suffixes (``.xlsx``) of the files it opens; where several readers open a file, that of the
    highest ``priority`` does, and one below 0 only when it is asked for by name.
    """

    factory: Callable[..., Reader] | str
    extensions: tuple[str, ...] = ()
    priority: int = 0


@dataclass(frozen=True, slots=True)
class BackendSpec(_Spec):
    """A kind of database; ``factory(settings)`` gives a :class:`~tui_importer.core.writing.backend.Backend`.

    ``schemes`` are the beginnings of its URLs (``postgresql``); ``*`` is any that no other backend has. ``schemas``
    says whether its tables can be in schemas. ``check(url)`` raises :class:`tui_importer.errors.UsageError` for a URL
    that cannot be, without connecting; where it is None, that is left to the factory.
    """

    factory: Callable[..., Backend] | str
    schemes: tuple[str, ...] = ()
    schemas: bool = True
    check: Callable[[str], object] | str | None = None

    def check_url(self, url: str) -> None:
        """Call ``check``, if there is one."""
        if self.check is not None:
            (pkgutil.resolve_name(self.check) if isinstance(self.check, str) else self.check)(url)


AnySpec = StrategySpec | ReaderSpec | BackendSpec
