"""What a dask worker must share with the run."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
from tui_importer_dask import machine
from tui_importer_dask.machine import Sight, database_folder, is_on_this_machine, is_relative_file
from tui_importer_dask.remote import Place, _compare

from tui_importer import ImportSpec, Plan, PlanError, Source, SourceError, Target


@pytest.mark.parametrize(
    ("address", "here"),
    [
        ("sqlite:////data/shop.db", True),
        ("sqlite+pysqlite:////data/shop.db", True),
        ("duckdb:////data/shop.db", True),
        ("postgresql:///shop", True),
        ("postgresql://", True),
        ("postgresql://shop@localhost/shop", True),
        ("postgresql://shop@LOCALHOST:5433/shop", True),
        ("postgresql://127.0.0.1/shop", True),
        ("postgresql://[::1]:5433/shop", True),
        ("postgresql://shop@/shop?host=/var/run/postgresql", True),
        ("postgresql://shop@/shop?sslmode=require&host=localhost", True),
        ("postgresql://db.example,localhost/shop", True),
        ("dbname=shop", True),
        ("host=/tmp dbname=shop", True),
        ("mysql:///shop", True),
        ("postgresql://shop@db.example/shop", False),
        ("postgresql://shop@db.example:5433/shop", False),
        ("postgresql://[2001:db8::1]:5433/shop", False),
        ("postgresql:///shop?host=db.example", False),
        ("postgresql:///?service=shop", False),
        ("service=shop", False),
        ("host=db.example dbname=shop", False),
        ("mssql+pyodbc:///?odbc_connect=Driver%3Dx", False),
        ("mysql+pymysql://db.example/shop", False),
    ],
)
def test_databases_that_are_another_one_on_each_machine(address: str, here: bool) -> None:
    assert is_on_this_machine(address) is here


@pytest.mark.parametrize(
    ("address", "folder", "relative"),
    [
        ("sqlite:////data/my%20shops/shop.db", "/data/my shops", False),
        ("sqlite+pysqlite:///shop.db", None, True),
        ("sqlite+pysqlite:////data/shop.db", "/data", False),
        ("postgresql:///shop", None, False),
        ("postgresql://db.example/shop", None, False),
        ("dbname=shop", None, False),
    ],
)
def test_databases_that_are_files(address: str, folder: str | None, relative: bool) -> None:
    assert database_folder(address) == folder
    assert is_relative_file(address) is relative


def test_what_is_seen_of_a_file_and_a_folder(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("n\n1\n")

    def look(path: str, folder: str | None) -> Sight:
        return machine.look(ImportSpec(plan=Plan(source=Source(file=path)), run_id="r", source=1), folder)

    seen = look(str(file), str(tmp_path))
    assert (seen.size, seen.error) == (4, None)
    assert seen.folder == look(str(file), str(tmp_path / ".." / tmp_path.name)).folder is not None
    assert look(str(file), None).folder is None
    gone = look(str(tmp_path / "none.csv"), str(tmp_path / "none"))
    assert (gone.size, gone.error, gone.folder) == (None, "no such file", None)
    assert look(str(tmp_path), None).error == "cannot be read: Is a directory"


class Elsewhere(Place):
    """A place from where something is seen."""

    def __init__(self, sight: Sight) -> None:
        super().__init__(None, "tcp://elsewhere:1", 1.0)
        self._sight = sight

    def ask(self, method: str, *arguments: object, within: Callable[[], float] | None = None) -> Sight:
        assert method == "look"
        return self._sight


@pytest.mark.parametrize(
    ("address", "there", "kind", "said"),
    [
        ("postgresql://db.example/shop", {"machine": "other", "folder": None}, None, None),
        ("postgresql://localhost/shop", {"machine": "other"}, PlanError, "postgresql://localhost/shop: means another"),
        ("sqlite:////data/shop.db", {"folder": (1, 2)}, PlanError, "on dask worker tcp://elsewhere:1"),
        ("sqlite:////data/shop.db", {"folder": None}, PlanError, "on another machine"),
        ("postgresql://db.example/shop", {"size": 7}, SourceError, "of 7 bytes instead of 4"),
        ("postgresql://db.example/shop", {"error": "no such file"}, SourceError, "a.csv: no such file on dask worker"),
    ],
)
def test_what_must_be_the_same_elsewhere(
    tmp_path: Path, address: str, there: dict[str, object], kind: type[Exception] | None, said: str | None
) -> None:
    file = tmp_path / "a.csv"
    file.write_text("n\n1\n")
    spec = ImportSpec(plan=Plan(source=Source(file=file), target=Target(database=address)), run_id="r", source=1)
    here = dataclasses.replace(machine.look(spec, None), folder=(3, 4))
    place = Elsewhere(dataclasses.replace(here, **there))
    if kind is None:
        _compare(place, here, spec)
        return
    with pytest.raises(kind, match=said):
        _compare(place, here, spec)
