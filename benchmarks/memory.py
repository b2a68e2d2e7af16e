"""Peak memory of an import, compared with that of the reader alone, for two lengths of one sheet.

``python -m benchmarks.memory [--rows N]``. The memory that an import needs on top of its reader must not grow with the
rows.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from benchmarks.measuring import measured
from benchmarks.server import postgres
from tests.support.business_data import business_rows, write_workbook

READ = """
import sys
from python_calamine import CalamineWorkbook
for row in CalamineWorkbook.from_path(sys.argv[1]).get_sheet_by_index(0).iter_rows(): pass
"""


def main() -> None:
    """Measure both readers at two lengths."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    most = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as folder, postgres() as url:
        for rows in (most // 5, most):
            file = Path(folder) / f"businesses_{rows}.xlsx"
            write_workbook(file, business_rows(rows))
            ours = [sys.executable, "-m", "tui_importer", str(file), "--db", url, "-q", "--table", f"t{rows}"]
            reader = measured([sys.executable, "-c", READ, str(file)]).megabytes
            calamine = measured(ours).megabytes
            streaming = measured([*ours, "--reader", "openpyxl", "--table", f"u{rows}"]).megabytes
            print(
                f"{rows:>9,} rows: reader alone {reader:.0f} MB, import {calamine:.0f} MB "
                f"(+{calamine - reader:.0f} MB); import by --reader openpyxl {streaming:.0f} MB"
            )


if __name__ == "__main__":
    main()
