"""The base class of all widgets that show a view: a pure function draws it, and it is repainted only when it
differs."""

from __future__ import annotations

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from tui_importer.tui.drawing import cut
from tui_importer.tui.terminal import UNICODE, Glyphs
from tui_importer.tui.view import View

#: Cells that a frame takes around its title, in addition to those around its content.
_TITLE_PADDING = 2


class Picture(Widget):
    """Shows what :meth:`draw` returns for its view and size. A picture equal to the one before is not repainted."""

    view: reactive[View] = reactive(View, layout=False, repaint=False)

    def __init__(self, glyphs: Glyphs = UNICODE, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, classes=classes)
        self.glyphs = glyphs
        self._shown = Content("")
        self._titles: tuple[Content, ...] = ()

    def draw(self, view: View, width: int, height: int) -> Content:
        """Return the picture for ``width`` by ``height`` cells."""
        raise NotImplementedError

    def titles(self, view: View) -> tuple[Content, Content]:
        """Return the titles in the frame, above and below. Styles must not say more than the words do."""
        return Content(""), Content("")

    def decorate(self, view: View) -> None:
        """Set classes that depend on the view."""

    def render(self) -> Content:
        return self._shown

    @property
    def text(self) -> str:
        """The displayed text, without styles."""
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
        room = size.width - _TITLE_PADDING
        titles = tuple(cut(title, room, self.glyphs.ellipsis) for title in self.titles(self.view))
        if titles != self._titles:  # setting a title redraws the widget
            self._titles = titles
            self.border_title, self.border_subtitle = titles
        drawn = self.draw(self.view, size.width, size.height)
        if drawn.plain != self._shown.plain or drawn.spans != self._shown.spans:
            self._shown = drawn
            self.refresh()
