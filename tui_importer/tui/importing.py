"""The screens from a file to its run: pick a file, set up the import, show the run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from textual.app import App
from textual.screen import Screen

from tui_importer.core.model.plan import Plan
from tui_importer.process.messages import ImportRequest
from tui_importer.process.start import InspectionProcess
from tui_importer.tui.messages import DashboardResult
from tui_importer.tui.open_run import begun
from tui_importer.tui.screens.files import FilesScreen
from tui_importer.tui.screens.run import RunScreen
from tui_importer.tui.screens.setup import OptionsFor, SetupScreen
from tui_importer.tui.terminal import Glyphs

#: Makes the request to the run's process from a plan.
RequestFor = Callable[[Plan], ImportRequest]


class Importing:
    """Creates the screens from a file to its run. ``plan_for`` returns the plan that the command line asks for, given a
    file; ``options_for`` the options of the plugins that a plan selects."""

    def __init__(
        self,
        strategies: list[str],
        plan_for: Callable[[str], Plan],
        request_for: RequestFor,
        options_for: OptionsFor,
    ) -> None:
        self._strategies = strategies
        self._options_for = options_for
        self._plan_for = plan_for
        self._request_for = request_for

    def pick(self, glyphs: Glyphs) -> Screen[None]:
        """Return the screen that asks for a file."""

        def chosen(file: str) -> None:
            screen.app.switch_screen(self.set_up(file, glyphs))

        screen = FilesScreen(Path.cwd(), chosen, glyphs)
        return screen

    def set_up(self, file: str, glyphs: Glyphs) -> Screen[None]:
        """Return the screen that sets up the import of a file."""

        def begin(plan: Plan) -> None:
            app: App[DashboardResult] = screen.app

            def refused(error: str) -> None:
                app.pop_screen()
                screen.say_refused(error)

            app.push_screen(RunScreen(begun(self._request_for(plan)), glyphs, refused=refused))

        plan = self._plan_for(file)
        screen = SetupScreen(plan, self._strategies, InspectionProcess, begin, glyphs, self._options_for)
        return screen

    def begin(self, file: str, glyphs: Glyphs) -> Screen[None]:
        """Return the screen that begins the run at once."""
        return RunScreen(begun(self._request_for(self._plan_for(file))), glyphs)
