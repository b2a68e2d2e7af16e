"""A writer's spec is plain data: it can be pickled, and no password is in it."""

from __future__ import annotations

import datetime as dt
import pickle
from decimal import Decimal
from pathlib import Path

import pytest

from tests.core.writing.test_batch_writer import DESTINATION, MAPPING
from tui_importer.core.model.batch import Batch
from tui_importer.core.model.cells import Cell, CellError, UncalculatedFormula
from tui_importer.core.model.list_column import ListColumn
from tui_importer.core.model.rows import SEPARATED, Rows
from tui_importer.core.writing.backend import ConnectionSettings
from tui_importer.core.writing.ledger import Claim
from tui_importer.core.writing.writer_spec import WriterSpec
from tui_importer.events import Fault, Reject

PASSWORD = "Tr0ub4dor-and-3"

ADDRESSES = [
    f"postgresql://me:{PASSWORD}@db.example:5433/shop?application_name=nightly",
    f"postgres://me@db.example/shop?sslmode=require&password={PASSWORD}&connect_timeout=3",
    f"host=db.example user=me password='{PASSWORD}' dbname=shop",
    f"host=db.example dbname=shop sslpassword = {PASSWORD}",
    f"mysql+pymysql://me:{PASSWORD}@db.example/shop",
    f"mssql+pyodbc:///?odbc_connect=DRIVER%3Dx%3BUID%3Dme%3BPWD%3D{PASSWORD}%3BSERVER%3Ddb",
]


def spec_of(url: str) -> WriterSpec:
    return WriterSpec(
        backend="postgresql",
        settings=ConnectionSettings(url, "tui_importer/a-run", 10.0, stall_timeout=60.0),
        destination=DESTINATION,
        mapping=MAPPING,
        retry_for=300.0,
    )


@pytest.mark.parametrize("url", ADDRESSES)
def test_a_password_is_in_neither_pickle_nor_repr(url: str) -> None:
    spec = spec_of(url)
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        pickled = pickle.dumps(spec, protocol)
        assert PASSWORD.encode() not in pickled
        assert pickle.loads(pickled) == spec
    assert PASSWORD not in repr(spec)
    assert PASSWORD not in str(spec.settings.url)
    assert spec.settings.application_name == "tui_importer/a-run"
    assert (spec.settings.connect_timeout, spec.settings.stall_timeout) == (10.0, 60.0)


def test_sqlite_path_is_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert spec_of("rows.db").settings.url == f"sqlite:///{tmp_path}/rows.db"


def test_claim_of_a_destination_can_be_pickled() -> None:
    spec = spec_of("rows.db")
    assert spec.destination.claim is None
    assert Claim("import", 1, "run") == pickle.loads(pickle.dumps(Claim("import", 1, "run")))


CELLS: list[Cell] = [
    None,
    "text",
    "\0 \udce9",
    7,
    1.5,
    True,
    Decimal("1.50"),
    dt.date(2026, 1, 2),
    dt.time(3, 4),
    dt.datetime(2026, 1, 2, 3, 4, tzinfo=dt.UTC),
    dt.timedelta(hours=25),
    CellError("#N/A"),
    UncalculatedFormula("A1+1"),
]


def test_batch_of_list_columns_can_be_pickled_with_any_cells() -> None:
    column = ListColumn(CELLS)
    fault = Fault(cell="Sheet1!A2", column="n", value="x", reason="not a number")
    rejects = (Reject(sheet="Sheet1", row=2, faults=(fault,), values=("x", None)),)
    rows = range(3, 3 + len(CELLS))
    batch = Batch(1, "Sheet1", 2, rows[-1], rows, (column,), (column,), rejects)
    copied = pickle.loads(pickle.dumps(batch))
    assert copied.columns[0].values() == copied.origin[0].values() == CELLS
    assert (copied.first_row, copied.last_row, copied.rows) == (2, rows[-1], rows)
    assert (copied.rejects, len(copied)) == (rejects, len(CELLS))


def test_batch_of_row_columns_can_be_pickled_with_its_encoding() -> None:
    _, read = Rows.read(iter([["a", "", "c"], ["d", "e", ""]]), 10)
    assert read is not None
    columns = read.columns()
    batch = Batch(1, "Sheet1", 2, 3, range(2, 4), columns, columns, encoded=read.encode(columns, SEPARATED))
    copied = pickle.loads(pickle.dumps(batch))
    assert list(map(tuple, copied.records())) == [("a", None, "c"), ("d", "e", None)]
    assert [list(copied.encoded.chunks(*place)) for place in ((0, 2), (1, 2))] == [
        [b"a\x1f\x1fc\x1ed\x1fe\x1f"],
        [b"d\x1fe\x1f"],
    ]
