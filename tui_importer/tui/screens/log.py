"""The whole log of a run: batches and workers too."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.reactive import reactive
from textual.screen import Screen
from textual.widgets import Footer, Static

from tui_importer.tui.drawing import lines
from tui_importer.tui.terminal import Glyphs
from tui_importer.tui.view import LogLine, View
from tui_importer.tui.widgets.lists import log_line


class LogScreen(Screen[None]):
    """All kept events, the newest at the bottom; follows new ones while scrolled to the end."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,l,q", "app.pop_screen", "Back", key_display="esc"),
        Binding("up,k", "scroll_up", "Up", show=False),
        Binding("down,j", "scroll_down", "Down", show=False),
        Binding("home,g", "home", "First"),
        Binding("end,G", "end", "Last"),
    ]

    view: reactive[View] = reactive(View, layout=False, repaint=False)

    def __init__(self, glyphs: Glyphs) -> None:
        super().__init__()
        self._glyphs = glyphs
        self._shown: tuple[LogLine, ...] | None = None

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="log-scroll"):
            yield Static(id="log-lines", markup=False)
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        self._update()

    def on_resize(self) -> None:
        self._shown = None
        self._update()

    def watch_view(self) -> None:
        self._update()

    def action_home(self) -> None:
        """Go to the first line."""
        self.query_one("#log-scroll").scroll_home(animate=False)

    def action_end(self) -> None:
        """Go to the last line."""
        self.query_one("#log-scroll").scroll_end(animate=False)

    def _update(self) -> None:
        if not self.query("#log-lines"):  # not composed yet: a view may arrive first
            return
        scroll, log = self.query_one("#log-scroll", VerticalScroll), self.view.log
        if log is self._shown:
            return
        follow = scroll.scroll_offset.y >= scroll.max_scroll_y
        width = max(20, scroll.size.width - 2)
        self._shown = log
        self.query_one("#log-lines", Static).update(lines([log_line(line, width, self._glyphs) for line in log]))
        if follow:
            scroll.scroll_end(animate=False)
