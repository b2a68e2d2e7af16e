"""The file picker: shown if the program is started without a file."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import DirectoryTree, Footer, Input, Static

from tui_importer.errors import ImporterError
from tui_importer.tui.messages import DashboardResult
from tui_importer.tui.terminal import Glyphs

#: Suffixes of the files that are listed; the path of any other file can be typed.
SUFFIXES = frozenset({".xlsx", ".xlsm", ".xlsb", ".xls", ".ods", ".csv", ".tsv"})


class SpreadsheetTree(DirectoryTree):
    """A tree of folders and spreadsheet files."""

    def filter_paths(self, paths: Iterable[Path]) -> Iterable[Path]:
        """Leave out hidden files, and files that are not spreadsheets."""
        visible = [path for path in paths if not path.name.startswith(".")]
        return [path for path in visible if path.suffix.lower() in SUFFIXES or _folder(path)]


class FilesScreen(Screen[None]):
    """Asks for a file; ``chosen`` is called with its path, and says with an
    :class:`~tui_importer.errors.ImporterError` what is wrong with it. ``leave`` is called if there is none, by default
    the application exits."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q", "leave", "Leave", key_display="esc")]

    def __init__(
        self,
        folder: Path,
        chosen: Callable[[str], None],
        glyphs: Glyphs,
        *,
        title: str = "which spreadsheet? choose one, or type its path",
        leave: Callable[[], object] | None = None,
    ) -> None:
        super().__init__()
        self._title = title
        self._leave = leave
        self._folder = folder
        self._chosen = chosen
        self._glyphs = glyphs

    def compose(self) -> ComposeResult:
        yield Static(self._title, id="files-title", markup=False)
        yield Input(placeholder="path of a file", id="files-path", compact=True)
        yield SpreadsheetTree(self._folder, id="files-tree")
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        self.query_one(SpreadsheetTree).focus()

    def on_directory_tree_file_selected(self, event: DirectoryTree.FileSelected) -> None:
        self._choose(event.path)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        if event.value.strip():
            self._choose(Path(event.value.strip()).expanduser())

    def action_leave(self) -> None:
        """Leave without importing anything."""
        if self._leave is not None:
            self._leave()
        else:
            self.app.exit(DashboardResult())

    def _choose(self, path: Path) -> None:
        if not path.is_file():
            self._say(f"{path}: no such file")
            return
        try:
            self._chosen(str(path))
        except ImporterError as error:
            self._say(str(error))

    def _say(self, text: str) -> None:
        self.query_one("#files-title", Static).update(self._glyphs.text(text))


def _folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False
