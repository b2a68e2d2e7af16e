"""Sheets of nothing but texts go to PostgreSQL as text COPY reads them; it must not be seen by anybody."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
import xlsxwriter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.examples import examples
from tui_importer import Options, Plan, Report, Source, Target, run_import
from tui_importer.backends.postgresql.backend import PostgreSQL
from tui_importer.backends.postgresql.session import enlarge_send_buffer
from tui_importer.core.model.batch import Batch
from tui_importer.core.model.column import Column, common_store
from tui_importer.core.model.encoded import EncodedBatch
from tui_importer.core.model.rows import PIECE_ROWS, SEPARATED, Rows
from tui_importer.core.model.table import Table
from tui_importer.core.model.types import TEXT
from tui_importer.core.writing.backend import ConnectionSettings, Destination
from tui_importer.core.writing.loaded import Loaded

if TYPE_CHECKING:
    from tests.conftest import Database

#: What is special to text COPY, or to what stands between cells; a text with NUL never gets as far.
SPECIAL = ["\\", "\\N", "\\.", "\n", "\r", "\r\n", "\t", "\x1e", "\x1f", "\\n", "NULL", '"', ",", "é", "🎉", "\u2028"]
TEXTS = st.one_of(
    st.just(""),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8),
    st.lists(st.sampled_from(SPECIAL), max_size=4).map("".join),
)
GRIDS = st.integers(1, 3).flatmap(
    lambda width: st.lists(st.lists(TEXTS, min_size=width, max_size=width).filter(any), min_size=1, max_size=5)
)


def batch_of(grid: Sequence[Sequence[str]]) -> Batch:
    _, rows = Rows.read(iter(grid), len(grid))
    assert rows is not None
    columns = rows.columns()
    return Batch(1, "S", 2, len(grid) + 1, range(2, len(grid) + 2), columns, columns)


def backend(url: str) -> PostgreSQL:
    opened = PostgreSQL(ConnectionSettings(url, "test", 10))
    opened.connect()
    return opened


def destination(width: int) -> Destination:
    return Destination(Table("t", ()), tuple(f"c{column}" for column in range(width)), (TEXT,) * width)


async def load_by_asyncio(opened: PostgreSQL, batch: Batch, width: int) -> Loaded:
    session = await opened.open_async_session(destination(width))
    try:
        loaded = await session.load(batch, 0, len(batch))
        await session.commit()
    finally:
        await session.close()
    return loaded


@pytest.mark.parametrize("awaited", [False, True])
@settings(max_examples=examples(60), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(grid=GRIDS)
def test_copied_texts_round_trip(postgres: Database, awaited: bool, grid: list[list[str]]) -> None:
    width = len(grid[0])
    names = ", ".join(f"c{column} text" for column in range(width))
    postgres.execute(f"DROP TABLE IF EXISTS t; CREATE TABLE t ({names})")
    opened = backend(postgres.url)
    try:
        encoded = opened.encode(batch_of(grid))
        assert (encoded is None) == any(mark in cell for row in grid for cell in row for mark in "\x1e\x1f")
        batch = batch_of(grid)
        given_ = Batch(1, "S", 2, batch.last_row, batch.rows, batch.columns, batch.origin, encoded=encoded)
        if awaited:
            assert asyncio.run(load_by_asyncio(opened, given_, width)) == Loaded(len(grid))
        else:
            session = opened.open_session(destination(width))
            assert session.load(given_, 0, len(grid)) == Loaded(len(grid))
            session.commit()
            session.close()
        assert [list(row) for row in postgres.fetch("SELECT * FROM t ORDER BY ctid")] == [
            [cell or None for cell in row] for row in grid
        ]
    finally:
        opened.close()


@given(grid=GRIDS, data=st.data())
def test_copy_chunks_are_complete_or_absent(grid: list[list[str]], data: st.DataObject) -> None:
    many = grid * data.draw(st.sampled_from([1, 2, PIECE_ROWS // len(grid) + 1, 2 * PIECE_ROWS]))
    start = data.draw(st.integers(0, min(3, len(many) - 1)))
    _, rows = Rows.read(iter(many), len(many))
    assert rows is not None
    for part, cut in ((many, rows), (many[start:], rows.part(start, len(many)))):
        utf8_chunks = cut.utf8_chunks()
        if any(mark in cell for row in part for cell in row for mark in "\x1e\x1f"):
            assert utf8_chunks is None
            continue
        assert utf8_chunks is not None
        assert [line.split("\x1f") for page in utf8_chunks for line in page.decode().split("\x1e")] == part
        assert cut.utf8_chunks() == utf8_chunks


def test_unencodable_text_gives_no_copy_chunks() -> None:
    _, rows = Rows.read(iter([["a", "\ud800"]]), 9)
    assert rows is not None
    assert rows.utf8_chunks() is None


def test_only_contiguous_rows_give_copy_chunks() -> None:
    columns = batch_of([["a", "b"], ["c", "d"], ["", "e"]]).columns
    encoded = encode(columns)
    assert encoded is not None
    assert (encoded.format, len(encoded)) == (SEPARATED, 3)
    assert list(encoded.chunks(0, 3)) == [b"a\x1fb\x1ec\x1fd\x1e\x1fe"]
    assert list(encoded.chunks(1, 3)) == [b"c\x1fd\x1e\x1fe"]
    kept = columns[0].keep([True, True, True])
    for others in (columns[::-1], columns[:1], [columns[0], columns[0]], [kept, columns[1]], []):
        assert encode(others) is None
    assert columns[0].store is not None
    assert columns[0].store.encode(columns, "an encoding that nobody knows") is None


def encode(columns: Sequence[Column]) -> EncodedBatch | None:
    store = common_store(columns)
    return None if store is None else store.encode(columns, SEPARATED)


def sheet(path: Path, rows: Sequence[Sequence[str]]) -> Path:
    with xlsxwriter.Workbook(path) as book:
        page = book.add_worksheet("S")
        for number, row in enumerate([("code", "kind", "note"), *rows]):
            page.write_row(number, 0, row)
    return path


def load(path: Path, url: str, strategy: str) -> Report:
    plan = Plan(
        source=Source(file=str(path), reader="calamine"),
        target=Target(database=url, table="t"),
        options=Options(strategy=strategy, batch_size=40),
    )
    rejects = path.with_suffix(".rejects.xlsx")
    rejects.unlink(missing_ok=True)
    return run_import(plan, rejects_file=rejects)


@pytest.mark.parametrize("strategy", ["batched", "async"])
def test_rejected_rows_are_the_same_with_and_without_copy_chunks(
    postgres: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, strategy: str
) -> None:
    rows = [[f"c{number}", f"{number:08}-0000-0000-0000-000000000000", "fine\nand \\ well"] for number in range(300)]
    rows[17][1] = "no uuid"
    rows[18][2] = "bad"
    rows[100][0] = "c99"  # is there already
    rows[299] = ["", "", "neither"]
    path = sheet(tmp_path / "texts.xlsx", rows)
    encode_batch, made, seen = PostgreSQL.encode, [], []

    def kept(self: PostgreSQL, batch: Batch) -> EncodedBatch | None:
        made.append(encode_batch(self, batch))
        return made[-1]

    def none(self: PostgreSQL, batch: Batch) -> EncodedBatch | None:
        return None

    for way in (kept, none):
        monkeypatch.setattr(PostgreSQL, "encode", way)
        postgres.execute(
            "DROP TABLE IF EXISTS t, tui_importer_run, tui_importer_batch, tui_importer_reject; "
            "CREATE TABLE t (code text NOT NULL UNIQUE, kind uuid, note text CHECK (note <> 'bad'))"
        )
        report = load(path, postgres.url, strategy)
        assert (report.stats.success_count, report.stats.error_count) == (296, 4)
        stored = postgres.fetch("SELECT code, kind::text, note FROM t ORDER BY code")
        seen.append((report.rejects, stored))
    # All batches but the last, from which conversion has taken the row without a code.
    assert [utf8_chunks is not None for utf8_chunks in made] == [True] * 7 + [False]
    assert seen[0] == seen[1]
    assert ("c5", "00000005-0000-0000-0000-000000000000", "fine\nand \\ well") in seen[0][1]


@pytest.mark.parametrize("encoding", ["UTF8", "LATIN1", "SQL_ASCII"])
def test_only_texts_outside_the_database_encoding_are_rejected(
    postgres: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    monkeypatch.setenv("PGCLIENTENCODING", "WIN1252")
    name = f"test_{encoding.lower()}"
    with psycopg.connect(postgres.url, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0")
        try:
            url = postgres.url.replace(admin.info.dbname, name)
            path = sheet(tmp_path / "żółw.xlsx", [[f"c{n}", "é", "\\"] for n in range(98)] + [["ł", "x", "🎉"]] * 2)
            for strategy in ("batched", "async"):
                report = load(path, url, strategy)
                said = encoding != "LATIN1"
                assert (report.error, report.stats.success_count) == (None, 100 if said else 98)
                assert [(reject.row, reject.sqlstate) for reject in report.rejects] == (
                    [] if said else [(100, "22P05"), (101, "22P05")]
                )
                with psycopg.connect(url, client_encoding="UTF8", autocommit=True) as connection:
                    rows = connection.execute("SELECT code, kind, note FROM t").fetchall()
                    assert ("c97", "é", "\\") in rows
                    assert said == (("ł", "x", "🎉") in rows)
                    ledger = "SELECT value, body FROM tui_importer_reject ORDER BY sheet_row"
                    kept = [(value, json.loads(body)["values"]) for value, body in connection.execute(ledger)]
                    assert kept == ([] if said else [("\\u0142", ["ł", "x", "🎉"])] * 2)
                    connection.execute("DROP TABLE t, tui_importer_run, tui_importer_batch, tui_importer_reject")
        finally:
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


def test_send_buffer_is_enlarged_only_for_local_sockets() -> None:
    def grown(end: socket.socket) -> bool:
        before = end.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
        enlarge_send_buffer(end.fileno())
        return end.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) > before

    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert ours.family == socket.AF_UNIX
        assert grown(ours)
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as end:
        assert not grown(end)
