"""The application: the first screen, what all screens share, and how the dashboard exits."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import traceback
from collections.abc import Callable, Iterable
from typing import ClassVar

from rich.text import Text
from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.events import Resize
from textual.geometry import Size
from textual.screen import Screen
from textual.scrollbar import ScrollBar, ScrollBarRender

from tui_importer.errors import ExitCode
from tui_importer.tui.messages import DashboardResult, OpenRun
from tui_importer.tui.screens.help import HelpScreen
from tui_importer.tui.screens.run import RunScreen
from tui_importer.tui.screens.runs import RunsScreen
from tui_importer.tui.terminal import Glyphs, colours_of, glyphs_for, theme_for
from tui_importer.tui.themes import THEMES

#: Creates the first screen once the capabilities of the terminal are known.
FirstScreen = Callable[[Glyphs], Screen[None]]


class _PlainBar(ScrollBarRender):
    """A scrollbar of whole cells, for terminals without half blocks."""

    VERTICAL_BARS: ClassVar[list[str]] = [" "] * 8
    HORIZONTAL_BARS: ClassVar[list[str]] = [" "] * 8


class Dashboard(App[DashboardResult]):
    """Shows one run after another; exits with a :class:`DashboardResult`."""

    CSS_PATH = "styles.tcss"
    TITLE = "tui-importer"
    ENABLE_COMMAND_PALETTE = True
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (60, "-medium"), (120, "-wide")]  # noqa: RUF012  # as in textual
    VERTICAL_BREAKPOINTS = [(0, "-short"), (20, "-usual"), (34, "-tall"), (60, "-huge")]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("question_mark", "help", "Help", key_display="?"),
        Binding("u", "runs", "Runs", show=False),
        Binding("ctrl+q", "quit", "Quit", show=False),
        Binding("ctrl+c", "quit", "Quit", show=False, priority=True),
    ]

    def __init__(self, first: FirstScreen, glyphs: Glyphs | None = None, theme: str | None = None) -> None:
        # With NO_COLOR, use the terminal's own colours and then filter them: textual's shades of grey are colours too.
        super().__init__(ansi_color=True if os.environ.get("NO_COLOR") else None)
        self.glyphs = glyphs or glyphs_for(os.environ)
        self._first = first
        for each in THEMES:
            self.register_theme(each)
        self.theme = theme or theme_for(os.environ, colours_of(os.environ))
        self.animation_level = "none"
        plain = self.glyphs.name == "ascii"
        self.set_class(plain, "-ascii")
        ScrollBar.renderer = _PlainBar if plain else ScrollBarRender

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Return default colours for themes that do not define ours."""
        theme = self.current_theme
        quiet = "ansi_bright_black" if theme.ansi else "#808080"
        return {
            "chart": theme.primary,
            "bar": theme.success or theme.primary,
            "bar-empty": quiet,
            "frame": quiet,
            "muted": quiet,
        }

    def _fatal_error(self) -> None:
        """Exit the screen after a defect of ours; the import continues. The traceback is shown without the values of
        variables, which may hold a password or personal data."""
        self.bell()
        if self._exception is not None:
            text = "".join(traceback.format_exception(self._exception))
            self._exit_renderables.append(Text(text.rstrip("\n"), overflow="fold"))  # segments would be cut off
        self._close_messages_no_wait()

    def on_mount(self) -> None:
        # Without this handler, SIGTERM would leave the terminal in raw mode.
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self._terminated)
        self.set_interval(1.0, self._keep_size)
        self.push_screen(self._first(self.glyphs))

    def on_unmount(self) -> None:
        asyncio.get_running_loop().remove_signal_handler(signal.SIGTERM)

    def _terminated(self) -> None:
        """Exit at once; a live run continues."""
        shown = next((screen.shown for screen in self.screen_stack if isinstance(screen, RunScreen)), None)
        recording = shown.recording if shown is not None and shown.orders else None
        live = recording is not None and recording.alive
        self.exit(DashboardResult(recording=recording if live else None, live=live, exit_code=int(ExitCode.SIGTERM)))

    def _keep_size(self) -> None:
        """Make the screen as large as the terminal: the last of many rapid resizes can get lost."""
        if self.is_headless:
            return
        size = Size(*shutil.get_terminal_size())
        if size != self.screen.size:
            for each in (self, self.screen):
                each.post_message(Resize(size, size))

    def show_run(self, open_run: OpenRun | None) -> None:
        """Show a run in place of the current screen."""
        if open_run is not None:
            self.switch_screen(RunScreen(open_run, self.glyphs))

    def action_help(self) -> None:
        """Explain keys and words."""
        if not isinstance(self.screen, HelpScreen):
            self.push_screen(HelpScreen(self.glyphs))

    def action_runs(self) -> None:
        """List past and live runs."""
        if not isinstance(self.screen, RunsScreen):
            self.push_screen(RunsScreen(self.glyphs), self.show_run)

    async def action_quit(self) -> None:
        """Exit; a live run continues."""
        for screen in reversed(self.screen_stack):
            if isinstance(screen, RunScreen):
                screen.action_leave()
                return
        self.exit(DashboardResult())

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Yield the commands of the palette: what the keys do, by name."""
        yield SystemCommand("Theme", "Change the colours", self.action_change_theme)
        yield SystemCommand("Help", "Explain keys and words", self.action_help)
        yield SystemCommand("Runs", "List past and live runs", self.action_runs)
        if isinstance(screen, RunScreen):
            yield SystemCommand("Pause or go on", "Take no further batches, or go on", screen.action_pause)
            yield SystemCommand(
                "Stop", "Finish what is in flight and stop; again: abort, which rolls it back", screen.action_stop
            )
            yield SystemCommand("One worker more", "Open another connection", lambda: screen.action_workers(1))
            yield SystemCommand("One worker less", "Close a connection", lambda: screen.action_workers(-1))
            yield SystemCommand("Rejects", "Show rejected rows", screen.action_rejects)
            yield SystemCommand("Log", "Show the whole log", screen.action_log)
            yield SystemCommand("Leave", "A live run goes on", screen.action_leave)
