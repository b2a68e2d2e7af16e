"""Checks of the command line's words, before any of them is carried out."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tui_importer.core.model.files import check_new_file, check_source_file
from tui_importer.core.model.standard_input import STANDARD_INPUT, source_path
from tui_importer.core.model.suggest import closest
from tui_importer.core.model.undecodable_names import escaped
from tui_importer.errors import SourceError, UsageError

if TYPE_CHECKING:
    from tui_importer.plugins.registry import Registry


def check_command(word: str, commands: Iterable[str]) -> None:
    """Refuse a word that is neither a command nor a file, with a suggestion. Raises :class:`UsageError`.

    A word that looks like a file's name (it has a suffix or a folder) is a missing file, which is reported elsewhere.
    """
    if word == STANDARD_INPUT or os.path.lexists(word) or os.path.basename(word) != word or Path(word).suffix:
        return
    known = list(commands)
    meant = closest(word.lower(), [*known, *_files_beside(Path(word))])
    if meant in known:
        raise UsageError(f"no such command {word!r}: did you mean {meant!r}?")
    if meant is not None:
        raise UsageError(f"{word!r} is neither a command nor a file: did you mean {meant}?")
    raise UsageError(f"{word!r} is neither a command nor a file: the commands are {', '.join(known)}")


def check_files(files: Sequence[str], commands: Iterable[str]) -> None:
    """Check that every file exists and can be read. Raises :class:`UsageError` naming all that are not."""
    if files.count(STANDARD_INPUT) > 1:
        raise UsageError("- (standard input) is given more than once, and can be read once only")
    wrong = []
    for file in files:
        if os.path.isdir(file):
            wrong.append(f"{file}: is a folder without a file that a reader opens")
            continue
        try:
            check_source_file(source_path(file))
        except SourceError as error:
            wrong.append(f"{error}{_hint(file, commands)}")
    if wrong:
        nothing = "; nothing was imported" if len(files) > 1 else ""
        raise UsageError("; ".join(wrong) + nothing)


def check_report_path(where: str, kept: Iterable[str | Path | None] = ()) -> None:
    """Check before the import that the report can be written (``-`` is stdout) without replacing a file that is to be
    ``kept``. Raises :class:`UsageError`."""
    path = Path(where)
    if where == "-":
        return
    if not path.exists() or path.is_dir():
        check_new_file(path, "the report")
    elif not os.access(path, os.W_OK):
        raise UsageError(f"{where}: the report cannot be written there")
    for file in kept:
        if file is not None and os.path.abspath(file) == os.path.abspath(path):
            raise UsageError(f"{where}: is named for something else already; name another file for the report")
        if file is not None and path.exists() and os.path.exists(file) and path.samefile(file):
            raise UsageError(f"{where}: the report would replace {file}; name another file for it")


def files_in_folders(files: Sequence[str], registry: Registry) -> list[str]:
    """The files, with those that readers open in place of each folder, by name; a folder without any stays.

    Hidden files are left out, and so are the lock files of spreadsheet programs (``~$orders.xlsx``). Names that are not
    text are escaped.
    """
    found = list[str]()
    for file in files:
        if file == STANDARD_INPUT or not os.path.isdir(file):
            found.append(file)
            continue
        inside = [name for name in sorted(os.listdir(file)) if not name.startswith((".", "~$"))]
        known = [os.path.join(file, name) for name in inside if _is_known(Path(file, name), registry)]
        found += known or [file]
    return [escaped(file) for file in found]


def _is_known(path: Path, registry: Registry) -> bool:
    try:
        registry.reader_for(path)
    except SourceError:
        return False
    return path.is_file()


def _hint(file: str, commands: Iterable[str]) -> str:
    if os.path.lexists(file):
        return ""
    if file in commands:
        return f" (a command comes first: tui-importer {file} ...)"
    path = Path(file)
    meant = closest(path.name, _files_beside(path))
    return f" (did you mean {path.with_name(meant)}?)" if meant else ""


def _files_beside(path: Path) -> list[str]:
    """Return the names of the files in the path's folder."""
    try:
        return [entry.name for entry in os.scandir(path.parent) if entry.is_file()]
    except (OSError, ValueError):
        return []
