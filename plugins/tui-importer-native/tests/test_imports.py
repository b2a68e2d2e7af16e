"""Imports with the reader give the same tables, rejects and reports as without it, and clean rows reach the
database without a Python object of any cell."""

from __future__ import annotations

import datetime as dt
import pickle
import random
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
import xlsxwriter
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg import sql
from test_columns import AMOUNTS, COPY, DAYS, DIGITS, FLOATS, MOMENTS, SPANS, TEXTS, TIMES, WHOLE
from tui_importer_native._native import STORE, Column
from tui_importer_native.reader import NativeSheet

from tui_importer import Block, Cell, ColumnType, Kind, ListColumn, Options, Plan, Report, Run, Source, Target

#: The rows of a batch.
BATCH = 700
#: The binary encoding, and what precedes and follows its rows.
BINARY = "postgresql-copy-binary:"
HEADER_BYTES, TRAILER_BYTES = b"PGCOPY\n\xff\r\n\0" + bytes(8), b"\xff\xff"
#: A sheet with every kind of cell, with blanks, errors, formulas that were never calculated and texts among numbers.
HEADER = ["name", "count", "amount", "rate", "active", "born", "seen", "opens", "worked", "note"]
TYPED = (
    "name text NOT NULL, count integer, amount numeric(10,2), rate double precision, active boolean, born date, "
    "seen timestamp, opens time, worked interval, note varchar(12)"
)


def write_typed(path: Path, rows: int, *, faults: bool) -> None:
    chosen = random.Random(rows)
    with xlsxwriter.Workbook(path, {"strings_to_formulas": False}) as book:
        formats = {
            "born": book.add_format({"num_format": "dd.mm.yyyy"}),
            "seen": book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"}),
            "opens": book.add_format({"num_format": "hh:mm"}),
            "worked": book.add_format({"num_format": "[h]:mm:ss"}),
        }
        sheet = book.add_worksheet("Sheet1")
        sheet.write_row(0, 0, HEADER)
        for row in range(1, rows + 1):
            seen = dt.datetime(2024, 1, 1) + dt.timedelta(seconds=chosen.randrange(10**8))
            cells: list[Any] = [
                chosen.choice(["Zoë", "a\\b", "line\nbreak", "tab\there", "plain", "_x0041_", "'quoted'"]) + str(row),
                chosen.randrange(-(2**31), 2**31),
                chosen.randrange(10**6) / 100,
                chosen.random() * 10 ** chosen.randrange(-20, 20),
                chosen.random() < 0.5,
                dt.date(1900, 3, 1) + dt.timedelta(chosen.randrange(60_000)),
                seen,
                seen.time(),
                chosen.randrange(10**6) / 86_400,
                chosen.choice(["short", "é€😀", ""]),
            ]
            for column, cell in enumerate(cells):
                if cell == "" or (column and chosen.random() < 0.1):
                    continue
                if faults and chosen.random() < 0.01:
                    fault = chosen.choice(["#N/A", "uncalculated", "text", "long text that does not fit"])
                    if fault == "#N/A":
                        sheet.write_formula(row, column, "=NA()", None, "#N/A")
                    elif fault == "uncalculated":
                        sheet.write_formula(row, column, "=1+1", None, "")
                    else:
                        sheet.write_string(row, column, fault)
                else:
                    sheet.write(row, column, cell, formats.get(HEADER[column]))


def imported(path: Path, database: str, reader: str, **options: Any) -> Report:
    rejects = path.with_name(f"rejects-{reader}.xlsx")
    rejects.unlink(missing_ok=True)
    return Run(
        Plan(
            source=Source(file=str(path), reader=reader),
            target=Target(database=database, table="things"),
            options=Options(batch_size=BATCH, **options),
        ),
        rejects_file=rejects,
    ).execute()


def said(report: Report) -> tuple[Any, ...]:
    """What a report says, but for the time it took."""
    stats = report.stats
    counts = (stats.total_records, stats.success_count, stats.error_count, stats.inserted, stats.blank_rows)
    return report.outcome, report.exit_code, counts, report.rejects, report.notes


def fresh(url: str, columns: str | None) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for table in ("things", "tui_importer_run", "tui_importer_batch", "tui_importer_reject"):
            connection.execute(sql.SQL("DROP TABLE IF EXISTS {} CASCADE").format(sql.Identifier(table)))
        if columns is not None:
            connection.execute(f"CREATE TABLE things ({columns})")


def rows_of(url: str) -> list[tuple[Any, ...]]:
    """All rows, as the server writes them."""
    with psycopg.connect(url) as connection:
        return sorted(connection.execute("SELECT things::text FROM things").fetchall())


@pytest.mark.parametrize("faults", [False, True], ids=["clean", "faults"])
@pytest.mark.parametrize("columns", [TYPED, None], ids=["a table that is there", "a new table"])
def test_imports_into_postgresql(columns: str | None, faults: bool, tmp_path: Path, postgres_url: str) -> None:
    write_typed(tmp_path / "things.xlsx", 2500, faults=faults)
    results = []
    for reader in ("calamine", "native"):
        fresh(postgres_url, columns)
        report = imported(tmp_path / "things.xlsx", postgres_url, reader)
        results.append((said(report), rows_of(postgres_url)))
    assert results[0] == results[1]
    assert len(results[0][1]) == results[0][0][2][1] > 1500
    assert bool(report.rejects) == faults


@pytest.mark.parametrize("faults", [False, True], ids=["clean", "faults"])
def test_imports_into_sqlite(faults: bool, tmp_path: Path) -> None:
    write_typed(tmp_path / "things.xlsx", 2500, faults=faults)
    results = []
    for reader in ("calamine", "native"):
        database = tmp_path / f"{reader}.db"
        report = imported(tmp_path / "things.xlsx", str(database), reader)
        with closing(sqlite3.connect(database)) as connection:
            results.append((said(report), sorted(map(repr, connection.execute("SELECT * FROM things")))))
    assert results[0] == results[1]
    assert len(results[0][1]) == results[0][0][2][1] > 1500


def test_rows_that_the_database_refuses_are_isolated(tmp_path: Path, postgres_url: str) -> None:
    """Parts of a batch are encoded once more."""
    write_typed(tmp_path / "things.xlsx", 2500, faults=False)
    results = []
    for reader in ("calamine", "native"):
        fresh(postgres_url, TYPED.replace("count integer", "count integer CHECK (count % 50 <> 0)"))
        report = imported(tmp_path / "things.xlsx", postgres_url, reader)
        results.append((said(report), rows_of(postgres_url)))
    assert results[0] == results[1]
    assert report.stats.error_count > 20


def test_an_import_goes_on_with_the_other_reader(tmp_path: Path, postgres_url: str) -> None:
    """What one reader has imported is known to the other."""
    write_typed(tmp_path / "things.xlsx", 2500, faults=True)
    fresh(postgres_url, TYPED)
    imported(tmp_path / "things.xlsx", postgres_url, "calamine")
    before = rows_of(postgres_url)
    again = imported(tmp_path / "things.xlsx", postgres_url, "native")
    assert (again.outcome, again.stats.inserted) == ("already_imported", 0)
    assert rows_of(postgres_url) == before


class Opaque:
    """A column that refuses to make Python objects, but for those of a single row."""

    def __init__(self, column: Column) -> None:
        self.column = column
        self.store = OPAQUE

    def __len__(self) -> int:
        return len(self.column)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.column, name)

    def cast(self, type_: ColumnType) -> Opaque:
        cast = self.column.cast(type_)
        assert isinstance(cast, Column)
        return Opaque(cast)

    def slice(self, start: int, stop: int) -> Opaque:
        return Opaque(self.column.slice(start, stop))

    def keep(self, selected: Sequence[bool]) -> Opaque:
        return Opaque(self.column.keep(selected))

    def take(self, rows: Sequence[int]) -> Sequence[Cell]:
        assert len(rows) == 1
        return self.column.take(rows)

    def values(self) -> Sequence[Cell]:
        raise AssertionError("cells become Python objects")


class OpaqueStore:
    def records(self, columns: Sequence[Opaque]) -> None:
        raise AssertionError("cells become Python objects")

    def encode(self, columns: Sequence[Opaque], format_: str) -> Any:
        return STORE.encode([column.column for column in columns], format_)


OPAQUE = OpaqueStore()


@pytest.mark.parametrize("database", ["postgresql", "sqlite"])
def test_no_cell_becomes_a_python_object(
    database: str, tmp_path: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_typed(tmp_path / "things.xlsx", 2500, faults=False)
    blocks = NativeSheet.blocks

    def opaque(sheet: NativeSheet, rows: int) -> Iterator[Block]:
        for block in blocks(sheet, rows):
            # The first rows are looked at before, for the header and for how texts are written.
            columns = block.columns if rows != BATCH else tuple(map(Opaque, block.columns))  # type: ignore[arg-type]
            yield Block(first_row=block.first_row, columns=columns, first_column=block.first_column)  # type: ignore[arg-type]

    monkeypatch.setattr(NativeSheet, "blocks", opaque)
    fresh(postgres_url, TYPED)
    address = postgres_url if database == "postgresql" else str(tmp_path / "things.db")
    report = imported(tmp_path / "things.xlsx", address, "native")
    assert (report.error, report.stats.inserted) == (None, 2500)


#: The short names of types.
SENT_TYPES = {"bigint": "int8", "double precision": "float8", "boolean": "bool"}
#: PostgreSQL's types, and cells that go into them.
TYPES: dict[str, tuple[str, st.SearchStrategy[Cell]]] = {
    "text": ("text", TEXTS.filter(lambda text: "\0" not in text)),
    "integer": ("bigint", WHOLE.filter(lambda number: -(2**63) <= number < 2**63)),
    "numeric": ("numeric", FLOATS),
    "numeric(12,2)": ("numeric(12,2)", AMOUNTS),
    "float": ("double precision", FLOATS),
    "boolean": ("boolean", st.booleans()),
    "date": ("date", DAYS),
    "timestamp": ("timestamp", MOMENTS | DAYS),
    "time": ("time", TIMES),
    "interval": ("interval", SPANS),
    "integer of texts": ("bigint", st.integers(-(10**17), 10**17).map(str)),
    "numeric of texts": (
        "numeric",
        st.tuples(st.sampled_from(["", "-", "+"]), DIGITS, st.just("."), DIGITS).map("".join),
    ),
    "numeric(12,2) of texts": ("numeric(12,2)", st.decimals(-(10**9), 10**9, places=2).map(str)),
    "float of texts": ("double precision", FLOATS.map(repr)),
    "date of texts": ("date", DAYS.map(str)),
    "timestamp of texts": ("timestamp", MOMENTS.map(lambda moment: moment.replace(microsecond=0).isoformat(" "))),
}


@pytest.mark.parametrize("name", TYPES)
def test_encoded_cells_are_stored_as_values_are(name: str, postgres_url: str) -> None:
    native, cells = TYPES[name]
    type_ = ColumnType.parse(name.split()[0])
    with psycopg.connect(postgres_url) as connection:
        connection.execute("SET intervalstyle = sql_standard")
        connection.execute("SET datestyle = 'SQL, DMY'")
        connection.execute(f"CREATE TEMP TABLE encoded (row serial, cell {native})")
        connection.execute(f"CREATE TEMP TABLE encoded_binary (row serial, cell {native})")
        connection.execute(f"CREATE TEMP TABLE sent (row serial, cell {native})")

        @settings(max_examples=40, deadline=None)
        @given(column=st.lists(st.none() | cells, min_size=1, max_size=20))
        def check(column: Sequence[Cell]) -> None:
            cast = Column.from_cells(column).cast(type_)
            assert cast is not None
            connection.execute("TRUNCATE encoded, encoded_binary, sent RESTART IDENTITY")
            if isinstance(cast, ListColumn):
                return  # left to Python
            sent_type = SENT_TYPES.get(native, native.split("(")[0])
            batch, binary = STORE.encode([cast], COPY), STORE.encode([cast], f"{BINARY}{sent_type}")
            assert batch is not None
            assert binary is not None
            with connection.cursor() as cursor:
                with cursor.copy("COPY encoded (cell) FROM STDIN (DELIMITER '\x1f', NULL '')") as copy:
                    for chunk in batch.chunks(0, len(batch)):
                        copy.write(chunk)
                with cursor.copy("COPY encoded_binary (cell) FROM STDIN (FORMAT BINARY)") as copy:
                    copy.write(HEADER_BYTES + b"".join(binary.chunks(0, len(binary))) + TRAILER_BYTES)
                with cursor.copy("COPY sent (cell) FROM STDIN (FORMAT BINARY)") as copy:
                    copy.set_types([sent_type])
                    for cell in cast.values():
                        copy.write_row([cell])
            both = "SELECT row, cell::text FROM {} ORDER BY row"
            wanted = connection.execute(both.format("sent")).fetchall()
            assert connection.execute(both.format("encoded")).fetchall() == wanted
            assert connection.execute(both.format("encoded_binary")).fetchall() == wanted

        check()


def test_numbers_of_single_precision(postgres_url: str) -> None:
    numbers = [0.1, 1e-30, -3.4e38, 16777217.0, 1.1754943508222875e-38, 5e-46]
    cast = Column.from_cells(numbers).cast(ColumnType(Kind.FLOAT, bits=32))
    assert isinstance(cast, Column)
    batch = STORE.encode([cast], COPY)
    assert batch is not None
    with psycopg.connect(postgres_url) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE singles (cell real)")
        with cursor.copy("COPY singles FROM STDIN (DELIMITER '\x1f', NULL '')") as copy:
            copy.write(b"".join(batch.chunks(0, len(batch))))
        with cursor.copy("COPY singles FROM STDIN (FORMAT BINARY)") as copy:
            copy.set_types(["float4"])
            for number in numbers:
                copy.write_row([number])
        stored = [cell for (cell,) in cursor.execute("SELECT cell FROM singles")]
    assert stored[: len(numbers)] == stored[len(numbers) :]


@pytest.mark.parametrize(
    ("cells", "types", "taken"),
    [
        ([["a", None], [1.0, 2.0]], "text,int4", True),
        ([["a", None], [1.0, 70_000.0]], "text,int2", False),
        ([["a", None], [1.0, 2.0]], "text,text", False),
        ([["a", None], [1.0, 2.0]], "text,float4", False),
        ([["a", None], [1.0, 2.0]], "text", False),
        ([["a", None], [1.0, 2.0]], "text,jsonb", False),
        ([[None, None], [None, None]], "numeric,timestamp", True),
    ],
)
def test_only_columns_that_are_exactly_of_their_types_are_encoded_binary(
    cells: list[list[Cell]], types: str, taken: bool
) -> None:
    columns = [
        Column.from_cells(each).cast(ColumnType.parse(name))
        for each, name in zip(cells, ("text", "integer"), strict=True)
    ]
    batch = STORE.encode([column for column in columns if isinstance(column, Column)], BINARY + types)
    assert (batch is not None) == taken
    if batch is not None:
        again = pickle.loads(pickle.dumps(batch))
        assert again.format == batch.format == BINARY + types
        assert list(again.chunks(1, 2)) == list(batch.chunks(1, 2))
