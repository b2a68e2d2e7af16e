"""The file picker: shown if the program is started without a file."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import DirectoryTree, Footer, Input, Static

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
    """Asks for a file; ``chosen`` is called with its path."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q", "leave", "Quit", key_display="esc")]

    def __init__(self, folder: Path, chosen: Callable[[str], None], glyphs: Glyphs) -> None:
        super().__init__()
        self._folder = folder
        self._chosen = chosen
        self._glyphs = glyphs

    def compose(self) -> ComposeResult:
        yield Static("which spreadsheet? choose one, or type its path", id="files-title", markup=False)
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
        """Exit without importing anything."""
        self.app.exit(DashboardResult())

    def _choose(self, path: Path) -> None:
        if path.is_file():
            self._chosen(str(path))
        else:
            self.query_one("#files-title", Static).update(self._glyphs.text(f"{path}: no such file"))


def _folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False
