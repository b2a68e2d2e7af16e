"""The peak memory of the process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tui_importer.core.run import peak_memory
from tui_importer.core.run.peak_memory import reset_peak_memory

MEGABYTES = 60
SCRIPT = f"""
from tui_importer.core.run.peak_memory import peak_memory, reset_peak_memory
before = peak_memory()
block = b"x" * ({MEGABYTES} << 20)
during = peak_memory()
del block
reset = reset_peak_memory()
print(before, during, peak_memory(), reset)
"""


def test_peak_is_kept_until_it_is_reset() -> None:
    said = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True).stdout.split()
    before, during, after = map(int, said[:3])
    assert during - before > (MEGABYTES - 10) << 20
    assert after == during if said[3] == "False" else after < during - ((MEGABYTES - 10) << 20)


def test_peak_is_known_without_a_system_that_tells_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    exact = peak_memory.peak_memory()
    monkeypatch.setattr(peak_memory, "_STATUS", tmp_path / "none")
    monkeypatch.setattr(peak_memory, "_CLEAR_REFS", tmp_path / "none" / "none")
    rough = peak_memory.peak_memory()
    assert exact is not None
    assert rough is not None
    assert rough > 10_000_000
    assert not reset_peak_memory()
