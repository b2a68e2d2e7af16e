"""The executor protocol: an executor decides where and when the imports of a run are carried out, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol


class PendingImport(Protocol):
    """One import of a run. It claims, resumes and fails for itself."""

    @property
    def number(self) -> int:
        """The number of its source in the run, from 1."""

    def carry_out(self) -> None:
        """Carry the import out in this process and thread; called once.

        A failed import is reported, not raised: the others are carried out all the same. Raises only what interrupts a
        program (``KeyboardInterrupt``).
        """


class ImportQueue(Protocol):
    """The imports that an executor is given."""

    def imports(self) -> Iterator[PendingImport]:
        """The imports in their order, each once. Ends early once the run begins to stop."""


class Executor(Protocol):
    """Carries out the imports of a run."""

    def run(self, queue: ImportQueue) -> None:
        """Carry out all imports of the queue; return when the last one has ended. No thread of the executor may be
        left then."""
