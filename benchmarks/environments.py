"""Virtual environments of the peers: each has what its script declares (PEP 723), from PyPI."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

from platformdirs import user_cache_path


def interpreter(script: Path) -> str:
    """The Python of the script's environment, which is made unless it is there with the same dependencies.

    Raises ``subprocess.CalledProcessError`` if they cannot be installed.
    """
    wanted = dependencies(script)
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    digest = hashlib.sha256("\n".join([version, *wanted]).encode()).hexdigest()[:8]
    folder = user_cache_path("tui_importer-benchmarks") / f"{script.stem}-{digest}"
    python, done = folder / "bin" / "python", folder / "installed"
    if not done.exists():
        uv = shutil.which("uv")
        make = [uv, "venv", "--clear"] if uv else [sys.executable, "-m", "venv", "--clear"]
        install = [uv, "pip", "install", "--python", str(python)] if uv else [str(python), "-m", "pip", "install"]
        subprocess.run([*make, str(folder)], check=True, capture_output=True)
        subprocess.run([*install, *wanted], check=True, capture_output=True)
        done.touch()
    return str(python)


def dependencies(script: Path) -> list[str]:
    """The dependencies that the script declares."""
    found = re.search(r"^# /// script$(.*?)^# ///$", script.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert found is not None, f"{script} declares no dependencies"
    lines = (line.removeprefix("#").removeprefix(" ") for line in found[1].splitlines())
    return list(tomllib.loads("\n".join(lines))["dependencies"])
