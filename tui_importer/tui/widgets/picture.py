"""The base of everything that shows a view: a pure picture of it, repainted only where it is another one."""

from __future__ import annotations

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from tui_importer.tui.drawing import cut
from tui_importer.tui.terminal import UNICODE, Glyphs
from tui_importer.tui.view import View

#: Cells that a frame has more beside its title than beside its content.
_BESIDE_TITLE = 2


class Picture(Widget):
    """Shows :meth:`draw` of its view and its size. A picture equal to the one before costs the terminal nothing."""

    view: reactive[View] = reactive(View, layout=False, repaint=False)

    def __init__(self, glyphs: Glyphs = UNICODE, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, classes=classes)
        self.glyphs = glyphs
        self._shown = Content("")
        self._titles: tuple[Content, ...] = ()

    def draw(self, view: View, width: int, height: int) -> Content:
        """The picture for a space of so many cells."""
        raise NotImplementedError

    def titles(self, view: View) -> tuple[Content, Content]:
        """What stands in the frame, above and below. Styles may only tell what the words tell, too."""
        return Content(""), Content("")

    def decorate(self, view: View) -> None:
        """Set classes by the view."""

    def render(self) -> Content:
        return self._shown

    @property
    def text(self) -> str:
        """What it shows, without styles."""
        return self._shown.plain

    def watch_view(self, before: View, view: View) -> None:
        self._update()

    def on_resize(self) -> None:
        self._update()

    def _update(self) -> None:
        if not self.is_mounted:
            return
        self.decorate(self.view)
        size = self.content_size
        if not size.width or not size.height:
            return
        room = size.width - _BESIDE_TITLE
        titles = tuple(cut(title, room, self.glyphs.ellipsis) for title in self.titles(self.view))
        if titles != self._titles:  # to set one is to draw the widget anew
            self._titles = titles
            self.border_title, self.border_subtitle = titles
        drawn = self.draw(self.view, size.width, size.height)
        if drawn.plain != self._shown.plain or drawn.spans != self._shown.spans:
            self._shown = drawn
            self.refresh()
