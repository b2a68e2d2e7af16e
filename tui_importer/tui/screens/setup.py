"""The setup screen: what is in the file, how it maps to the target, and the options; Enter begins."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

import msgspec
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.timer import Timer
from textual.widgets import Footer, Input, OptionList, Select

from tui_importer.core.model.plan import Plan
from tui_importer.core.model.standard_input import source_path
from tui_importer.errors import ImporterError
from tui_importer.plugins.options import OptionSet
from tui_importer.process.messages import (
    Answer,
    Inspected,
    InspectRequest,
    LookAtTargetRequest,
    Previewed,
    Refused,
    TargetSeen,
)
from tui_importer.tui.column_formats import GivenFormat
from tui_importer.tui.draft import Draft, header_row
from tui_importer.tui.forms import FORMS
from tui_importer.tui.inspections import Inspections, StartInspection
from tui_importer.tui.messages import DashboardResult, InspectionAnswered
from tui_importer.tui.readiness import Readiness
from tui_importer.tui.saved_plan import SavedPlan
from tui_importer.tui.screens.confirm import ConfirmScreen
from tui_importer.tui.screens.form import FormScreen
from tui_importer.tui.screens.format import FormatScreen
from tui_importer.tui.target_status import target_status
from tui_importer.tui.terminal import Glyphs
from tui_importer.tui.widgets.columns import ColumnTable
from tui_importer.tui.widgets.plugin_options import PluginOptionFields
from tui_importer.tui.widgets.preview import Preview
from tui_importer.tui.widgets.source_line import SourceLine
from tui_importer.tui.widgets.status_lines import SourceStatus, TargetStatus
from tui_importer.tui.widgets.target_fields import TargetFields

#: Seconds without typing after which the target is inspected.
_TYPING_PAUSE = 0.6

#: Returns the options of the plugins that a plan selects. Raises :class:`tui_importer.errors.UsageError`.
OptionsFor = Callable[[Plan], Sequence[OptionSet]]


class SetupScreen(Screen[None]):
    """Sets an import up. ``begin`` is called with the plan when the user begins it.

    ``place`` is which one it is of how many that are set up one after another: all but the last only go on to the next.
    ``others`` is how many other ones go into the same table.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "begin", "Start", priority=True),
        Binding("enter", "go_on", "Next file", priority=True),
        Binding("space", "leave_out", "Leave out"),
        Binding("t", "type", "Type"),
        Binding("f", "format", "Format"),
        Binding("m", "edit('mode')", "Mode"),
        Binding("o", "edit('options')", "More"),
        Binding("s", "save", "Save"),
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
        others: int = 0,
    ) -> None:
        super().__init__()
        self._others = others
        self._place = place
        self.draft = Draft(plan)
        self._strategies = strategies
        self._begin = begin
        self._glyphs = glyphs
        self._options_for = options_for
        self._inspections = Inspections(start_inspection, self._post_answer)
        self._sheet: str | None = None
        self._typing: Timer | None = None
        self._inspected_values = {"setup-header": "", "setup-database": "", "setup-table": ""}
        self._readiness = Readiness()
        self._saved_plan = SavedPlan()

    def compose(self) -> ComposeResult:
        yield SourceLine(self.draft.given, self._glyphs, self._place, id="setup-source")
        yield SourceStatus("opening the file", self._glyphs, id="setup-status")
        yield Preview(self._glyphs, id="setup-preview")
        yield ColumnTable(self._glyphs, id="setup-columns")
        yield TargetFields(self.draft.given, self._strategies, self._glyphs, id="setup-fields")
        yield PluginOptionFields(self._glyphs, self.draft.given.options.plugin_options, id="setup-options")
        yield TargetStatus(self._glyphs, id="setup-target")
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        self._columns.show(())  # the headers, as long as there are no columns
        self._columns.focus()
        for name in self._inspected_values:
            self._inspected_values[name] = self.query_one(f"#{name}", Input).value
        self._show_options()
        self._inspect_source()

    def on_unmount(self) -> None:
        self._inspections.close()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave a focused field the keys that it needs."""
        focused, last = self.focused, self._place[0] == self._place[1]
        if action in ("begin", "go_on"):
            return last == (action == "begin") and not isinstance(focused, OptionList)
        if action in ("leave_out", "type", "format", "edit", "save"):
            return not isinstance(focused, (Input, Select, OptionList))
        if action in ("leave", "quit_setup"):
            return not isinstance(focused, OptionList)
        return True

    def _inspect_source(self) -> None:
        self._inspected_values["setup-header"] = self.query_one("#setup-header", Input).value
        try:
            row = header_row(self.query_one("#setup-header", Input).value)
            plan = self.draft.source_plan(self._sheet, row, self._plugin_options.values())
        except ImporterError as error:
            self._source_status.say(str(error), bad=True)
            return
        self._source_status.say(f"reading {source_path(plan.source.file).name}, findings follow")
        self._readiness.inspect_source()
        self._inspections.begin("source", InspectRequest(plan=plan))

    def _post_answer(self, number: int, answer: Answer) -> None:
        self.post_message(InspectionAnswered(number, answer))

    def on_inspection_answered(self, message: InspectionAnswered) -> None:
        kind = self._inspections.kind_of(message.number)
        match message.answer:
            case Previewed() if kind == "source":
                self._show_preview(message.answer)
            case Inspected() if kind == "source":
                self._show_findings(message.answer)
            case TargetSeen() if kind == "target":
                self._show_target(message.answer)
            case Refused(error=error) if kind == "source":
                self._inspections.forget("source")
                self._readiness.reset()
                self._source_status.say(error, bad=True)
            case Refused(error=error) if kind == "target":
                self._readiness.reset()
                self._target_status.say(error, "error")

    def _show_preview(self, previewed: Previewed) -> None:
        if self._sheet is None or self._sheet not in previewed.sheets:
            self._sheet = previewed.sheet
            self.query_one("#setup-source", SourceLine).show_sheets(previewed)
        self.query_one("#setup-preview", Preview).show(previewed)

    def _show_findings(self, inspected: Inspected) -> None:
        self._readiness.source = inspected
        self.draft = self.draft.inspected(inspected)
        plan = inspected.plan
        self._source_status.show(inspected)
        self._show_columns()
        if not self.query_one("#setup-table", Input).value:
            self._fields.set_table(plan.target.table or "")
        self._inspect_target()

    def _show_columns(self) -> None:
        self._columns.show(self.draft.columns, self.draft.formats.all.null_if)

    def _inspect_target(self) -> None:
        for name in ("setup-database", "setup-table"):
            self._inspected_values[name] = self.query_one(f"#{name}", Input).value
        self._show_options()
        plan, found = self._plan(), self._readiness.source
        self._readiness.inspect_target(plan)
        table = plan.target.table if plan else None
        table = table or (found.plan.target.table if found else None)
        if plan is None or table is None:
            return  # an invalid plan has been reported; a missing name will come with the findings
        plan = msgspec.structs.replace(plan, target=msgspec.structs.replace(plan.target, table=table))
        self._inspections.begin("target", LookAtTargetRequest(plan=plan, layout=self._readiness.layout))

    def _show_target(self, seen: TargetSeen) -> None:
        plan = self._readiness.target_seen(seen)
        if plan is None:
            return
        others = self._others if plan.target.table == self.draft.given.target.table else 0
        status = target_status(seen, plan.target.write_mode, dry_run=plan.options.dry_run, others=others)
        self._target_status.say(*status)
        if self._readiness.begin_pending and self._readiness.source is not None:
            self.action_begin()

    def _show_options(self) -> None:
        """Show the options of the plugins that are selected now; of an invalid selection, leave the last ones."""
        given = self.draft.given
        try:
            target = msgspec.structs.replace(given.target, database=self._fields.database)
            options = msgspec.structs.replace(given.options, strategy=self._fields.strategy)
            found = self._options_for(msgspec.structs.replace(given, target=target, options=options))
        except ImporterError:
            return  # said when the target is inspected
        self._plugin_options.show(found)

    def _option_changed(self, name: str | None, text: str) -> None:
        """Inspect what an option of a plugin may change."""
        if not self._plugin_options.keep(name, text):
            return
        self._readiness.begin_pending = False
        of_reader = self._plugin_options.kind_of(name) == "reader"
        self._inspect_soon(self._inspect_source if of_reader else self._inspect_target)

    def on_input_changed(self, event: Input.Changed) -> None:
        self._option_changed(event.input.name, event.value)
        if event.value == self._inspected_values.get(event.input.id or "", event.value):
            return  # a field also sends this event when it is filled for the first time
        self._readiness.begin_pending = False
        if event.input.id in ("setup-database", "setup-table"):
            self._target_status.say("", "info")
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
            self._readiness.begin_pending = False
        if event.select.id == "setup-sheet" and isinstance(event.value, str) and event.value != self._sheet:
            self._sheet = event.value
            self.draft = Draft(self.draft.given)
            self._show_columns()
            if not self.draft.given.target.table:
                self._fields.set_table("")
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
            self._readiness.begin_pending = False
            self._inspect_soon(self._inspect_target)  # this may change whether the table takes the columns

    def action_type(self) -> None:
        """Change the column to its next type."""
        if self.draft.columns:
            self.draft = self.draft.retyped(self._columns.cursor_row)
            self._show_columns()
            self._readiness.begin_pending = False

    def action_format(self) -> None:
        """Ask how the texts of the column are written."""
        if not self.draft.columns:
            return
        place = self._columns.cursor_row
        column, layout = self.draft.columns[place], self._readiness.layout
        texts = self.query_one("#setup-preview", Preview).texts(column.letter, layout.first_row if layout else 2)

        def take(given: GivenFormat | None) -> None:
            if given is not None and (draft := self.draft.formatted(place, given)).formats != self.draft.formats:
                self.draft = draft
                self._show_columns()
                self._readiness.begin_pending = False
                self._inspect_source()

        self.app.push_screen(FormatScreen(column, self.draft.formats, texts, self._glyphs), take)

    def action_edit(self, name: str) -> None:
        """Ask for more of the plan than fits onto this screen."""
        given = msgspec.structs.replace(self.draft.given, columns=None)
        form = FORMS[name](given, self._fields.mode)

        def take(changed: Plan | None) -> None:
            if changed is not None and changed != given:
                self.draft = self.draft.replanned(changed)
                self._fields.set_mode(changed.target.mode)
                self.query_one("#setup-source", SourceLine).show_plan(changed)
                self._readiness.begin_pending = False
                self._inspect_source()

        self.app.push_screen(FormScreen(form, self._glyphs), take)

    def action_begin(self) -> None:
        """Begin the import as soon as the file and the table have been inspected and nothing is against it."""
        plan = self._plan()
        if plan is None:
            return
        if self._readiness.allows(plan):
            self._readiness.begin_pending = False
            if self._readiness.question is None:
                self._begin_now(plan)
            else:
                asked = ConfirmScreen(self._readiness.question, self._glyphs)
                self.app.push_screen(asked, lambda yes: self._begin_now(plan) if yes else None)
            return
        self._readiness.begin_pending = True
        if self._readiness.source is not None:
            self._inspect_target()
        elif not self._inspections.has("source"):  # it was refused
            self._inspect_source()
        self._target_status.say("begins once the file and the table have been inspected; Esc cancels that", "info")

    def _begin_now(self, plan: Plan) -> None:
        self._readiness.reset()  # inspect everything again if the user returns to this screen
        self._inspections.cancel()  # the run reads the file itself, and should not share the machine
        self._begin(plan)

    def action_go_on(self) -> None:
        """Set up the next import as soon as this one could begin."""
        self.action_begin()

    def action_save(self) -> None:
        """Save the plan in the current folder, to be edited and used with --schema."""
        plan = self._plan()
        if plan is None:
            return
        try:
            path = self._saved_plan.save(plan)
        except ImporterError as error:
            self.notify(self._glyphs.text(str(error)), severity="error", markup=False)
        else:
            self.notify(self._glyphs.text(f"saved as {path}: --schema {path}"), markup=False)

    def action_leave(self) -> None:
        """Leave a field, or take Enter back."""
        if isinstance(self.focused, (Input, Select)):
            self._columns.focus()
        elif self._readiness.begin_pending:
            self._readiness.begin_pending = False
            self._target_status.say("nothing is begun", "info")
        else:
            self.notify("q quits without importing anything, Enter begins", markup=False)

    def action_quit_setup(self) -> None:
        """Exit without importing anything."""
        self.app.exit(DashboardResult())

    def say_refused(self, error: str) -> None:
        """Show why the run was refused."""
        self._target_status.say(error, "error")

    def _plan(self) -> Plan | None:
        try:
            return self.draft.plan(
                sheet=self._sheet or self.draft.given_sheet,
                header_row=header_row(self.query_one("#setup-header", Input).value),
                plugin_options=self._plugin_options.values(),
                **self._fields.values(),
            )
        except ImporterError as error:
            self._target_status.say(str(error), "error")
            return None

    @property
    def _fields(self) -> TargetFields:
        return self.query_one("#setup-fields", TargetFields)

    @property
    def _plugin_options(self) -> PluginOptionFields:
        return self.query_one("#setup-options", PluginOptionFields)

    @property
    def _columns(self) -> ColumnTable:
        return self.query_one("#setup-columns", ColumnTable)

    @property
    def target_words(self) -> str:
        """What is said of the table now."""
        return self._target_status.words

    @property
    def _source_status(self) -> SourceStatus:
        return self.query_one("#setup-status", SourceStatus)

    @property
    def _target_status(self) -> TargetStatus:
        return self.query_one("#setup-target", TargetStatus)
