"""Imports in child processes, which may be killed."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

from tui_importer.api import Run
from tui_importer.core.model.plan import Plan
from tui_importer.core.model.report import Report, from_json, to_json
from tui_importer.plugins.registry import Owner, Registry, load_registry
from tui_importer.plugins.specs import AnySpec, BackendSpec, ExecutorSpec, ReaderSpec, StrategySpec
from tui_importer.testing.failpoints import Failpoint, StageFailpoint, Trap, failing, failpoint_url, kill

#: The exit code of a killed process.
KILLED = -signal.SIGKILL
#: Timeout for an import of a check, in seconds.
_TIMEOUT = 60.0

_KINDS: dict[str, type[AnySpec]] = {
    "strategy": StrategySpec,
    "reader": ReaderSpec,
    "backend": BackendSpec,
    "executor": ExecutorSpec,
}


@cache
def fork_server() -> ForkServerContext:
    """What forks the processes: faster than new interpreters, and safe beside threads.

    Other modules for it to load can be set before its first process is started.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tui_importer.testing.preload"])
    return context


def registry_with(*specs: AnySpec) -> Registry:
    """The installed plugins and these specs."""
    registry = load_registry()
    specs = tuple(spec for spec in specs if not _is_installed(spec, registry))
    if specs:
        hooks: dict[str, Callable[[], Any]] = {
            kind: partial(list, [spec for spec in specs if isinstance(spec, type_)])
            for kind, type_ in _KINDS.items()
            if any(isinstance(spec, type_) for spec in specs)
        }
        registry.add(object(), Owner("tui_importer.testing", "tui-importer", ""), hooks)
    return registry


def _is_installed(spec: AnySpec, registry: Registry) -> bool:
    if isinstance(spec, ExecutorSpec):
        return spec.name in registry.executor_names() and _are_same(registry.executor(spec.name), spec)
    return (
        isinstance(spec, StrategySpec)
        and spec.name in registry.strategy_names()
        and _are_same(registry.strategy(spec.name), spec)
    )


def _are_same(found: AnySpec, spec: AnySpec) -> bool:
    """Whether both are one plugin, also if its file was loaded twice."""
    return found == spec or _place(found.factory) == _place(spec.factory)


def _place(factory: object) -> tuple[str, str]:
    """The module and the name of a class or function; of anything else, what nothing else has."""
    if isinstance(factory, str):
        return factory, ""
    return (getattr(factory, "__module__", ""), getattr(factory, "__qualname__", repr(factory)))


@dataclass(frozen=True)
class Import:
    """An import to be carried out by another process. ``specs`` must be picklable.

    At the ``passes``-th pass of ``failpoint``, if set, the process kills itself.
    """

    plan: Plan
    folder: Path
    specs: Sequence[AnySpec] = ()
    failpoint: Failpoint | StageFailpoint | None = None
    passes: int = 1

    def carry_out(self, *, kill_after: float | None = None) -> tuple[int, Report | None]:
        """Start the process, kill it after ``kill_after`` seconds if given, and wait for it.

        Returns its exit code (:data:`KILLED`, or the import's) and its report, if it wrote one.
        """
        context = fork_server()
        report_file = self.folder / "report.json"
        report_file.unlink(missing_ok=True)
        process = context.Process(target=_carry_out, args=(self, report_file))
        process.start()
        process.join(kill_after if kill_after is not None else _TIMEOUT)
        if process.is_alive():
            process.kill()
            process.join(_TIMEOUT)
        code = process.exitcode
        process.close()
        report = from_json(report_file.read_bytes()) if report_file.exists() else None
        return KILLED if code is None else code, report


def _carry_out(task: Import, report_file: Path) -> None:
    """Runs in the other process."""
    plan, registry = task.plan, registry_with(*task.specs)
    if task.failpoint is not None:
        registry = registry_with(*task.specs, failing(registry, Trap(task.failpoint, kill, task.passes)))
        plan = _with_database(plan, failpoint_url(plan.target.database or ""))
    rejects = None if plan.further_sources else report_file.with_suffix(".xlsx")
    if rejects is not None:
        rejects.unlink(missing_ok=True)
    report = Run(plan, registry=registry, rejects_file=rejects).execute()
    unfinished = report_file.with_suffix(".part")
    unfinished.write_bytes(to_json(report))
    unfinished.rename(report_file)
    os._exit(report.exit_code)


def _with_database(plan: Plan, url: str) -> Plan:
    import msgspec

    target: Any = msgspec.structs.replace(plan.target, database=url)
    return msgspec.structs.replace(plan, target=target)
