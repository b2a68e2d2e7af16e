"""The peer: a hand-written script that reads a workbook with python-calamine and sends it with COPY.

It checks nothing, isolates nothing and records nothing: a bad cell ends it. Usage: ``python
benchmarks/peer_calamine_copy.py FILE DSN TABLE`` (the table must exist).
"""

import sys

import psycopg
from python_calamine import CalamineWorkbook

COLUMNS = ("name", "category", "phone", "email", "address", "city", "country", "website", "description")


def main(path: str, dsn: str, table: str) -> None:
    """Read everything, then send everything."""
    rows = CalamineWorkbook.from_path(path).get_sheet_by_index(0).to_python()
    statement = f"COPY {table} ({', '.join(COLUMNS)}) FROM STDIN (FORMAT BINARY)"
    with psycopg.connect(dsn) as connection, connection.cursor() as cursor, cursor.copy(statement) as copy:
        copy.set_types(["text"] * len(COLUMNS))
        for row in rows[1:]:
            copy.write_row([cell or None for cell in row])


if __name__ == "__main__":
    main(*sys.argv[1:])
