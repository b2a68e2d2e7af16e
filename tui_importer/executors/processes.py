"""Imports side by side, in processes of this machine."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType

from tui_importer.core.scheduling.executor import ImportElsewhere, ImportQueue, ImportSpec, PendingImport
from tui_importer.plugins.builtin import ProcessesOptions
from tui_importer.process.part import ImportProcess


class Processes:
    """One import at a time in this process, whose reader has opened the first file already, and the others beside it,
    each at a time in another process."""

    def __init__(self, *, options: ProcessesOptions) -> None:
        self._jobs = options.jobs or _processors()

    def run(self, queue: ImportQueue) -> None:
        imports = _Shared(queue.imports())
        first = imports.take()
        if first is None:
            return
        with ThreadPoolExecutor(self._jobs, thread_name_prefix="import") as pool:
            beside = [pool.submit(self._carry_out_elsewhere, imports) for _ in range(1, self._jobs)]
            here: PendingImport | None = first
            while here is not None:
                here.carry_out()
                here = imports.take()
            for each in beside:
                each.result()

    @staticmethod
    def _carry_out_elsewhere(imports: _Shared) -> None:
        with _Process() as process:
            while (each := imports.take()) is not None:
                each.carry_out_elsewhere(process.begin)


class _Process:
    """A process that is started for the first import, and again for the next one after it has died."""

    def __init__(self) -> None:
        self._process: ImportProcess | None = None

    def begin(self, spec: ImportSpec) -> ImportElsewhere:
        """Have an import carried out."""
        if self._process is not None and not self._process.alive:
            self._process.close()
            self._process = None
        if self._process is None:
            self._process = ImportProcess()
        return self._process.begin(spec)

    def __enter__(self) -> _Process:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.close()


class _Shared:
    """Imports that several threads take, each once."""

    def __init__(self, imports: Iterator[PendingImport]) -> None:
        self._imports = imports
        self._lock = threading.Lock()

    def take(self) -> PendingImport | None:
        with self._lock:
            return next(self._imports, None)


def _processors() -> int:
    """The number of processors that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on every system
        return os.cpu_count() or 1
