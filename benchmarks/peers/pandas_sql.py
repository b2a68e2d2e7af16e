# /// script
# dependencies = ["pandas", "sqlalchemy", "psycopg[binary]", "python-calamine"]
# ///
"""pandas reads the file (with python-calamine) and inserts it through SQLAlchemy, many rows a statement."""

import sys

import pandas as pd
from sqlalchemy import create_engine

#: The databases take so many values in one statement.
MOST_VALUES = {"postgresql": 65_535, "sqlite": 32_766}


def main(path: str, dsn: str, table: str) -> None:
    """Read everything, then insert everything."""
    frame = pd.read_csv(path) if path.endswith(".csv") else pd.read_excel(path, engine="calamine")
    frame.columns = [name.lower().replace(" ", "_") for name in frame.columns]
    engine = create_engine(dsn.replace("postgresql://", "postgresql+psycopg://"))
    rows = MOST_VALUES[engine.dialect.name] // len(frame.columns)
    frame.to_sql(table, engine, if_exists="append", index=False, method="multi", chunksize=min(rows, 1_000))


if __name__ == "__main__":
    main(*sys.argv[1:4])
