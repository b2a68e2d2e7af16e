"""A writer's spec is plain data: it can be pickled, and no password is in it."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from tests.core.writing.test_batch_writer import DESTINATION, MAPPING
from tui_importer.core.writing.backend import ConnectionSettings
from tui_importer.core.writing.ledger import Claim
from tui_importer.core.writing.writer_spec import WriterSpec

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


def test_an_sqlite_file_is_found_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert spec_of("rows.db").settings.url == f"sqlite:///{tmp_path}/rows.db"


def test_the_claim_travels_with_the_destination() -> None:
    spec = spec_of("rows.db")
    assert spec.destination.claim is None
    assert Claim("import", 1, "run") == pickle.loads(pickle.dumps(Claim("import", 1, "run")))
