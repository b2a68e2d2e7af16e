"""The original comparison: every strategy on the sample, on PostgreSQL and on SQLite, as a table.

``python -m benchmarks.compare [--repeat N]``. The exit code is 1 unless, on PostgreSQL, the batched strategy is at
least 14.6 times as fast as the sequential one, as in the table that the project began with.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys

from benchmarks.server import postgres
from tests.support.make_sample import SAMPLE_PATH

#: 45.2 s row by row, 3.1 s in batches.
FOUNDING_RATIO = 14.6


def main() -> None:
    """Print both tables, and check the ratio on PostgreSQL."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=3, help="runs of each strategy; their median counts")
    repeat = parser.parse_args().repeat
    ratios = []
    with postgres() as url:
        for name, database in (("PostgreSQL", ["--db", url]), ("SQLite", [])):
            options = ["--repeat", str(repeat), "--workers", "auto", "--json"]
            command = [sys.executable, "-m", "tui_importer", "bench", str(SAMPLE_PATH), *options, *database]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            seconds = {each["setting"]["strategy"]: each["seconds"] for each in json.loads(done.stdout)["timings"]}
            ratios.append(seconds["sequential"] / seconds["batched"])
            print(f"{name}: sequential takes {ratios[-1]:.1f} times as long as batched")
            for strategy, taken in seconds.items():
                print(f"  {strategy:<11} {taken:6.2f} s")
    print(f"on PostgreSQL, at least {FOUNDING_RATIO} are expected: {ratios[0]:.1f}")
    sys.exit(ratios[0] < FOUNDING_RATIO)


if __name__ == "__main__":
    main()
