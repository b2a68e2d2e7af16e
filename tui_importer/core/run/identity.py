"""The identity of an import: the file's content, the part of the sheet that is read, the columns and the table."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from tui_importer.core.model.formats import NO_FORMATS
from tui_importer.core.model.plan import ColumnPlan, Plan
from tui_importer.core.model.standard_input import STANDARD_INPUT
from tui_importer.core.source.layout import Layout
from tui_importer.core.writing.ledger import Generation, PastRun

_DIGITS = 32


class Identity(msgspec.Struct, frozen=True):
    """The parts that identify an import.

    ``extent`` is the part of the sheet, ``request`` a digest of the options given for the columns, and ``mapping`` a
    digest of the resulting columns. ``mode`` is what distinguishes the write mode from appending
    (:attr:`tui_importer.core.model.write_mode.WriteMode.identity`). ``row_limit`` is not part of it: more rows of the
    same sheet are the same import. ``mends`` is the import whose mended rejects are imported: then they are the same
    import, whatever file they come in.
    """

    file: str
    sha256: str
    sheet: str
    extent: str
    request: str
    mapping: str
    table: str
    mode: tuple[Any, ...] = ()
    mends: Generation | None = None

    @property
    def import_id(self) -> str:
        """The key of the import in the ledger."""
        if self.mends is not None:
            return digest(["mends", *self.mends])
        return digest([self.sha256, self.sheet, self.extent, self.mapping, self.table, *self.mode])

    def same_request(self, past: PastRun) -> bool:
        """Whether the run was given the same options for the same file, sheet and table."""
        return (past.sha256, past.sheet, past.extent, past.request, past.table) == (
            self.sha256,
            self.sheet,
            self.extent,
            self.request,
            self.table,
        )

    def changes(self, past: PastRun) -> Sequence[str]:
        """How this import differs from an earlier run, in words; empty if that was of another file or sheet."""
        if (past.file, past.sheet) != (self.file, self.sheet):
            return ()
        changed = []
        if past.sha256 != self.sha256:
            changed.append("the file has changed")
        if past.extent != self.extent:
            changed.append("another part of the sheet is read")
        if past.mapping != self.mapping:
            changed.append("the mapping of the columns has changed")
        return changed


def identify(
    plan: Plan,
    *,
    sha256: str,
    sheet: str,
    layout: Layout,
    columns: Sequence[ColumnPlan] | None,
    table: str,
    mends: Generation | None = None,
) -> Identity:
    """The identity of a plan; ``columns`` are the resolved columns, or None if they are not known yet."""
    options, mode = plan.options, plan.target.write_mode.identity
    unknown = options.error_cells if options.uncalculated == "reject" else [options.error_cells, options.uncalculated]
    # What the texts themselves have proven follows from the file.
    formats = [] if plan.formats == NO_FORMATS else [msgspec.to_builtins(plan.formats)]
    # Options that came later are left out where they are not given, so that earlier imports stay what they were.
    constants = [sorted(options.set_columns.items())] if options.set_columns else []
    renamed = [sorted(options.rename.items())] if options.rename else []
    others = [*constants, *renamed, *([options.extra_columns] if options.extra_columns != "fail" else [])]
    return Identity(
        file=str(Path(plan.source.file).absolute()) if plan.source.file != STANDARD_INPUT else STANDARD_INPUT,
        sha256=sha256,
        sheet=sheet,
        extent=f"{plan.source.range or ''}/{layout.header_row}{'/totals' * (plan.source.totals == 'keep')}",
        request=digest(
            [
                options.schema,
                sorted(options.types.items()),
                sorted(options.skip),
                unknown,
                msgspec.to_builtins(plan.columns),
                *formats,
                *others,
                *mode,
            ]
        ),
        # Without types: once the table exists, it determines them, whoever created it.
        mapping=digest([unknown, [(column.letter, column.target) for column in columns or ()], *formats, *constants]),
        table=table,
        mode=mode,
        mends=mends,
    )


def digest(value: Any) -> str:
    """A short digest of a value, the same on every machine."""
    return hashlib.sha256(msgspec.json.encode(value)).hexdigest()[:_DIGITS]
