"""The registry of readers, strategies, backends and executors: the built-in ones, and those of installed distributions.

Plugins are loaded one by one, so that a broken one never stops the others (pluggy's own loader would stop). A broken
plugin is listed with the reason, and raises an error only if the user asks for it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import StrEnum
from functools import lru_cache, partial
from importlib.metadata import EntryPoint, PackageNotFoundError, entry_points, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
import pluggy

from tui_importer.core.model.plugin_values import PluginValues
from tui_importer.core.model.suggest import closest
from tui_importer.core.source.content import head_of, may_be_packed, suffix_of
from tui_importer.errors import ImporterError, PlanError, SourceError, UsageError
from tui_importer.plugins import builtin, hookspecs
from tui_importer.plugins.files import load_plugin_file, plugin_files
from tui_importer.plugins.options import KnownOptions, declared
from tui_importer.plugins.requirements import missing
from tui_importer.plugins.specs import AnySpec, BackendSpec, ExecutorSpec, ReaderSpec, StrategySpec

if TYPE_CHECKING:
    from tui_importer.core.scheduling.executor import Executor
    from tui_importer.core.scheduling.strategy import Strategy
    from tui_importer.core.source.reader import Reader
    from tui_importer.core.writing.backend import Backend, ConnectionSettings

#: The entry point group of plugins.
GROUP = "tui_importer"
#: Comma-separated distributions or entry points that are not loaded; ``*`` means all.
DISABLE_VARIABLE = "TUI_IMPORTER_DISABLE_PLUGINS"
DISTRIBUTION = "tui-importer"

_KINDS: dict[str, type[AnySpec]] = {
    "reader": ReaderSpec,
    "strategy": StrategySpec,
    "backend": BackendSpec,
    "executor": ExecutorSpec,
}
_HOOKS = {
    "reader": "tui_importer_readers",
    "strategy": "tui_importer_strategies",
    "backend": "tui_importer_backends",
    "executor": "tui_importer_executors",
}

_NO_VALUES: PluginValues = {}

SpecT = TypeVar("SpecT", StrategySpec, ReaderSpec, BackendSpec, ExecutorSpec)
T = TypeVar("T")


class PluginState(StrEnum):
    """The state of a plugin."""

    ACTIVE = "active"
    DISABLED = "disabled"
    BROKEN = "broken"


class PluginInfo(msgspec.Struct, frozen=True):
    """A line of ``tui-importer plugins``.

    ``kind`` and ``name`` are those of a reader, strategy, backend or executor, or ``plugin`` and the entry point if it
    could not be loaded; ``detail`` is a summary, or why it is broken. ``options`` has the JSON schema of each of its
    options.
    """

    kind: str
    name: str
    distribution: str
    version: str
    state: PluginState
    detail: str
    options: Mapping[str, Mapping[str, Any]] = msgspec.field(default_factory=dict)


class Owner(msgspec.Struct, frozen=True):
    """The distribution and entry point that a plugin comes from."""

    entry_point: str
    distribution: str
    version: str

    def __str__(self) -> str:
        return f"{self.distribution} {self.version}"


class Registry:
    """The available readers, strategies, backends and executors. Created by :func:`load_registry`.

    ``options`` has the options of all of them.
    """

    def __init__(self) -> None:
        self.options = KnownOptions()
        self._specs: dict[str, dict[str, tuple[AnySpec, Owner]]] = {kind: {} for kind in _KINDS}
        self._claims: dict[tuple[str, str], Owner] = {}
        self._infos: list[PluginInfo] = []
        self._broken: dict[str, str] = {}

    @property
    def warnings(self) -> tuple[str, ...]:
        """One line per broken plugin."""
        return tuple(
            f"plugin {info.name!r} of {info.distribution} is broken and left out: {info.detail}"
            for info in self._infos
            if info.state is PluginState.BROKEN
        )

    def plugins(self) -> list[PluginInfo]:
        """All plugins, including broken and disabled ones."""
        return list(self._infos)

    def strategy_names(self) -> list[str]:
        """The strategies in plugin order, without aliases."""
        return list(self._specs["strategy"])

    def strategy(self, name: str) -> StrategySpec:
        """The strategy with that name or alias; raises :class:`PlanError` listing the known names."""
        return self._find("strategy", name, StrategySpec)

    def reader(self, name: str) -> ReaderSpec:
        """The reader with that name; raises :class:`PlanError` listing the known names."""
        return self._find("reader", name, ReaderSpec)

    def reader_for(self, path: Path) -> ReaderSpec:
        """The reader for a file, by its bytes if they tell the format, else by its suffix.

        Raises :class:`SourceError` listing the known suffixes.
        """
        suffix = _suffix(path)
        specs = [spec for spec, _ in self._specs["reader"].values() if isinstance(spec, ReaderSpec)]
        candidates = [spec for spec in specs if suffix in spec.extensions and spec.priority >= 0]
        if candidates:
            return max(candidates, key=lambda spec: spec.priority)
        known = ", ".join(sorted({extension for spec in specs for extension in spec.extensions}))
        raise SourceError(
            f"{path}: no reader opens {path.suffix.lower() or 'files without a suffix'}: "
            f"known are {known} (or --reader)"
        )

    def executor_names(self) -> list[str]:
        """The executors in plugin order."""
        return list(self._specs["executor"])

    def executor(self, name: str) -> ExecutorSpec:
        """The executor with that name; raises :class:`PlanError` listing the known names."""
        return self._find("executor", name, ExecutorSpec)

    def backend_for(self, scheme: str) -> BackendSpec:
        """The backend for a URL's scheme; raises :class:`PlanError` if there is none."""
        specs = [spec for spec, _ in self._specs["backend"].values() if isinstance(spec, BackendSpec)]
        candidates = [spec for wanted in (scheme, "*") for spec in specs if wanted in spec.schemes]
        if candidates:
            return candidates[0]
        known = ", ".join(sorted({known for spec in specs for known in spec.schemes}))
        raise PlanError(f"no backend knows {scheme}:// URLs: known are {known}")

    def make_strategy(self, name: str, values: PluginValues = _NO_VALUES) -> Strategy:
        """Create the strategy with that name; its options are among the ``values`` of a plan."""
        return self._make("strategy", self.strategy(name), values)  # type: ignore[no-any-return]

    def make_reader(self, name: str, values: PluginValues = _NO_VALUES) -> Reader:
        """Create the reader with that name; its options are among the ``values`` of a plan."""
        return self._make("reader", self.reader(name), values)  # type: ignore[no-any-return]

    def make_backend(self, name: str, settings: ConnectionSettings, values: PluginValues = _NO_VALUES) -> Backend:
        """Create the backend with that name; its options are among the ``values`` of a plan."""
        spec = self._find("backend", name, BackendSpec)
        return self._make("backend", spec, values, settings)  # type: ignore[no-any-return]

    def set_up_backend(self, name: str, reader: str) -> None:
        """Let a reader do what the backend with that name needs to take its encoded columns; before it is created."""
        spec = self.reader(reader)
        with self._third_party("reader", spec):
            spec.set_up(name)

    def make_executor(self, name: str, values: PluginValues = _NO_VALUES) -> Executor:
        """Create the executor with that name; its options are among the ``values`` of a plan."""
        return self._make("executor", self.executor(name), values)  # type: ignore[no-any-return]

    def add(self, plugin: object, owner: Owner, hooks: Mapping[str, Callable[[], Any]]) -> None:
        """Add what a plugin's hooks return. Raises ``ValueError`` or ``TypeError`` for unusable specs."""
        offered: list[tuple[str, AnySpec]] = []
        for kind, hook in hooks.items():
            specs = hook()
            if not isinstance(specs, Sequence) or not all(isinstance(spec, _KINDS[kind]) for spec in specs):
                raise TypeError(f"{_HOOKS[kind]} must return a list of {_KINDS[kind].__name__}")
            offered += [(kind, spec) for spec in specs]
        if not offered:
            raise ValueError(f"it has none of the hooks {', '.join(_HOOKS.values())}")
        claims: dict[tuple[str, str], Owner] = {}
        for kind, spec in offered:
            for claim in dict.fromkeys(_claims(kind, spec)):
                if brought_by := self._claims.get(claim) or claims.get(claim):
                    raise ValueError(f"{claim[0]} {claim[1]!r} is already brought by {brought_by}")
                claims[claim] = owner
        sets = [None if spec.options is None else declared(kind, _names(spec), spec.options) for kind, spec in offered]
        self._claims.update(claims)
        for (kind, spec), options in zip(offered, sets, strict=True):
            self._specs[kind][spec.name] = (spec, owner)
            schema = options.schema if options else {}
            if options:
                self.options.add(options)
            self._infos.append(
                PluginInfo(kind, spec.name, owner.distribution, owner.version, PluginState.ACTIVE, spec.summary, schema)
            )

    def exclude(self, owner: Owner, state: PluginState, why: str) -> None:
        """Record a plugin that is not used."""
        self._infos.append(PluginInfo("plugin", owner.entry_point, owner.distribution, owner.version, state, why))
        for name in (owner.entry_point, owner.distribution):
            self._broken[name] = f"plugin {owner.entry_point!r} of {owner} is {state}: {why}"

    def _find(self, kind: str, name: str, type_: type[SpecT]) -> SpecT:
        specs: list[AnySpec] = [pair[0] for pair in self._specs[kind].values()]
        found = [spec for spec in specs if name in _names(spec)]
        if found and isinstance(found[0], type_):
            return found[0]
        if name in self._broken:
            raise PlanError(f"{kind} {name!r} cannot be used: {self._broken[name]}")
        close = closest(name, (known for spec in specs for known in _names(spec)))
        hint = f"did you mean {close!r}? " if close else ""
        raise PlanError(f"unknown {kind} {name!r}: {hint}known are {', '.join(sorted(spec.name for spec in specs))}")

    def _make(self, kind: str, spec: AnySpec, values: PluginValues, *args: object) -> Any:
        options = self.options.of(kind, spec.name)
        given = {} if options is None else {"options": options.make(options.own(values))}
        with self._third_party(kind, spec):
            made: Any = spec.make(*args, **given)
        if lacking := missing(kind, made):
            raise self._unusable(kind, spec, f"it has no {', '.join(lacking)}")
        return made

    @contextmanager
    def _third_party(self, kind: str, spec: AnySpec) -> Iterator[None]:
        """Raise whatever a plugin raises as a :class:`UsageError` that names it."""
        try:
            yield
        except ImporterError:
            raise
        except Exception as error:
            raise self._unusable(kind, spec, _error_text(error)) from error

    def _unusable(self, kind: str, spec: AnySpec, why: str) -> UsageError:
        owner = self._specs[kind][spec.name][1]
        return UsageError(f"{kind} {spec.name!r} of {owner} cannot be used: {why}")


def load_registry(found: Iterable[EntryPoint] | None = None, environment: Mapping[str, str] = os.environ) -> Registry:
    """Load the built-in plugin, those of the entry points ``found`` (default: all installed), and those that are files
    (:mod:`tui_importer.plugins.files`).

    Raises :class:`UsageError` for a file that is not a plugin: it was asked for.
    """
    registry = Registry()
    own_version, installed = _installed(_search_path())
    _register(registry, builtin, Owner("builtin", DISTRIBUTION, own_version))
    disabled = {name.strip() for name in environment.get(DISABLE_VARIABLE, "").split(",")} - {""}
    for entry_point, owner in installed if found is None else map(_owned, found):
        if disabled & {"*", owner.entry_point, owner.distribution}:
            registry.exclude(owner, PluginState.DISABLED, f"by {DISABLE_VARIABLE}")
            continue
        try:
            _register(registry, entry_point.load(), owner)
        except (KeyboardInterrupt, GeneratorExit):
            raise
        except BaseException as error:  # noqa: BLE001  # third-party code: a Rust panic and SystemExit are not Exceptions
            registry.exclude(owner, PluginState.BROKEN, _error_text(error))
    for path in plugin_files(environment):
        try:
            _register(registry, load_plugin_file(path), Owner(path.stem, path.name, "file"))
        except (KeyboardInterrupt, GeneratorExit):
            raise
        except BaseException as error:
            raise UsageError(f"{path}: cannot be used as a plugin: {_error_text(error)}") from error
    return registry


def _register(registry: Registry, plugin: object, owner: Owner) -> None:
    """Check one plugin in a plugin manager of its own, so that errors are its own."""
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    manager.register(plugin, owner.entry_point)
    try:
        manager.check_pending()
    except pluggy.PluginValidationError as error:
        raise ValueError(_with_close_hook(str(error))) from error
    hooks: dict[str, Callable[[], Any]] = {}
    for kind, name in _HOOKS.items():
        caller = getattr(manager.hook, name)
        if caller.get_hookimpls():
            hooks[kind] = partial(_first_result, caller)
    registry.add(plugin, owner, hooks)


def _first_result(caller: pluggy.HookCaller) -> Any:
    return caller()[0]


def _claims(kind: str, spec: AnySpec) -> list[tuple[str, str]]:
    """The names that must be unique: names and aliases within a kind, those of plugins with options across all kinds,
    and URL schemes."""
    claims = [(kind, name) for name in _names(spec)]
    if spec.options is not None:
        claims += [("plugin with options", name) for name in _names(spec)]
    if isinstance(spec, BackendSpec):
        claims += [("URL scheme", scheme) for scheme in spec.schemes]
    return claims


def _names(spec: AnySpec) -> tuple[str, ...]:
    return (spec.name, *spec.aliases) if isinstance(spec, StrategySpec) else (spec.name,)


def _suffix(path: Path) -> str:
    """The suffix that a file, or what is packed in it, should have."""
    name, head = path.name, head_of(path)
    if may_be_packed(name, head):
        from tui_importer.core.source.packed import packed, workbook_suffix  # few files need it

        if (inside := packed(path)) is not None:
            name, head = inside.name, inside.head()
        elif path.suffix.lower() == ".zip" and (suffix := workbook_suffix(path)) is not None:
            return suffix
    return suffix_of(name, head)


def _with_close_hook(message: str) -> str:
    words = message.replace("'", " ").split()
    unknown = next((word for word in words if word.startswith("tui_importer_")), "")
    close = closest(unknown, _HOOKS.values())
    return f"unknown hook {unknown!r}" + (f": did you mean {close!r}?" if close else "")


def _error_text(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _search_path() -> tuple[tuple[str, int], ...]:
    """The folders that distributions are found in, each with the time of its last change (0: it is not there)."""
    return tuple((folder, _changed(folder or os.curdir)) for folder in sys.path)


def _changed(folder: str) -> int:
    try:
        return os.stat(folder).st_mtime_ns
    except OSError:
        return 0


@lru_cache(maxsize=1)
def _installed(search_path: tuple[tuple[str, int], ...]) -> tuple[str, Sequence[tuple[EntryPoint, Owner]]]:
    """The version of this distribution, and the entry points of plugins with whose they are.

    Looked up again only if the search path, or a folder on it, has changed: all distributions are read for it, which is
    a good part of a small import.
    """
    try:
        own = version(DISTRIBUTION)
    except PackageNotFoundError:
        own = "?"  # a checkout that is not installed
    return own, tuple(map(_owned, entry_points(group=GROUP)))


def _owned(entry_point: EntryPoint) -> tuple[EntryPoint, Owner]:
    distribution = entry_point.dist
    name, its_version = (distribution.name, distribution.version) if distribution else ("unknown", "?")
    return entry_point, Owner(entry_point.name, name, its_version)
