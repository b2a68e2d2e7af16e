"""Remarks on columns, put into words: those of one kind are one line, however many columns they are about."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from tui_importer.core.conversion.traits import ColumnFinding
from tui_importer.core.model.lists import listed
from tui_importer.core.model.patterns import pattern

#: What differs between remarks of a kind: codes and numbers of cells.
_DETAILS = pattern(r" \([^)]*\)|:.*", re.DOTALL)


def finding_notes(findings: Iterable[tuple[str, Sequence[ColumnFinding]]]) -> tuple[str, ...]:
    """One note for each kind of finding. ``findings`` has the header of each column and what was found in it."""
    kinds: dict[str, list[tuple[str, ColumnFinding]]] = {}
    for header, found in findings:
        for finding in found:
            kinds.setdefault(_DETAILS.sub("", finding.message), []).append((header, finding))
    return tuple(_note(kind, found) for kind, found in kinds.items())


def _note(kind: str, found: Sequence[tuple[str, ColumnFinding]]) -> str:
    (header, first), *others = found
    if not others:
        return f"column {header!r}: {first}"
    header, first = min(found, key=lambda each: each[1].first_row)
    columns = listed([repr(header) for header, _ in found])
    return f"columns {columns}: {kind}, first in row {first.first_row} of column {header!r}"
