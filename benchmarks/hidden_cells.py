"""The cost of detecting the cells that python-calamine hides, on a sheet that has none.

``python -m benchmarks.hidden_cells [--rows N]`` prints the CPU times of reading and of detection for a clean sheet, and
their ratio, which must be below 0.10. In an import both run in parallel.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from python_calamine import CalamineWorkbook

from tests.support.business_data import business_rows, write_workbook
from tui_importer.readers.hidden_cells import hidden_cells

ROUNDS = 7


def cpu(action: Callable[[], object]) -> float:
    """Return the CPU seconds that the action takes."""
    started = time.process_time()
    action()
    return time.process_time() - started


def main() -> None:
    """Measure both, alternately."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "businesses.xlsx"
        write_workbook(file, business_rows(rows))

        def read() -> object:
            sheet = CalamineWorkbook.from_path(str(file)).get_sheet_by_index(0)
            return sum(1 for _ in sheet.iter_rows())

        def look() -> object:
            return hidden_cells(file, "Sheet1")

        results = [(cpu(read), cpu(look)) for _ in range(ROUNDS)]
    reading, looking = (statistics.median(column) for column in zip(*results, strict=True))
    ratio = statistics.median(look / read for read, look in results)
    print(f"{rows:,} rows: reading {reading:.2f} s, looking {looking:.3f} s of CPU; ratio {ratio:.3f}")


if __name__ == "__main__":
    main()
