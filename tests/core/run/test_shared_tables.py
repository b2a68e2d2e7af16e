"""Which imports of a run fill a new table together, and when their sources are read for its types."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from tui_importer import Plan, Source, Target
from tui_importer.core.model.plan import ColumnPlan
from tui_importer.core.run.shared_tables import shared_types
from tui_importer.errors import DatabaseError
from tui_importer.readers.delimited.reader import DelimitedReader


class Tables:
    """Knows which tables are there, and what was asked."""

    def __init__(self, *existing: str, stopping: bool = False) -> None:
        self.existing = existing
        self.stopping = stopping
        self.asked: list[str] = []
        self.begun: list[tuple[str, tuple[int, ...]]] = []

    def exists(self, place: int, table: str) -> bool:
        self.asked.append(table)
        return table in self.existing

    def begin(self, places: Sequence[int], table: str) -> bool:
        self.begun.append((table, tuple(places)))
        return not self.stopping


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """Three files of one column: whole numbers, fractions, and nothing that can be read."""
    for name, text in (("a.csv", "n\n1\n"), ("b.csv", "n\n1.5\n"), ("c.csv", "")):
        (tmp_path / name).write_text(text)
    return [str(tmp_path / name) for name in ("a.csv", "b.csv", "c.csv")]


def types(files: Sequence[str], tables: Tables, *names: str | None, **more: object) -> list[dict[str, str]]:
    plans = [
        Plan(source=Source(file=file), target=Target(database="d.db", table=name), **more)  # type: ignore[arg-type]
        for file, name in zip(files, names, strict=True)
    ]
    return shared_types([(plan, DelimitedReader()) for plan in plans], tables)


def test_types_of_a_new_table_are_told_to_all_that_fill_it(files: list[str]) -> None:
    tables = Tables()
    assert types(files, tables, "t", "t", "t") == [{"n": "float"}, {"n": "float"}, {}]
    assert tables.begun == [("t", (0, 1))]  # the last one holds nothing
    both = types([*files[:2], *files[:2]], Tables("u"), "t", "u", "u", "t")
    assert both == [{"n": "float"}, {}, {}, {"n": "float"}]


@pytest.mark.parametrize("names", [("t", "u", None), ("{file}", "{file}", "t"), (None, None, None)])
def test_nothing_is_asked_of_tables_that_one_import_fills(files: list[str], names: tuple[str | None, ...]) -> None:
    tables = Tables()
    assert types(files, tables, *names) == [{}, {}, {}]
    assert tables.asked == []


def test_names_are_filled_in(files: list[str]) -> None:
    (Path(files[0]).parent / "in").mkdir()
    other = Path(files[0]).parent / "in" / "a.csv"
    other.write_text("n\n2.5\n")
    tables = Tables()
    assert types([files[0], str(other)], tables, "x_{sheet}", "x_{file}") == [{"n": "float"}] * 2
    assert tables.asked == ["x_a"]


def test_table_that_is_there_is_left_alone(files: list[str]) -> None:
    tables = Tables("t")
    assert types(files, tables, "t", "t", "t") == [{}, {}, {}]
    assert (tables.asked, tables.begun) == (["t"], [])
    columns = (ColumnPlan(source="n", letter="A", target="n"),)
    assert types(files, tables, "u", "u", "u", columns=columns) == [{}, {}, {}]
    assert tables.asked == ["t"]


def test_sources_of_a_known_schema_are_not_read(tmp_path: Path) -> None:
    headers = "Name,Category,Phone,Email,Address,City,Country,Website,Description"
    files = []
    for name in "ab":
        files.append(str(tmp_path / f"{name}.csv"))
        Path(files[-1]).write_text(f"{headers}\n{name},b,c,d,e,f,g,h,i\n")
    tables = Tables()
    assert types(files, tables, "t", "t") == [{}, {}]
    assert tables.begun == []


def test_stopped_run_reads_nothing(files: list[str]) -> None:
    assert types([*files[:2], *files[:2]], Tables(stopping=True), "t", "t", "u", "u") == [{}] * 4


def test_error_of_the_database_is_raised(files: list[str]) -> None:
    class Broken(Tables):
        def exists(self, place: int, table: str) -> bool:
            raise DatabaseError("gone")

    with pytest.raises(DatabaseError, match="gone"):
        types(files, Broken(), "t", "t", "t")
