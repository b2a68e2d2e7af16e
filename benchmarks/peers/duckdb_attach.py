# /// script
# dependencies = ["duckdb==1.5.5", "duckdb-extensions==1.5.5", "duckdb-extension-excel==1.5.5",
#                 "duckdb-extension-postgres-scanner==1.5.5", "duckdb-extension-sqlite-scanner==1.5.5",
#                 "importlib-resources"]
# ///
"""DuckDB with its extensions for Excel, PostgreSQL and SQLite, which are on PyPI for one version at a time."""

import sys

import duckdb
from duckdb_extensions import import_extension


def main(path: str, dsn: str, table: str) -> None:
    """Let DuckDB read the file and write the table."""
    kind = "sqlite" if dsn.startswith("sqlite:") else "postgres"
    for name in ("excel", f"{kind}_scanner"):
        import_extension(name)
        duckdb.load_extension(name)
    source = f"read_csv('{path}')" if path.endswith(".csv") else f"read_xlsx('{path}')"
    place = dsn.removeprefix("sqlite:///")
    duckdb.sql(f"ATTACH '{place}' AS target (TYPE {kind})")
    duckdb.sql(f"CREATE TABLE IF NOT EXISTS target.{table} AS FROM {source} LIMIT 0")
    duckdb.sql(f"INSERT INTO target.{table} BY NAME FROM {source}")


if __name__ == "__main__":
    main(*sys.argv[1:4])
