"""What cannot be done: one line, the right exit code, and nothing half-made."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Program
    from tests.conftest import Database

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"  # the first bytes of a compound file: an encrypted xlsx is one


def broken_files(folder: Path, good: Path) -> None:
    """Files that are no workbooks, each in its own way."""
    (folder / "folder.xlsx").mkdir()
    os.mkfifo(folder / "pipe.xlsx")
    os.mkfifo(folder / "pipe.csv")
    (folder / "text.xlsx").write_text("no workbook at all")
    (folder / "empty.xlsx").touch()
    (folder / "encrypted.xlsx").write_bytes(OLE + bytes(1024) + "EncryptedPackage".encode("utf-16-le") + bytes(1024))
    (folder / "truncated.xlsx").write_bytes(good.read_bytes()[:-500])
    (folder / "half.xlsx").write_bytes(good.read_bytes()[: good.stat().st_size // 2])
    with zipfile.ZipFile(folder / "other.xlsx", "w") as archive:
        archive.writestr("readme.txt", "a zip, but no workbook")
    (folder / "empty.csv").touch()
    (folder / "word.docx").write_bytes(good.read_bytes())


@pytest.mark.once
@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["missing.xlsx"], 2, "missing.xlsx"),
        (["folder.xlsx"], 2, "folder.xlsx"),
        (["pipe.xlsx"], 2, "is a pipe"),
        (["pipe.csv"], 2, "is a pipe"),
        (["inspect", "pipe.csv"], 2, "is a pipe"),
        (["text.xlsx"], 2, "text.xlsx"),
        (["empty.xlsx"], 2, "empty.xlsx"),
        (["empty.csv"], 2, "empty.csv"),
        (["encrypted.xlsx"], 2, "password"),
        (["truncated.xlsx"], 2, "truncated.xlsx"),
        (["half.xlsx"], 2, "half.xlsx"),
        (["other.xlsx"], 2, "other.xlsx"),
        (["word.docx"], 2, ".docx"),
        (["orders.xlsx", "--sheet", "Nowhere"], 2, "Sheet1"),
        (["orders.xlsx", "--sheet", "7"], 2, "Sheet1"),
        (["orders.xlsx", "--strategy", "bathced"], 2, "did you mean 'batched'?"),
        (["orders.xlsx", "--strategy", "zzz"], 2, "async, batched, sequential, threaded"),
        (["orders.xlsx", "--reader", "calamime"], 2, "calamine"),
        (["orders.xlsx", "--range", "nonsense"], 2, "nonsense"),
        (["orders.xlsx", "--header-row", "5000"], 2, "5000"),
        (["orders.xlsx", "--type", "number=intger"], 2, "integer"),
        (["orders.xlsx", "--type", "nmber=integer"], 2, "number"),
        (["orders.xlsx", "--max-rejects", "many"], 2, "many"),
        (["orders.xlsx", "--workers", "0"], 2, "0"),
        (["orders.xlsx", "--timeout", "-1"], 2, "-1"),
        (["orders.xlsx", "--unknown"], 2, "--unknown"),
        (["orders.xlsx", "--db", "mysqll://host/db"], 2, "mysqll"),
        (["orders.xlsx", "--db", ""], 2, "the database address is empty"),
        (["inspect", "orders.xlsx", "--db", ""], 2, "the database address is empty"),
        (["orders.xlsx", "--db", "postgresql://u@h:port/db"], 2, "port"),
        (["orders.xlsx", "--db", "nowhere/at/all.db"], 5, "nowhere"),
        (["orders.xlsx", "--db", "postgresql://nobody@127.0.0.1:1/none", "--connect-timeout", "2"], 5, "127.0.0.1"),
        (["orders.xlsx", "--schema", "missing.toml"], 2, "missing.toml"),
        (["orders.xlsx", "--schema", "broken.toml"], 2, "broken.toml"),
        (["orders.xlsx", "--schema", "typo.toml"], 2, "did you mean 'workers'?"),
        (["orders.xlsx", "--schema", "nosuch"], 2, "nosuch"),
        (["orders.xlsx", "other.xlsx", "--rejects", "r.xlsx"], 2, "--rejects"),
        (["orders.xlsx", "--rejects", "orders.xlsx"], 2, "orders.xlsx"),
        (["inspect", "missing.xlsx"], 2, "missing.xlsx"),
        (["bench", "missing.xlsx"], 2, "missing.xlsx"),
        (["bench", "orders.xlsx", "--strategy", "zzz"], 2, "zzz"),
    ],
)
def test_invalid_requests_are_refused(
    program: Program, orders: Path, arguments: list[str], code: int, said: str
) -> None:
    broken_files(program.folder, orders)
    (program.folder / "broken.toml").write_text("[source\n")
    (program.folder / "typo.toml").write_text('[source]\nfile = "orders.xlsx"\n[options]\nworkrs = 2\n')
    before = program.files()
    ended = program(*arguments, code=code)
    assert said in ended.err
    assert ended.out == ""
    assert program.files() == before
    errors = [line for line in ended.lines if line.startswith(("tui-importer: ", "Error: "))]
    assert len(errors) == 1, ended.err


@pytest.mark.once
@pytest.mark.parametrize("name", ["text.xlsx", "truncated.xlsx", "encrypted.xlsx", "empty.xlsx", "missing.xlsx"])
def test_quiet_failure_is_one_line(program: Program, orders: Path, name: str) -> None:
    broken_files(program.folder, orders)
    [line] = program(name, "-q", code=2).lines
    assert line.startswith("tui-importer: ")
    assert name in line


@pytest.mark.once
def test_unreadable_file_does_not_affect_the_other_files(program: Program, orders: Path) -> None:
    broken_files(program.folder, orders)
    ended = program("text.xlsx", "orders.xlsx", "-q", code=2)
    assert "text.xlsx" in ended.err
    assert "orders.db" in program.files()


TARGETS = {
    "a column that the table has not": "CREATE TABLE orders (number integer)",
    "a column that must be filled and is not": "CREATE TABLE orders (number integer, customer text, vat text NOT NULL)",
}


@pytest.mark.once
@pytest.mark.parametrize("what", TARGETS)
def test_table_with_incompatible_columns_is_refused(
    program: Program, orders: Path, sqlite: Database, postgres: Database, what: str
) -> None:
    for database in (sqlite, postgres):
        database.execute(TARGETS[what])
        before = program.files()
        [line] = program("orders.xlsx", "--db", database.url, "-q", code=2).lines
        assert ("customer" if "has not" in what else "vat") in line
        assert database.scalar("SELECT count(*) FROM orders") == 0
        assert program.files() == before


def test_create_mode_refuses_an_existing_table(program: Program, orders: Path, sqlite: Database) -> None:
    sqlite.execute("CREATE TABLE orders (number integer, customer text)")
    [line] = program("orders.xlsx", "--db", sqlite.url, "--mode", "create", "-q", code=2).lines
    assert "orders" in line
    assert sqlite.scalar("SELECT count(*) FROM orders") == 0


def test_failed_login_does_not_show_the_password(program: Program, orders: Path, postgres: Database) -> None:
    """The suite's own server trusts every login, so a role without LOGIN stands in for a wrong password."""
    postgres.execute("DO $$ BEGIN CREATE ROLE nologin_role NOLOGIN; EXCEPTION WHEN duplicate_object THEN END $$")
    url = postgres.url.replace("://", "://nologin_role:canary-7f3a@", 1).replace("postgres@/", "/", 1)
    ended = program("orders.xlsx", "--db", url, "-q", code=5)
    assert len(ended.lines) == 1
    assert "canary" not in ended.err


@pytest.mark.parametrize("where", ["no/such/folder/report.json", "."])
def test_unwritable_report_path_is_refused_before_the_import(program: Program, orders: Path, where: str) -> None:
    [line] = program("orders.xlsx", "-q", "--report", where, code=2).lines
    assert "report" in line
    assert program.files() == {"orders.xlsx"}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_report_write_error_fails_the_run(program: Program, orders: Path) -> None:
    [line] = program("orders.xlsx", "-q", "--report", "/dev/full", code=1).lines
    assert "/dev/full" in line


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_report_write_error_gives_a_nonzero_exit_code(program: Program, orders: Path) -> None:
    assert program("orders.xlsx", "-q", "--report", "/dev/full").code != 0


@pytest.mark.once
def test_refused_table_leaves_no_files_and_no_tables(
    program: Program, workbook: Callable[..., Path], postgres: Database
) -> None:
    """More columns than a table can have (PostgreSQL manual, appendix K)."""
    workbook("wide.xlsx", [[f"c{n}" for n in range(1_700)], list(range(1_700))])
    before = program.files()
    [line] = program("wide.xlsx", "--db", postgres.url, "-q", code=1).lines
    assert "1600" in line
    assert program.files() == before
    tables = postgres.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    assert all(name.startswith("tui_importer_") for (name,) in tables)
