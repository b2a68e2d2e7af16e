# /// script
# dependencies = ["python-calamine"]
# ///
"""A hand-written script: python-calamine (csv for a CSV file) reads everything, then one statement inserts it into a
SQLite file. The table must exist."""

import csv
import sqlite3
import sys
from collections.abc import Sequence

from python_calamine import CalamineWorkbook


def records(path: str) -> Sequence[Sequence[object]]:
    """All rows of the file."""
    if not path.endswith(".csv"):
        return CalamineWorkbook.from_path(path).get_sheet_by_index(0).to_python()
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def main(path: str, dsn: str, table: str) -> None:
    """Read everything, then insert everything."""
    header, *rows = records(path)
    columns = ", ".join(str(name).lower().replace(" ", "_") for name in header)
    places = ", ".join("?" for _ in header)
    with sqlite3.connect(dsn.removeprefix("sqlite:///")) as connection:
        cells = ([None if cell == "" else cell for cell in row] for row in rows)
        connection.executemany(f"INSERT INTO {table} ({columns}) VALUES ({places})", cells)


if __name__ == "__main__":
    main(*sys.argv[1:4])
