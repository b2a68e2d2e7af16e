"""From a plan to the imports of a run: each import reads one sheet of one file.

This is the one place where several sources are found behind what a plan names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from fnmatch import fnmatchcase

import msgspec

from tui_importer.core.model.plan import Plan, Source
from tui_importer.core.model.standard_input import shown_source
from tui_importer.core.source.reader import SheetInfo
from tui_importer.errors import PlanError, SourceError

#: The word for all sheets that are not hidden.
ALL_SHEETS = "all"
_WILDCARDS = frozenset("*?[")

#: Opens the file of a plan of one source, and returns its sheets.
SheetsOf = Callable[[Plan], Sequence[SheetInfo]]


def expand(plans: Iterable[Plan], sheets_of: SheetsOf) -> tuple[Plan, ...]:
    """The plans of the imports of one run, each of one source, in the order of the given plans and their sources.

    A source may name several sheets, by a pattern (:mod:`fnmatch`) or by the word ``all``, unless a sheet is called
    just so; those without cells are passed over. Raises :class:`SourceError` if no sheet matches, and what
    ``sheets_of`` raises.
    """
    single = [
        msgspec.structs.replace(plan, source=source, further_sources=()) if plan.further_sources else plan
        for plan in plans
        for source in plan.sources
    ]
    return tuple(each for plan in single for each in _by_sheet(plan, sheets_of))


def only_import(plan: Plan, sheets_of: SheetsOf) -> Plan:
    """The plan of a single import. Raises :class:`PlanError` if the given plan has several."""
    imports = expand([plan], sheets_of)
    if len(imports) > 1:
        raise PlanError(f"the plan has {len(imports)} sources: look at them one by one")
    return imports[0]


def names_several(sheet: str | int | None) -> bool:
    """Whether this may name several sheets."""
    return isinstance(sheet, str) and (sheet.lower() == ALL_SHEETS or not _WILDCARDS.isdisjoint(sheet))


def _by_sheet(plan: Plan, sheets_of: SheetsOf) -> Iterator[Plan]:
    wanted = plan.source.sheet
    if not isinstance(wanted, str) or not names_several(wanted):
        yield plan
        return
    for name in _matching(plan.source, wanted, sheets_of(plan)):
        source = msgspec.structs.replace(plan.source, sheet=name, may_be_empty=True)
        yield msgspec.structs.replace(plan, source=source)


def _matching(source: Source, wanted: str, sheets: Sequence[SheetInfo]) -> Sequence[str]:
    folded = wanted.casefold()
    if exact := [sheet.name for sheet in sheets if sheet.name.casefold() == folded]:
        return exact
    found = [
        sheet.name
        for sheet in sheets
        if not sheet.hidden and (folded == ALL_SHEETS or fnmatchcase(sheet.name.casefold(), folded))
    ]
    if not found:
        known = ", ".join(repr(sheet.name) for sheet in sheets[:20])
        raise SourceError(f"{shown_source(source.file)}: there is no sheet that matches {wanted!r}: there are {known}")
    return found
