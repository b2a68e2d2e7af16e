# /// script
# dependencies = ["fastexcel", "pyarrow", "adbc-driver-postgresql", "adbc-driver-sqlite"]
# ///
"""fastexcel reads a workbook into Arrow (pyarrow a CSV file), and the ADBC driver ingests that."""

import sys

import adbc_driver_postgresql.dbapi
import adbc_driver_sqlite.dbapi
import fastexcel
from pyarrow import csv


def main(path: str, dsn: str, table: str) -> None:
    """Read everything, then write everything."""
    if path.endswith(".csv"):
        data = csv.read_csv(path, parse_options=csv.ParseOptions(newlines_in_values=True))
    else:
        data = fastexcel.read_excel(path).load_sheet(0).to_arrow()
    # fastexcel and pyarrow have record batches and tables, which are renamed alike
    data = data.rename_columns([name.lower().replace(" ", "_") for name in data.schema.names])
    driver = adbc_driver_sqlite if dsn.startswith("sqlite:") else adbc_driver_postgresql
    with driver.dbapi.connect(dsn.removeprefix("sqlite:///")) as connection, connection.cursor() as cursor:
        cursor.adbc_ingest(table, data, mode="create_append")
        connection.commit()


if __name__ == "__main__":
    main(*sys.argv[1:4])
