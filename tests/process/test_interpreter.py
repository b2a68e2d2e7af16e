"""How the interpreter of a process that imports is set."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import gc, sys
from tui_importer.process.interpreter import prepare_to_import

usual = sys.getswitchinterval(), gc.get_threshold()
prepare_to_import()
assert sys.getswitchinterval() < usual[0] / 5, "threads must hand over soon"
assert gc.get_threshold() > usual[1], "cells must be left alone"
"""


def test_import_process_has_short_switch_interval_and_rare_collections() -> None:
    subprocess.run([sys.executable, "-c", PROGRAM], check=True)
