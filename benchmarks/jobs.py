"""What imports side by side gain: a run of several files with ``--jobs``, in pairs with one after another.

``python -m benchmarks.jobs [--files N] [--rows N] [--jobs N] [--pairs N] [--database NAME]``. Each file goes into a
table of its own. The result is the median of the pairs' ratios. It depends on how many processors an import and its
database keep busy by themselves.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from benchmarks.server import postgres
from tests.support.business_data import business_rows, write_workbook


def imported(files: Sequence[Path], url: str, jobs: int) -> float:
    """Import the files into new tables; returns the seconds of the whole process."""
    table = f"{{file}}_{uuid.uuid4().hex[:8]}"
    command = [sys.executable, "-m", "tui_importer", *map(str, files), "--db", url, "--table", table]
    started = time.perf_counter()
    subprocess.run([*command, "--jobs", str(jobs), "--no-ui", "-q"], check=True, cwd=files[0].parent)
    return time.perf_counter() - started


def main() -> None:
    """Run the pairs and print their medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=2)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--database", choices=("postgresql", "sqlite"), action="append")
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        files = [folder / f"file{number}.xlsx" for number in range(options.files)]
        write_workbook(files[0], business_rows(options.rows))
        for file in files[1:]:
            shutil.copyfile(files[0], file)
        print(f"{options.files} files of {options.rows:,} rows, medians of {options.pairs} pairs, seconds on the clock")
        for name in options.database or ("postgresql", "sqlite"):
            url = stack.enter_context(postgres()) if name == "postgresql" else f"sqlite:///{folder / 'jobs.db'}"
            imported(files, url, options.jobs)  # a warm-up
            pairs = [(imported(files, url, 1), imported(files, url, options.jobs)) for _ in range(options.pairs)]
            one, several = (statistics.median(seconds) for seconds in zip(*pairs, strict=True))
            ratio = statistics.median(beside / after for after, beside in pairs)
            print(f"{name:<12}one after another {one:5.2f}  {options.jobs} jobs {several:5.2f}  ratio {ratio:.2f}")


if __name__ == "__main__":
    main()
