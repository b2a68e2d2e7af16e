# /// script
# dependencies = ["dlt[postgres]", "pandas", "pyarrow", "python-calamine"]
# ///
"""A pipeline of dlt that loads a data frame of pandas."""

import sys
import tempfile
from urllib.parse import parse_qs, quote, urlsplit

import dlt
import pandas as pd


def main(path: str, dsn: str, table: str) -> None:
    """Read everything, then let the pipeline normalise and load it."""
    frame = pd.read_csv(path) if path.endswith(".csv") else pd.read_excel(path, engine="calamine")
    parts = urlsplit(dsn)
    host = parse_qs(parts.query).get("host", [parts.hostname or ""])[0]  # dlt wants it before the path
    address = f"postgresql://{parts.username or ''}:none@{quote(host, safe='')}{parts.path}"
    with tempfile.TemporaryDirectory() as folder:
        destination = dlt.destinations.postgres(address)
        pipeline = dlt.pipeline(table, pipelines_dir=folder, destination=destination, dataset_name="public")
        pipeline.run(frame, table_name=table, write_disposition="append").raise_on_failed_jobs()


if __name__ == "__main__":
    main(*sys.argv[1:4])
