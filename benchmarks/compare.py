"""The original comparison: every strategy on the sample, on PostgreSQL and on SQLite, as a table.

``python -m benchmarks.compare [--repeat N]``. The batched strategy must be at least 14.6 times as fast as the
sequential one on PostgreSQL.
"""

from __future__ import annotations

import argparse
import subprocess
import sys

from benchmarks.server import postgres
from tests.support.make_sample import SAMPLE_PATH


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=3, help="runs of each strategy; their median counts")
    repeat = parser.parse_args().repeat
    with postgres() as url:
        for database in (["--db", url], []):
            command = [sys.executable, "-m", "tui_importer", "bench", str(SAMPLE_PATH), "--repeat", str(repeat)]
            subprocess.run([*command, *database], check=True, stderr=subprocess.DEVNULL)
            print()


if __name__ == "__main__":
    main()
