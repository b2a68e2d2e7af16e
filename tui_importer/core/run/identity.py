"""What makes two imports the same one: the file's content, the part of it that is read, the columns and the table."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from tui_importer.core.model.plan import ColumnPlan, Plan
from tui_importer.core.source.layout import Layout
from tui_importer.core.writing.ledger import PastRun

_DIGITS = 32


@dataclass(frozen=True, slots=True)
class Identity:
    """An import by its parts. ``extent`` is the part of the sheet; ``request`` is what was asked of the columns and
    ``mapping`` what came of it. ``row_limit`` is no part of it: more rows of the same are the same import."""

    file: str
    sha256: str
    sheet: str
    extent: str
    request: str
    mapping: str
    table: str

    @property
    def import_id(self) -> str:
        """The key of the import in the ledger."""
        return digest([self.sha256, self.sheet, self.extent, self.mapping, self.table])

    def same_request(self, past: PastRun) -> bool:
        """Whether the run was asked for the very same."""
        return (past.sha256, past.sheet, past.extent, past.request, past.table) == (
            self.sha256,
            self.sheet,
            self.extent,
            self.request,
            self.table,
        )

    def changes(self, past: PastRun) -> Sequence[str]:
        """What is different from a run of a file of that name, in words; empty where it is another file or sheet."""
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
    plan: Plan, *, sha256: str, sheet: str, layout: Layout, columns: Sequence[ColumnPlan] | None, table: str
) -> Identity:
    """The identity of a plan; ``columns`` are the resolved ones where they are known."""
    options = plan.options
    return Identity(
        file=str(Path(plan.source.file).absolute()),
        sha256=sha256,
        sheet=sheet,
        extent=f"{plan.source.range or ''}/{layout.header_row}",
        request=digest(
            [
                options.schema,
                sorted(options.types.items()),
                sorted(options.skip),
                options.error_cells,
                msgspec.to_builtins(plan.columns),
            ]
        ),
        # Types are the table's: once it is there, they are the same whoever made it.
        mapping=digest([options.error_cells, [(column.letter, column.target) for column in columns or ()]]),
        table=table,
    )


def digest(value: Any) -> str:
    """A short digest of a value, the same on every machine."""
    return hashlib.sha256(msgspec.json.encode(value)).hexdigest()[:_DIGITS]
