"""The rejects of one import: on disk while it is carried out, and then in a workbook for the user."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from tui_importer.core.model.report import ReasonGroup, Report
from tui_importer.core.model.undecodable_names import escaped
from tui_importer.errors import ExitCode, ImporterError
from tui_importer.events import Reject
from tui_importer.rejects.paths import claimed_reject_path, private_folder

if TYPE_CHECKING:
    from tui_importer.rejects.spool import RejectSpool


class RejectStore:
    """Implements :class:`tui_importer.core.run.import_set.RejectStore`.

    The workbook of the rejects of ``source`` is ``workbook``, by default one in the current folder; a ``dry_run``
    writes none. ``mends`` is the run whose rejects come back mended in the source, if they do: what is rejected again
    is still a reject of that run.
    """

    def __init__(self, source: Path, workbook: Path | None, *, dry_run: bool, mends: str | None = None) -> None:
        self._source = source
        self._mends = mends
        self._workbook = workbook
        self._dry_run = dry_run
        self._spool: RejectSpool | None = None  # before there is a reject

    def open(self) -> None:
        """Check that there is a place for rejects; raises :class:`ImporterError` otherwise."""
        private_folder().cleanup()

    def add_many(self, rejects: Sequence[Reject]) -> None:
        if rejects:
            if self._spool is None:
                from tui_importer.rejects.spool import RejectSpool  # runs without rejects need no SQLite

                self._spool = RejectSpool()
            self._spool.add_many(rejects)

    def first(self, number: int) -> list[Reject]:
        return [] if self._spool is None else self._spool.first(number)

    def by_reason(self) -> Sequence[ReasonGroup]:
        return () if self._spool is None else self._spool.by_reason()

    def save(self, report: Report, headers: tuple[str, ...]) -> Report:
        """Write the workbook, if there are rejects; the report of an import whose rejects cannot be saved is failed."""
        spool = self._spool
        if spool is None or not spool.count or self._dry_run:
            return report
        # Imported here: it takes a tenth of a second, and runs without rejects do not need it.
        from tui_importer.rejects.workbook import write_reject_workbook

        given, run_id = self._workbook, self._mends or report.run_id
        try:
            if given is not None and not os.path.lexists(given):
                path = given
                write_reject_workbook(path, headers, spool, run_id=run_id)
            else:  # none was given, or it was created while the rows were being loaded
                source, folder = (self._source, Path.cwd()) if given is None else (given, given.parent)
                with claimed_reject_path(source, folder) as path:
                    write_reject_workbook(path, headers, spool, run_id=run_id)
        except ImporterError as error:
            return msgspec.structs.replace(
                report, outcome="failed", exit_code=int(ExitCode.FAILED), error=report.error or str(error)
            )
        return msgspec.structs.replace(report, rejects_file=escaped(str(path)))

    def close(self) -> None:
        if self._spool is not None:
            self._spool.close()
            self._spool = None
