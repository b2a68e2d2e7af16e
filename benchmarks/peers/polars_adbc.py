# /// script
# dependencies = ["polars", "fastexcel", "pyarrow", "adbc-driver-postgresql", "adbc-driver-sqlite"]
# ///
"""polars reads the file, and its ADBC engine writes the table."""

import sys

import polars as pl


def main(path: str, dsn: str, table: str, exists: str = "") -> None:
    """Read everything, then write everything. ``exists`` is not empty if the table is there."""
    frame = pl.read_csv(path) if path.endswith(".csv") else pl.read_excel(path)
    frame = frame.rename(lambda name: name.lower().replace(" ", "_"))
    frame.write_database(table, dsn, engine="adbc", if_table_exists="append" if exists else "fail")


if __name__ == "__main__":
    main(*sys.argv[1:])
