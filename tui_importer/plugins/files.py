"""Plugins that are a Python file, for trying one out before it is a distribution.

Their paths are in an environment variable, so that the processes of a run find them, too.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from types import ModuleType

from tui_importer.errors import UsageError

#: The paths of the files, absolute, separated as in ``PATH``.
FILES_VARIABLE = "TUI_IMPORTER_PLUGIN_FILES"


def plugin_files(environment: Mapping[str, str]) -> list[Path]:
    """The files that the environment names."""
    return [Path(name) for name in environment.get(FILES_VARIABLE, "").split(os.pathsep) if name]


def add_plugin_file(file: str, environment: MutableMapping[str, str]) -> None:
    """Let this process and those that it starts use a plugin. Raises :class:`UsageError` if there is no such file."""
    path = Path(file).absolute()
    if not path.is_file():
        raise UsageError(f"{file}: there is no such plugin file")
    files = [str(each) for each in plugin_files(environment)]
    if str(path) not in files:
        environment[FILES_VARIABLE] = os.pathsep.join([*files, str(path)])


def load_plugin_file(path: Path) -> ModuleType:
    """Import the file as a module of its own. Raises whatever the file does."""
    name = f"tui_importer_plugin_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError("it is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # what it defines can be pickled
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
