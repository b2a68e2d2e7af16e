"""The screens from a file to its run: pick a file, set up the import, show the run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from textual.app import App
from textual.screen import Screen

from tui_importer.core.model.plan import Plan
from tui_importer.errors import SourceError
from tui_importer.process.messages import ImportRequest
from tui_importer.process.start import InspectionProcess
from tui_importer.tui.messages import DashboardResult
from tui_importer.tui.open_run import begun
from tui_importer.tui.screens.files import FilesScreen
from tui_importer.tui.screens.run import RunScreen
from tui_importer.tui.screens.setup import OptionsFor, SetupScreen
from tui_importer.tui.terminal import Glyphs

#: Makes the request to the run's process from the plans of its imports.
RequestFor = Callable[[Sequence[Plan]], ImportRequest]


class Importing:
    """Creates the screens from files to the run that imports them. ``options_for`` returns the options of the plugins
    that a plan selects, ``plan_for`` the plan of a file."""

    def __init__(
        self,
        strategies: list[str],
        request_for: RequestFor,
        options_for: OptionsFor,
        plan_for: Callable[[str], Plan],
    ) -> None:
        self._plan_for = plan_for
        self._strategies = strategies
        self._options_for = options_for
        self._request_for = request_for

    def pick(self, glyphs: Glyphs) -> Screen[None]:
        """Return the screen that asks for a file."""

        def chosen(file: str) -> None:
            screen.app.switch_screen(self.set_up([self._plan_for(file)], glyphs))

        screen = FilesScreen(Path.cwd(), chosen, glyphs)
        return screen

    def mend(self, glyphs: Glyphs) -> Screen[None]:
        """Return the screen that asks for a workbook of mended rejects, and imports it at once: how is known."""

        def chosen(file: str) -> None:
            plan = self._plan_for(file)
            if plan.source.mends is None:
                raise SourceError(f"{file}: is not a workbook of rejected rows")
            screen.app.switch_screen(self.begin([plan], glyphs))

        def leave() -> None:
            screen.app.pop_screen()

        title = "which workbook of mended rejects? choose one, or type its path"
        screen = FilesScreen(Path.cwd(), chosen, glyphs, title=title, leave=leave)
        return screen

    def set_up(self, plans: Sequence[Plan], glyphs: Glyphs, ready: Sequence[Plan] = ()) -> Screen[None]:
        """Return the screen that sets up the first of these imports, and goes on to the next one or, after the last, to
        the run of all of them. The ``ready`` ones have been set up before."""
        plan, *others = plans

        def begin(plan: Plan) -> None:
            app: App[DashboardResult] = screen.app

            def refused(error: str) -> None:
                app.pop_screen()
                screen.say_refused(error)

            done = [*ready, plan]
            if others:
                app.switch_screen(self.set_up(others, glyphs, done))
            else:
                app.push_screen(self._run(done, glyphs, refused))

        screen = SetupScreen(
            plan,
            self._strategies,
            InspectionProcess,
            begin,
            glyphs,
            self._options_for,
            place=(len(ready) + 1, len(ready) + len(plans)),
            others=0 if plan.target.table is None else [each.target for each in (*ready, *others)].count(plan.target),
        )
        return screen

    def begin(self, plans: Sequence[Plan], glyphs: Glyphs) -> Screen[None]:
        """Return the screen that begins the run at once."""
        return self._run(plans, glyphs)

    def _run(self, plans: Sequence[Plan], glyphs: Glyphs, refused: Callable[[str], None] | None = None) -> Screen[None]:
        return RunScreen(begun(self._request_for(plans)), glyphs, refused=refused, mend=lambda: self.mend(glyphs))
