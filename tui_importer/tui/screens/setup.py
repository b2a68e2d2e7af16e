"""The setup screen: what is in the file, how it maps to the target, and the options; Enter begins."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import ClassVar, Protocol

import msgspec
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.screen import Screen
from textual.timer import Timer
from textual.widgets import DataTable, Footer, Input, Label, OptionList, Select, Static

from tui_importer.api import target_address
from tui_importer.core.model.cells import column_letters
from tui_importer.core.model.count_or_auto import format_count
from tui_importer.core.model.plan import Plan, save_plan
from tui_importer.core.model.standard_input import source_path
from tui_importer.core.model.write_mode import WriteKind, WriteMode
from tui_importer.errors import ImporterError
from tui_importer.plugins.options import OptionSet
from tui_importer.process.messages import (
    Answer,
    Inspected,
    InspectRequest,
    LookAtTargetRequest,
    Previewed,
    Refused,
    Request,
    TargetSeen,
)
from tui_importer.text.numbers import plural, size
from tui_importer.tui.cells import cell
from tui_importer.tui.draft import Draft, about, count_or_auto, header_row
from tui_importer.tui.messages import DashboardResult, InspectionAnswered
from tui_importer.tui.terminal import Glyphs
from tui_importer.tui.widgets.plugin_options import PluginOptionFields
from tui_importer.tui.widgets.top import DRY_RUN

#: Characters of a cell in the preview: enough to recognise the value.
_PREVIEW_CELL = 24
#: Seconds without typing after which the target is inspected.
_TYPING_PAUSE = 0.6

#: What becomes of the rows of a table that exists, by the write mode.
_ADDED = "the sheet's rows are added to them"
_FATES_OF_ROWS = {
    WriteKind.TRUNCATE: "all rows in it are removed, once the sheet's are loaded",
    WriteKind.REPLACE: "all rows in it are removed, once the sheet's are loaded",
    WriteKind.UPSERT: "those whose key is in the sheet are updated",
}


class Inspection(Protocol):
    """A running inspection of a source or a target (:class:`tui_importer.process.start.InspectionProcess`)."""

    def cancel(self) -> None: ...

    def close(self) -> None: ...


#: Starts an inspection, which calls the callback with its answers, from a thread.
StartInspection = Callable[[Request, Callable[[Answer], None]], Inspection]


#: Returns the options of the plugins that a plan selects. Raises :class:`tui_importer.errors.UsageError`.
OptionsFor = Callable[[Plan], Sequence[OptionSet]]

#: The headers of the table of columns; its first two columns are the mark and the letter.
_COLUMN_HEADERS = ("", "", "header", "column", "type", "found")


class SetupScreen(Screen[None]):
    """Sets an import up. ``begin`` is called with the plan when the user begins it.

    ``place`` is which one it is of how many that are set up one after another: all but the last only go on to the next.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "begin", "Start", priority=True),
        Binding("enter", "go_on", "Next file", priority=True),
        Binding("space", "leave_out", "Leave out"),
        Binding("t", "type", "Type"),
        Binding("s", "save", "Save plan"),
        Binding("q", "quit_setup", "Quit"),
        Binding("escape", "leave", "Leave the field", show=False),
    ]

    def __init__(
        self,
        plan: Plan,
        strategies: Sequence[str],
        start_inspection: StartInspection,
        begin: Callable[[Plan], None],
        glyphs: Glyphs,
        options_for: OptionsFor = lambda plan: (),
        place: tuple[int, int] = (1, 1),
    ) -> None:
        super().__init__()
        self._place = place
        self.draft = Draft(plan)
        self._strategies = strategies
        self._start = start_inspection
        self._begin = begin
        self._glyphs = glyphs
        self._options_for = options_for
        self._inspections: dict[str, tuple[int, Inspection]] = {}
        self._last_number = 0
        self._sheet: str | None = None
        self._given_database = target_address(plan).display
        self._typing: Timer | None = None
        self._inspected_values = {"setup-header": "", "setup-database": "", "setup-table": ""}
        self.target_words = ""
        #: What the inspections have found: the sheet's layout and the table's name, and the plan that can be carried
        #: out.
        self._inspected: Inspected | None = None
        self._inspected_plan: Plan | None = None
        self._valid_plan: Plan | None = None
        self._saved: Path | None = None
        self._saved_plan: Plan | None = None
        self._begin_pending = False  # begin as soon as the inspections find nothing against it

    def compose(self) -> ComposeResult:
        plan, options = self.draft.given, self.draft.given.options
        with Horizontal(id="setup-source"):
            yield Static(self._file_label(), id="setup-file", markup=False)
            yield Label("sheet")
            yield Select[str]([], prompt="...", allow_blank=True, compact=True, id="setup-sheet")
            yield Label("header row")
            header = format_count(plan.source.header_row)
            yield Input(header, compact=True, id="setup-header", max_length=7)
        yield Static("opening the file", id="setup-status", markup=False)
        preview: DataTable[Text] = DataTable(id="setup-preview", cursor_type="none", zebra_stripes=True)
        preview.border_title = "first rows"
        yield preview
        columns: DataTable[Text] = DataTable(id="setup-columns", cursor_type="row")
        columns.border_title = "columns"
        yield columns
        with Horizontal(classes="setup-line"):
            yield Label("into")
            yield Input(self._glyphs.text(self._given_database), compact=True, id="setup-database")
            yield Label("table")
            yield Input(plan.target.table or "", placeholder="found out", compact=True, id="setup-table")
        with Horizontal(classes="setup-line"):
            yield Label("mode")
            modes = [(kind.value, kind.value) for kind in WriteKind]
            yield Select[str](modes, value=plan.target.mode, allow_blank=False, compact=True, id="setup-mode")
            yield Label("strategy")
            names = [(Content(name), name) for name in self._strategies]
            yield Select[str](names, value=options.strategy, allow_blank=False, compact=True, id="setup-strategy")
            yield Label("workers")
            yield Input(format_count(options.workers), compact=True, id="setup-workers", max_length=4)
            yield Label("batch")
            yield Input(format_count(options.batch_size), compact=True, id="setup-batch", max_length=7)
        yield PluginOptionFields(self._glyphs, options.plugin_options, id="setup-options")
        yield Static("", id="setup-target", markup=False)
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        self._show_columns()  # the headers, as long as there are no columns
        self._columns.focus()
        for name in self._inspected_values:
            self._inspected_values[name] = self.query_one(f"#{name}", Input).value
        self._show_options()
        self._inspect_source()

    def on_unmount(self) -> None:
        for _, inspection in self._inspections.values():
            inspection.close()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave a focused field the keys that it needs."""
        focused, last = self.focused, self._place[0] == self._place[1]
        if action in ("begin", "go_on"):
            return last == (action == "begin") and not isinstance(focused, OptionList)
        if action in ("leave_out", "type", "save"):
            return not isinstance(focused, (Input, Select, OptionList))
        if action in ("leave", "quit_setup"):
            return not isinstance(focused, OptionList)
        return True

    def _inspect_source(self) -> None:
        self._inspected_values["setup-header"] = self.query_one("#setup-header", Input).value
        try:
            source = msgspec.structs.replace(
                self.draft.given.source,
                sheet=self._sheet if self._sheet is not None else self.draft.given.source.sheet,
                header_row=header_row(self.query_one("#setup-header", Input).value),
            )
            options = msgspec.structs.replace(self.draft.given.options, plugin_options=self._plugin_options.values())
        except ImporterError as error:
            self._show_status(str(error), bad=True)
            return
        self._show_status(f"reading {source_path(source.file).name}, findings follow")
        self._inspected = self._valid_plan = None
        plan = msgspec.structs.replace(self.draft.given, source=source, options=options)
        self._start_inspection("source", InspectRequest(plan=plan))

    def _start_inspection(self, kind: str, request: Request) -> None:
        if kind in self._inspections:
            self._inspections[kind][1].cancel()
        self._last_number += 1
        number = self._last_number

        def on_answer(answer: Answer) -> None:
            self.post_message(InspectionAnswered(number, answer))

        self._inspections[kind] = (number, self._start(request, on_answer))

    def on_inspection_answered(self, message: InspectionAnswered) -> None:
        kind = next((kind for kind, (number, _) in self._inspections.items() if number == message.number), None)
        match message.answer:
            case Previewed() if kind == "source":
                self._show_preview(message.answer)
            case Inspected() if kind == "source":
                self._show_findings(message.answer)
            case TargetSeen() if kind == "target":
                self._show_target(message.answer)
            case Refused(error=error) if kind == "source":
                del self._inspections["source"]
                self._refuse()
                self._show_status(error, bad=True)
            case Refused(error=error) if kind == "target":
                self._refuse()
                self._show_target_status(error, "error")

    def _show_preview(self, previewed: Previewed) -> None:
        sheets = self.query_one("#setup-sheet", Select)
        names = [(Content(self._glyphs.text(name, 40)), name) for name in previewed.sheets]
        if self._sheet is None or self._sheet not in previewed.sheets:
            self._sheet = previewed.sheet
            with sheets.prevent(Select.Changed):
                sheets.set_options(names)
                sheets.value = previewed.sheet
        preview = self.query_one("#setup-preview", DataTable)
        preview.clear(columns=True)
        width = max((len(row) for row in previewed.rows), default=0)
        preview.add_column("", width=len(f"{previewed.first_row + len(previewed.rows):,}"))
        for place in range(width):
            longest = max(len(row[place]) for row in previewed.rows if place < len(row))
            preview.add_column(
                column_letters(previewed.first_column + place), width=min(_PREVIEW_CELL, max(3, longest))
            )
        for number, row in enumerate(previewed.rows, start=previewed.first_row):
            cells = [cell(self.app, self._glyphs.text(text, _PREVIEW_CELL)) for text in row]
            preview.add_row(cell(self.app, f"{number:,}", "muted"), *cells)
        preview.border_subtitle = "as the file stores them" if previewed.raw else ""

    def _show_findings(self, inspected: Inspected) -> None:
        self._inspected = inspected
        self.draft = self.draft.inspected(inspected)
        plan = inspected.plan
        rows = "" if inspected.rows is None else f"{plural(inspected.rows, 'row')}, "
        header_row = plan.source.header_row if inspected.layout is None else inspected.layout.header_row
        header = f"header in row {header_row}" if header_row else "no header"
        notes = [
            note for note in inspected.notes if not any(note.startswith(about(column)) for column in plan.columns or ())
        ]
        self._show_status("; ".join([f"{rows}{plural(len(self.draft.columns), 'column')}, {header}", *notes]))
        self._show_columns()
        table = self.query_one("#setup-table", Input)
        if not table.value:
            with table.prevent(Input.Changed):
                table.value = plan.target.table or ""
        self._inspect_target()

    def _show_columns(self) -> None:
        columns, text, at = self._columns, self._glyphs.text, self._columns.cursor_row
        rows = list[tuple[Text, ...]]()
        for column in self.draft.columns:
            out, quiet = not column.taken, None if column.taken else "muted"
            type_ = f"{column.type}{' not null' if column.required else ''}"
            changed = column.type != column.found
            rows.append(
                (
                    cell(self.app, " " if out else self._glyphs.marks["done"], "success"),
                    cell(self.app, column.letter, "muted"),
                    cell(self.app, text(column.header, 24), quiet, strike=out),
                    cell(self.app, "left out" if out else f"{self._glyphs.to} {column.target[:24]}", quiet),
                    cell(self.app, type_, "warning" if changed else quiet, bold=changed),
                    cell(self.app, text(column.evidence, 300), "warning" if column.findings else "muted"),
                )
            )
        # Given widths: a table that measures its cells later may keep drawing them as wide as before.
        columns.clear(columns=True)
        for place, name in enumerate(_COLUMN_HEADERS):
            columns.add_column(name, width=max(len(name), *(row[place].cell_len for row in rows), 0))
        for row in rows:
            columns.add_row(*row)
        columns.move_cursor(row=at)

    def _inspect_target(self) -> None:
        for name in ("setup-database", "setup-table"):
            self._inspected_values[name] = self.query_one(f"#{name}", Input).value
        self._show_options()
        self._inspected_plan = plan = self._plan()
        found = self._inspected
        table = plan.target.table if plan else None
        table = table or (found.plan.target.table if found else None)
        if plan is None or table is None:
            return  # an invalid plan has been reported; a missing name will come with the findings
        plan = msgspec.structs.replace(plan, target=msgspec.structs.replace(plan.target, table=table))
        self._start_inspection("target", LookAtTargetRequest(plan=plan, layout=found.layout if found else None))

    def _database(self) -> str | None:
        """Return the address that was typed. If the field was not changed, return the given address, which may hold a
        password."""
        typed = self.query_one("#setup-database", Input).value.strip()
        return self.draft.given.target.database if typed == self._glyphs.text(self._given_database) else typed

    def _show_target(self, seen: TargetSeen) -> None:
        mode = WriteMode(WriteKind(str(self.query_one("#setup-mode", Select).value)))
        self._valid_plan = None
        if seen.obstacle is None and not (seen.exists and mode.needs_new_table):
            self._valid_plan = self._inspected_plan if self._inspected is not None else None
        if seen.obstacle is not None and not mode.needs_new_table:
            self._show_target_status(seen.obstacle, "error")
        elif not seen.exists:
            would = "would" if self.draft.given.options.dry_run else "will"
            self._show_target_status(f"table {seen.table} {would} be created in {seen.database}", "info")
        elif mode.needs_new_table:
            self._show_target_status(
                f"table {seen.table} exists, with {plural(seen.rows, 'row')}: it cannot be created", "error"
            )
        elif seen.rows:
            held = f"table {seen.table} holds {plural(seen.rows, 'row')} already"
            self._show_target_status(f"{held}: {_FATES_OF_ROWS.get(mode.kind, _ADDED)}", "warning")
        else:
            self._show_target_status(f"table {seen.table} exists and is empty", "info")
        if self._begin_pending and self._inspected is not None:
            self._begin_pending = self._valid_plan is not None
            if self._begin_pending:
                self.action_begin()

    def _show_options(self) -> None:
        """Show the options of the plugins that are selected now; of an invalid selection, leave the last ones."""
        given = self.draft.given
        try:
            target = msgspec.structs.replace(given.target, database=self._database())
            strategy = str(self.query_one("#setup-strategy", Select).value)
            options = msgspec.structs.replace(given.options, strategy=strategy)
            found = self._options_for(msgspec.structs.replace(given, target=target, options=options))
        except ImporterError:
            return  # said when the target is inspected
        self._plugin_options.show(found)

    def _option_changed(self, name: str | None, text: str) -> None:
        """Inspect what an option of a plugin may change."""
        if not self._plugin_options.keep(name, text):
            return
        self._begin_pending = False
        of_reader = self._plugin_options.kind_of(name) == "reader"
        self._inspect_soon(self._inspect_source if of_reader else self._inspect_target)

    def on_input_changed(self, event: Input.Changed) -> None:
        self._option_changed(event.input.name, event.value)
        if event.value == self._inspected_values.get(event.input.id or "", event.value):
            return  # a field also sends this event when it is filled for the first time
        self._begin_pending = False
        if event.input.id in ("setup-database", "setup-table"):
            self._show_target_status("", "info")
            self._inspect_soon(self._inspect_target)
        elif event.input.id == "setup-header":
            self._inspect_soon(self._inspect_source)

    def _inspect_soon(self, inspect: Callable[[], None]) -> None:
        """Inspect once the user has stopped typing."""
        if self._typing is not None:
            self._typing.stop()
        self._typing = self.set_timer(_TYPING_PAUSE, inspect)

    def on_select_changed(self, event: Select.Changed) -> None:
        if event.select.id in ("setup-sheet", "setup-mode"):
            self._begin_pending = False
        if event.select.id == "setup-sheet" and isinstance(event.value, str) and event.value != self._sheet:
            self._sheet = event.value
            self.draft = Draft(self.draft.given)
            self._show_columns()
            if not self.draft.given.target.table:
                table = self.query_one("#setup-table", Input)
                with table.prevent(Input.Changed):
                    table.value = ""
            self._inspect_source()
        elif event.select.id == "setup-mode":
            self._inspect_target()
        elif event.select.id == "setup-strategy":
            self._show_options()
        else:
            self._option_changed(event.select.name, event.value if isinstance(event.value, str) else "")

    def action_leave_out(self) -> None:
        """Leave the column out, or include it again."""
        if self.draft.columns:
            self.draft = self.draft.toggled(self._columns.cursor_row)
            self._show_columns()
            self._begin_pending = False
            self._inspect_soon(self._inspect_target)  # this may change whether the table takes the columns

    def action_type(self) -> None:
        """Change the column to its next type."""
        if self.draft.columns:
            self.draft = self.draft.retyped(self._columns.cursor_row)
            self._show_columns()
            self._begin_pending = False

    def action_begin(self) -> None:
        """Begin the import as soon as the file and the table have been inspected and nothing is against it."""
        plan = self._plan()
        if plan is None:
            return
        if plan == self._valid_plan:
            self._refuse()  # inspect everything again if the user returns to this screen
            for _, inspection in self._inspections.values():
                inspection.cancel()  # the run reads the file itself, and should not share the machine
            self._begin(plan)
            return
        self._begin_pending = True
        if self._inspected is not None:
            self._inspect_target()
        elif "source" not in self._inspections:  # it was refused
            self._inspect_source()
        self._show_target_status("begins once the file and the table have been looked at: Esc takes that back", "info")

    def action_go_on(self) -> None:
        """Set up the next import as soon as this one could begin."""
        self.action_begin()

    def _refuse(self) -> None:
        """Discard what was found: the next Enter inspects again."""
        self._begin_pending, self._valid_plan = False, None

    def action_save(self) -> None:
        """Save the plan in the current folder, to be edited and used with --schema."""
        plan = self._plan()
        if plan is None:
            return
        # The displayed address holds no password.
        safe = msgspec.structs.replace(plan.target, database=target_address(plan).display)
        plan = msgspec.structs.replace(plan, target=safe)
        taken = self._saved if plan == self._saved_plan else None
        stem = source_path(plan.source.file).stem
        path = taken or next(path for path in _numbered_paths(f"{stem}.plan", ".toml") if not os.path.lexists(path))
        try:
            save_plan(plan, path, replace=False)
            self._saved, self._saved_plan = path, plan
        except ImporterError as error:
            self.notify(self._glyphs.text(str(error)), severity="error", markup=False)
        else:
            self.notify(self._glyphs.text(f"saved as {path}: --schema {path}"), markup=False)

    def action_leave(self) -> None:
        """Leave a field, or take Enter back."""
        if isinstance(self.focused, (Input, Select)):
            self._columns.focus()
        elif self._begin_pending:
            self._begin_pending = False
            self._show_target_status("nothing is begun", "info")
        else:
            self.notify("q quits without importing anything, Enter begins", markup=False)

    def action_quit_setup(self) -> None:
        """Exit without importing anything."""
        self.app.exit(DashboardResult())

    def say_refused(self, error: str) -> None:
        """Show why the run was refused."""
        self._show_target_status(error, "error")

    def _plan(self) -> Plan | None:
        def value(name: str) -> str:
            return self.query_one(f"#setup-{name}", Input).value

        try:
            return self.draft.plan(
                sheet=self._sheet or self._given_sheet(),
                header_row=header_row(value("header")),
                database=self._database(),
                table=value("table").strip() or None,
                mode=str(self.query_one("#setup-mode", Select).value),
                strategy=str(self.query_one("#setup-strategy", Select).value),
                workers=count_or_auto(value("workers"), "workers"),
                batch_size=count_or_auto(value("batch"), "batch"),
                plugin_options=self._plugin_options.values(),
            )
        except ImporterError as error:
            self._show_target_status(str(error), "error")
            return None

    def _given_sheet(self) -> str | None:
        sheet = self.draft.given.source.sheet
        return sheet if isinstance(sheet, str) else None

    @property
    def _plugin_options(self) -> PluginOptionFields:
        return self.query_one("#setup-options", PluginOptionFields)

    @property
    def _columns(self) -> DataTable[Text]:
        return self.query_one("#setup-columns", DataTable)

    def _file_label(self) -> str:
        path = source_path(self.draft.given.source.file)
        try:
            held = f" ({size(path.stat().st_size)})"
        except OSError:
            held = ""
        dry = f"{DRY_RUN}  " if self.draft.given.options.dry_run else ""
        number, of = self._place
        which = f"{number} of {of}: " if of > 1 else ""
        return dry + which + self._glyphs.text(path.name) + held

    def _show_status(self, text: str, *, bad: bool = False) -> None:
        status = self.query_one("#setup-status", Static)
        status.set_class(bad, "-error")
        status.update(self._glyphs.text(text, 1_000))

    def _show_target_status(self, text: str, level: str) -> None:
        target = self.query_one("#setup-target", Static)
        for each in ("info", "warning", "error"):
            target.set_class(each == level, f"-{each}")
        mark = f"{self._glyphs.marks[level]} " if text else ""
        self.target_words = mark + self._glyphs.text(text, 400)
        target.update(self.target_words)


def _numbered_paths(stem: str, ending: str) -> Iterator[Path]:
    """Yield ``STEM.toml``, ``STEM-2.toml`` and so on."""
    return (Path(f"{stem}{'' if number == 1 else f'-{number}'}{ending}") for number in count(1))
