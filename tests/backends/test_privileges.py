"""Rights that are lacking are named before anything is written, with the statement that grants them."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.conftest import Database
from tests.support.once import once
from tui_importer import Options, Plan, Report, Run, Source, Target

#: The user id that Linux gives to nobody.
_NOBODY = 65534
STRATEGIES = ("sequential", "threaded", "batched", "async")


class User:
    """A role of the test's database that has no rights but to connect."""

    def __init__(self, owner: Database) -> None:
        self.owner = owner
        self.name = f"Clerk {os.urandom(4).hex()}"
        self.quoted = f'"{self.name}"'
        owner.execute(f"CREATE ROLE {self.quoted} LOGIN")
        parameters = {**psycopg.conninfo.conninfo_to_dict(owner.url), "user": self.name}
        self.url = psycopg.conninfo.make_conninfo("", **parameters)

    def drop(self) -> None:
        self.owner.execute(f"DROP OWNED BY {self.quoted}; DROP ROLE {self.quoted}")


@pytest.fixture
def clerk(postgres: Database) -> Iterator[User]:
    user = User(postgres)
    yield user
    user.drop()


@pytest.fixture
def colleague(postgres: Database) -> Iterator[User]:
    user = User(postgres)
    yield user
    user.drop()


def load(url: str, folder: Path, rows: range = range(1, 5), table: str = "t", **options: Any) -> Report:
    """Import ``n,note``; which rows makes which import it is."""
    file = folder / f"{table}.csv"
    file.write_text("n,note\n" + "".join(f"{n},x\n" for n in rows))
    plan = Plan(source=Source(file=str(file)), target=Target(database=url, table=table), options=Options(**options))
    return Run(plan, rejects_file=folder / "rejects.xlsx").execute()


def run_suggested_grants(report: Report, owner: Database) -> list[str]:
    """The statements that the report's error names, carried out by the owner of everything."""
    assert report.exit_code == 1, report.error
    assert report.error is not None
    assert "\n" not in report.error
    assert report.error.startswith("permission denied: ")
    statements = re.findall(r"(?:GRANT|CREATE SCHEMA) .+?(?=;|, or name|$)", report.error)
    for statement in statements:
        owner.execute(statement)
    return statements


def test_missing_privilege_to_create_the_ledger_is_named(postgres: Database, clerk: User, tmp_path: Path) -> None:
    postgres.execute(f"CREATE TABLE t (n integer, note text); GRANT INSERT ON t TO {clerk.quoted}")
    report = load(clerk.url, tmp_path)
    assert "--ledger-schema" in (report.error or "")
    assert run_suggested_grants(report, postgres) == [f"GRANT CREATE ON SCHEMA public TO {clerk.quoted}"]
    assert load(clerk.url, tmp_path).outcome == "complete"


@pytest.mark.parametrize("strategy", ["batched", *once("sequential", "threaded", "async")])
def test_several_users_share_one_ledger(
    postgres: Database, clerk: User, colleague: User, tmp_path: Path, strategy: str
) -> None:
    """The ledger has one owner; users with the named privileges can write, reject, resume and merge."""
    postgres.execute("CREATE TABLE t (n integer UNIQUE, note text)")
    assert load(postgres.url, tmp_path).outcome == "complete"
    for number, user in enumerate((clerk, colleague), start=1):
        postgres.execute(f"GRANT INSERT ON t TO {user.quoted}")
        rows = range(1, 1 + 20 * number)
        report = load(user.url, tmp_path, rows, strategy=strategy)
        assert run_suggested_grants(report, postgres) == [
            f"GRANT SELECT, INSERT, UPDATE, DELETE ON public.tui_importer_batch TO {user.quoted}",
            f"GRANT SELECT, INSERT ON public.tui_importer_reject TO {user.quoted}",
            f"GRANT SELECT, INSERT, UPDATE ON public.tui_importer_run TO {user.quoted}",
        ]
        report = load(user.url, tmp_path, rows, strategy=strategy, batch_size=3)
        assert (report.outcome, report.error) == ("complete_with_rejects", None)
    runs = postgres.fetch("SELECT state, count(*) FROM tui_importer_run GROUP BY state")
    assert runs == [("complete", 3)]


def test_missing_privilege_for_the_last_step_is_named_first(postgres: Database, clerk: User, tmp_path: Path) -> None:
    """The last step of a run deletes: the missing privilege is named before the first row is written."""
    assert load(postgres.url, tmp_path).outcome == "complete"
    postgres.execute(f"GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA public TO {clerk.quoted}")
    report = load(clerk.url, tmp_path, range(9))
    assert run_suggested_grants(report, postgres) == [f"GRANT DELETE ON public.tui_importer_batch TO {clerk.quoted}"]
    assert postgres.scalar("SELECT count(*) FROM t") == 4
    assert load(clerk.url, tmp_path, range(9)).outcome == "complete"


def test_missing_ledger_schema_is_named(postgres: Database, clerk: User, tmp_path: Path) -> None:
    postgres.execute(f"CREATE TABLE t (n integer, note text); GRANT INSERT ON t TO {clerk.quoted}")
    report = load(clerk.url, tmp_path, ledger_schema="the books")
    assert run_suggested_grants(report, postgres) == [f'CREATE SCHEMA "the books" AUTHORIZATION {clerk.quoted}']
    assert load(clerk.url, tmp_path, ledger_schema="the books").outcome == "complete"


@pytest.mark.once
def test_missing_privileges_on_the_ledger_schema_are_named(postgres: Database, clerk: User, tmp_path: Path) -> None:
    postgres.execute(f"CREATE TABLE t (n integer, note text); GRANT INSERT ON t TO {clerk.quoted}; CREATE SCHEMA books")
    report = load(clerk.url, tmp_path, ledger_schema="books")
    assert run_suggested_grants(report, postgres) == [f"GRANT USAGE, CREATE ON SCHEMA books TO {clerk.quoted}"]
    assert load(clerk.url, tmp_path, ledger_schema="books").outcome == "complete"
    # The same with tables in it that are no business of whoever may not use the schema.
    postgres.execute(f"REVOKE ALL ON SCHEMA books FROM {clerk.quoted}")
    report = load(clerk.url, tmp_path, range(7), ledger_schema="books")
    assert run_suggested_grants(report, postgres) == [f"GRANT USAGE ON SCHEMA books TO {clerk.quoted}"]
    assert load(clerk.url, tmp_path, range(7), ledger_schema="books").outcome == "complete"


@pytest.mark.parametrize("dry_run", [False, True])
def test_missing_privilege_to_write_the_table_is_named(
    postgres: Database, clerk: User, tmp_path: Path, dry_run: bool
) -> None:
    postgres.execute(
        f"CREATE TABLE t (id serial, n integer, note text); GRANT CREATE ON SCHEMA public TO {clerk.quoted}"
    )
    report = load(clerk.url, tmp_path, dry_run=dry_run)
    assert run_suggested_grants(report, postgres) == [
        f"GRANT INSERT ON public.t TO {clerk.quoted}",
        f"GRANT USAGE ON SEQUENCE public.t_id_seq TO {clerk.quoted}",
    ]
    assert load(clerk.url, tmp_path, dry_run=dry_run).outcome == "complete"


def test_column_privileges_are_sufficient(postgres: Database, clerk: User, tmp_path: Path) -> None:
    postgres.execute(
        f"CREATE TABLE t (n integer, note text, secret text); GRANT CREATE ON SCHEMA public TO {clerk.quoted}; "
        f"GRANT INSERT (n, note) ON t TO {clerk.quoted}"
    )
    assert load(clerk.url, tmp_path).outcome == "complete"


def test_missing_usage_privilege_on_the_schema_is_named(postgres: Database, clerk: User, tmp_path: Path) -> None:
    postgres.execute(
        f"CREATE SCHEMA shop; CREATE TABLE shop.t (n integer, note text); GRANT INSERT ON shop.t TO {clerk.quoted}; "
        f"GRANT CREATE ON SCHEMA public TO {clerk.quoted}"
    )
    report = load(clerk.url, tmp_path, table="shop.t")
    assert run_suggested_grants(report, postgres) == [f"GRANT USAGE ON SCHEMA shop TO {clerk.quoted}"]
    assert load(clerk.url, tmp_path, table="shop.t").outcome == "complete"


@pytest.mark.once
@pytest.mark.parametrize("atomic", [False, True])
def test_missing_privilege_to_create_the_table_or_staging_table_is_named(
    postgres: Database, clerk: User, tmp_path: Path, atomic: bool
) -> None:
    postgres.execute(f"CREATE SCHEMA books AUTHORIZATION {clerk.quoted}")
    if atomic:
        postgres.execute(f"CREATE TABLE t (n integer, note text); GRANT INSERT ON t TO {clerk.quoted}")
    report = load(clerk.url, tmp_path, ledger_schema="books", atomic=atomic)
    assert run_suggested_grants(report, postgres) == [f"GRANT CREATE ON SCHEMA public TO {clerk.quoted}"]
    assert load(clerk.url, tmp_path, ledger_schema="books", atomic=atomic).outcome == "complete"


@pytest.mark.once
def test_verifying_and_resuming_require_the_select_privilege(postgres: Database, clerk: User, tmp_path: Path) -> None:
    postgres.execute(
        f"CREATE TABLE t (n integer, note text); GRANT INSERT ON t TO {clerk.quoted}; "
        f"GRANT CREATE ON SCHEMA public TO {clerk.quoted}"
    )
    assert load(clerk.url, tmp_path).outcome == "complete"
    ways: tuple[dict[str, Any], ...] = ({"verify": True, "again": True}, {})
    for options in ways:
        report = load(clerk.url, tmp_path, **options)
        assert run_suggested_grants(report, postgres) == [f"GRANT SELECT ON public.t TO {clerk.quoted}"]
        assert load(clerk.url, tmp_path, **options).exit_code == 0
        postgres.execute(f"REVOKE SELECT ON t FROM {clerk.quoted}")


@pytest.fixture
def read_only_folder() -> Iterator[Path]:
    """A folder of somebody who may not write everywhere, whoever runs the tests."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if os.geteuid() != 0:
            yield folder
            folder.chmod(0o700)
            return
        os.chown(folder, _NOBODY, -1)
        os.seteuid(_NOBODY)
        try:
            yield folder
        finally:
            os.seteuid(0)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_read_only_sqlite_file_is_refused(read_only_folder: Path, strategy: str) -> None:
    database = read_only_folder / "shop.db"
    assert load(str(database), read_only_folder).outcome == "complete"
    database.chmod(0o400)
    report = load(str(database), read_only_folder, range(9), strategy=strategy)
    assert (report.exit_code, report.error) == (
        1,
        f"the SQLite database {database} is read-only: let yourself write it (chmod u+w), or name another with --db",
    )
    assert load(str(database), read_only_folder, range(9), dry_run=True).exit_code == 1


@pytest.mark.parametrize("there", [False, True])
def test_sqlite_file_in_a_read_only_folder_is_refused(read_only_folder: Path, there: bool) -> None:
    folder = read_only_folder / "data"
    folder.mkdir()
    database = folder / "shop.db"
    if there:
        assert load(str(database), read_only_folder).outcome == "complete"
    folder.chmod(0o500)
    report = load(str(database), read_only_folder, range(9))
    assert report.exit_code in (1, 5)
    assert (report.error or "").startswith(f"the folder {folder} is read-only, and SQLite keeps a journal beside")
    folder.chmod(0o700)
    assert load(str(database), read_only_folder, range(9)).outcome == "complete"
