"""An import being set up: the plan from the command line, with the changes made on the screen."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from tui_importer.core.model.count_or_auto import AUTO, parse_count
from tui_importer.core.model.formats import PLAIN, ColumnFormat, Formats
from tui_importer.core.model.plan import ColumnPlan, Plan, checked
from tui_importer.core.model.plugin_values import PluginValues
from tui_importer.core.model.write_mode import WriteMode
from tui_importer.errors import PlanError
from tui_importer.process.messages import Inspected
from tui_importer.tui.column_formats import GivenFormat, own_format, with_format

#: The types that the key for types cycles through, starting at the inferred one.
TYPES = ("text", "integer", "numeric", "float", "boolean", "date", "time", "timestamp", "interval")


class DraftColumn(msgspec.Struct, frozen=True):
    """A column of the sheet as the setup screen shows it. ``found`` is the inferred type, ``type`` the chosen one;
    ``findings`` is true if the evidence begins with a note about the column. ``format`` is what is given for it."""

    letter: str
    header: str
    target: str
    found: str
    type: str
    required: bool
    evidence: str
    findings: bool = False
    taken: bool = True
    format: ColumnFormat = PLAIN


class Draft(msgspec.Struct, frozen=True):
    """The import as it would begin now. ``given`` is the plan from the command line; its formats may have changed."""

    given: Plan
    columns: tuple[DraftColumn, ...] = ()
    changed_formats: Formats | None = None

    @property
    def formats(self) -> Formats:
        """How values are written."""
        return self.given.formats if self.changed_formats is None else self.changed_formats

    @property
    def given_sheet(self) -> str | None:
        """The name of the sheet, if one is given by its name."""
        return self.given.source.sheet if isinstance(self.given.source.sheet, str) else None

    def source_plan(self, sheet: str | None, header_row: int | None, plugin_options: PluginValues) -> Plan:
        """Return the plan by which the source is inspected; without a ``sheet``, the given one. Raises
        :class:`PlanError` if it is not valid."""
        given = self.given
        sheet_ = given.source.sheet if sheet is None else sheet
        source = msgspec.structs.replace(given.source, sheet=sheet_, header_row=header_row)
        options = msgspec.structs.replace(given.options, plugin_options=plugin_options)
        target = given.target
        if not target.key:  # that of the table, which is not asked here
            target = target.in_mode(WriteMode())
        return msgspec.structs.replace(given, source=source, target=target, options=options, formats=self.formats)

    def inspected(self, inspected: Inspected) -> Draft:
        """Return the draft with the columns of an inspected source; changes to columns that still exist are kept."""
        changed = {(column.letter, column.header): column for column in self.columns}
        columns = []
        for column in inspected.plan.columns or ():
            before = changed.get((column.letter, column.source))
            format_ = own_format(self.formats, column.source, column.target)
            columns.append(_column(column, inspected, before, format_))
        return replace(self, columns=tuple(columns))

    def toggled(self, place: int) -> Draft:
        """Return the draft with the column at ``place`` left out, or included again."""
        return self._with(place, replace(self.columns[place], taken=not self.columns[place].taken))

    def retyped(self, place: int) -> Draft:
        """Return the draft with the column's next type; after the last type comes the inferred one."""
        column = self.columns[place]
        ring = [column.found, *(type_ for type_ in TYPES if type_ != column.found)]
        at = ring.index(column.type) if column.type in ring else 0
        return self._with(place, replace(column, type=ring[(at + 1) % len(ring)]))

    def formatted(self, place: int, given: GivenFormat) -> Draft:
        """Return the draft with a format for the column at ``place``, and words for NULL for all."""
        column = self.columns[place]
        formats = with_format(self.formats, column.header, column.target, given)
        return replace(self._with(place, replace(column, format=given.own)), changed_formats=formats)

    def replanned(self, plan: Plan) -> Draft:
        """Return the draft of another plan for the same source, with the changes made to its columns."""
        return replace(self, given=plan)

    def plan(
        self,
        *,
        sheet: str | None,
        header_row: int | None,
        database: str | None,
        table: str | None,
        mode: str,
        strategy: str,
        workers: int | None,
        batch_size: int | None,
        plugin_options: PluginValues,
    ) -> Plan:
        """Return the complete plan. Raises :class:`PlanError` if it is not valid."""
        given = self.given
        if self.columns and not any(column.taken for column in self.columns):
            raise PlanError("no column is left: take one in again")
        types = dict(given.options.types)
        for column in self.columns:
            if column.type != column.found:
                types[column.target] = column.type
        left_out = tuple(column.header for column in self.columns if not column.taken)
        source = msgspec.structs.replace(given.source, sheet=sheet, header_row=header_row)
        target = msgspec.structs.replace(given.target, database=database, table=table, mode=mode)
        options = msgspec.structs.replace(
            given.options,
            strategy=strategy,
            workers=workers,
            batch_size=batch_size,
            plugin_options=plugin_options,
            types=types,
            skip=(*given.options.skip, *left_out),
        )
        return checked(
            msgspec.structs.replace(given, source=source, target=target, options=options, formats=self.formats)
        )

    def _with(self, place: int, column: DraftColumn) -> Draft:
        return replace(self, columns=(*self.columns[:place], column, *self.columns[place + 1 :]))


def count_or_auto(text: str, what: str) -> int | None:
    """Parse the field called ``what``, ``N|auto``; an empty one is ``auto``. Raises :class:`PlanError` naming it for
    anything else."""
    try:
        return parse_count(text.strip() or AUTO)
    except PlanError as error:
        raise PlanError(f"{what}: {error}") from error


def header_row(text: str) -> int | None:
    """Parse a sheet row: 0 means no header, None that it is detected. Raises :class:`PlanError` for anything else."""
    text = text.strip()
    return 0 if text in ("0", "none") else count_or_auto(text, "header row")


def about(column: ColumnPlan) -> str:
    """Return the prefix of notes about a column."""
    return f"column {column.source!r}: "


def _column(column: ColumnPlan, inspected: Inspected, before: DraftColumn | None, format_: ColumnFormat) -> DraftColumn:
    findings = [note.removeprefix(about(column)) for note in inspected.notes if note.startswith(about(column))]
    return DraftColumn(
        letter=column.letter,
        header=column.source,
        target=column.target,
        found=column.type,
        type=before.type if before and before.type != before.found else column.type,
        required=column.required,
        evidence="; ".join([*findings, inspected.evidence.get(column.letter, "")]),
        findings=bool(findings),
        taken=before.taken if before else True,
        format=format_,
    )
