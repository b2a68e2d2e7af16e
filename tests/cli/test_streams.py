"""stdout is the result, stderr the narration, and a secret is in neither."""

from __future__ import annotations

import json
import shlex
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.cli.conftest import PROGRAM

if TYPE_CHECKING:
    from tests.cli.conftest import Program
    from tests.conftest import Database

pytestmark = pytest.mark.once

CANARY = "canary-7f3a"


def test_quiet_option_prints_nothing(program: Program, orders: Path) -> None:
    ended = program("orders.xlsx", "-q", code=0)
    assert (ended.out, ended.err) == ("", "")


def test_plain_output_is_sentences(program: Program, orders: Path) -> None:
    ended = program("orders.xlsx", "--plain", code=0)
    assert "Created table orders." in ended.lines
    assert ended.lines[-1].startswith("read 300 = inserted 300")


def test_json_output_is_one_object_per_line(program: Program, orders: Path) -> None:
    ended = program("orders.xlsx", "--log-format", "json", "--batch-size", "100", code=0)
    said = [json.loads(line) for line in ended.lines]
    assert {"ts", "level", "run_id", "event"} <= set(said[1])
    names = [line["event"] for line in said]
    assert (names[0], names[-1]) == ("run_started", "run_finished")
    assert names.count("batch_committed") in (3, 4)
    assert sum(line.get("inserted", 0) for line in said if line["event"] == "batch_committed") == 300


def test_verbose_output_reports_every_batch(program: Program, orders: Path) -> None:
    quiet, verbose = program("orders.xlsx", code=0), program("orders.xlsx", "-v", "--batch-size", "50", "--db", "b.db")
    assert len(verbose.lines) >= len(quiet.lines) + 6
    assert verbose.lines[-2].startswith("time: ")
    assert verbose.lines[-1].startswith("peak memory ")
    assert sum(line.startswith("chose 1 worker: SQLite takes one writer") for line in verbose.lines) == 1


@pytest.mark.parametrize("options", [[], ["--plain"], ["-v"], ["--log-format", "json"]])
def test_cell_text_is_escaped_on_the_terminal(
    program: Program, workbook: Callable[..., Path], sqlite: Database, options: list[str]
) -> None:
    csv = program.folder / "evil.csv"
    evil = "\x1b]0;owned\x07\x1b[2J\u202e[red]markup[/red]\x9b31m"
    csv.write_text(f'n,"{evil}"\n{evil},2\n', encoding="utf-8")
    sqlite.execute("CREATE TABLE evil (n integer)")
    ended = program("evil.csv", "--db", sqlite.url, "--table", "evil", "--skip", evil, *options)
    assert ended.code == 3
    for mark in "\x1b\x9b\x07\u202e":
        assert mark not in ended.err + ended.out
    inspected = program("inspect", "evil.csv", code=0)
    for mark in "\x1b\x9b\x07\u202e":
        assert mark not in inspected.err + inspected.out


def test_output_to_a_pipe_has_no_colours(program: Program, orders: Path) -> None:
    assert "\x1b" not in program("orders.xlsx", code=0, TERM="xterm-256color").err


def test_report_is_complete_and_readable_only_by_its_owner(program: Program, orders: Path) -> None:
    program("orders.xlsx", "-q", "--report", "report.json", code=0)
    path = program.folder / "report.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    report = json.loads(path.read_text())
    assert list(report)[:4] == ["schema_version", "run_id", "outcome", "exit_code"]
    assert report["stats"]["duration"].endswith("s")
    assert len(report["source"]["sha256"]) == 64


def test_several_files_give_one_report_and_the_worst_exit_code(
    program: Program, orders: Path, workbook: Callable[..., Path]
) -> None:
    workbook("bad.xlsx", [["n"], ["#"]])
    ended = program("orders.xlsx", "bad.xlsx", "-q", "--report", "-", "--type", "n=integer", "--db", "all.db")
    # The first has no column n, so for it that is a wrong request; the second has a bad row.
    report = json.loads(ended.out)
    assert (ended.code, report["exit_code"], report["outcome"]) == (2, 2, "failed")
    assert [each["exit_code"] for each in report["imports"]] == [2, 3]
    assert report["stats"]["total_records"] == sum(each["stats"]["total_records"] for each in report["imports"])
    ended = program("orders.xlsx", "bad.xlsx", "-q", "--report", "-", "--db", "two.db")
    assert (ended.code, [each["exit_code"] for each in json.loads(ended.out)["imports"]]) == (0, [0, 0])


def test_import_refused_before_the_run_starts_is_in_the_report(
    program: Program, orders: Path, workbook: Callable[..., Path]
) -> None:
    program("orders.xlsx", "-q", "--strategy", "nope", "--report", "report.json", code=2)
    report = json.loads((program.folder / "report.json").read_text())
    assert (report["outcome"], report["exit_code"], report["run_id"]) == ("failed", 2, "")
    assert report["error"].startswith("unknown strategy 'nope'")
    assert (report["source"]["file"], report["method"], report["stats"]["total_records"]) == ("orders.xlsx", "nope", 0)
    # Of two files each has its place, whatever becomes of it.
    workbook("bad.xlsx", [["n"], ["#"]])
    ended = program("orders.xlsx", "bad.xlsx", "-q", "--strategy", "nope", "--report", "-", code=2)
    assert [each["source"]["file"] for each in json.loads(ended.out)["imports"]] == ["orders.xlsx", "bad.xlsx"]


def test_closed_stdout_pipe_gives_no_traceback(program: Program, orders: Path) -> None:
    process = program.start("orders.xlsx", "-q", "--report", "-")
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert "Traceback" not in process.stderr.read()
    process.stderr.close()
    process.wait(60)


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_standard_streams_do_not_stop_the_import(program: Program, orders: Path, closed: str) -> None:
    line = f"exec {shlex.join([*PROGRAM, 'orders.xlsx', '--report', '-'])} {closed}"
    ended = subprocess.run(
        ["sh", "-c", line], cwd=program.folder, env=program.environment, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0
    assert "Traceback" not in ended.stderr
    with closing(sqlite3.connect(program.folder / "orders.db")) as database:
        assert database.execute("SELECT count(*) FROM orders").fetchone() == (300,)


# Secrets.


def everything(program: Program) -> str:
    """All that is in the folder, as text."""
    return "".join(
        path.read_bytes().decode("latin-1")
        for path in program.folder.rglob("*")
        if path.is_file() and path.suffix != ".db"
    )


@pytest.mark.parametrize("form", ["url", "keywords", "query"])
@pytest.mark.parametrize("way", ["--db", "TUI_IMPORTER_DB", "DATABASE_URL", "plan"])
def test_password_is_in_no_output(program: Program, orders: Path, postgres: Database, way: str, form: str) -> None:
    name, host = postgres.url.split("@/")[1].split("?host=")
    url = {
        "url": f"postgresql://postgres:{CANARY}@/{name}?host={host}",
        "keywords": f"host={host} dbname={name} user=postgres password={CANARY}",
        "query": f"postgresql://postgres@/{name}?host={host}&password={CANARY}",
    }[form]
    given: list[str] = []
    environment: dict[str, str] = {}
    if way == "--db":
        given = ["--db", url]
    elif way == "plan":
        (program.folder / "p.toml").write_text(f'[source]\nfile = "x"\n[target]\ndatabase = {json.dumps(url)}\n')
        given = ["--schema", "p.toml"]
    else:
        environment = {way: url}
    said = ""
    for options, code in (
        (["--report", "report.json", "-v"], 0),
        (["--log-format", "json", "--table", "again"], 0),
        (["--type", "number=nonsense"], 2),
        (["--table", "orders", "--type", "customer=integer", "--mode", "create"], 2),
    ):
        ended = program("orders.xlsx", *given, *options, code=code, **environment)
        said += ended.out + ended.err
    said += program("inspect", "orders.xlsx", *given, "--save", "saved.toml", code=0, **environment).out
    (program.folder / "p.toml").unlink(missing_ok=True)
    assert CANARY not in said
    assert CANARY not in everything(program)


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://u:{CANARY}@127.0.0.1:1/x",
        f"postgresql://u:p@{CANARY}/x@y:z/db",
        f"postgresql://u:{CANARY}%zz@h/db",
        f"host=127.0.0.1 port=1 password={CANARY}",
        f"host=127.0.0.1 port=1 password='{CANARY} and more'",
        f"mysql+pymysql://u:{CANARY}@h/db",
        f"nosuch://u:{CANARY}@h/db",
        f"postgresql//u:{CANARY}@h/db",
        f"oracle://u:{CANARY}@h/db?password={CANARY}",
    ],
)
def test_connection_error_does_not_show_the_password(program: Program, orders: Path, url: str) -> None:
    ended = program("orders.xlsx", "--db", url, "--connect-timeout", "2")
    assert ended.code in (1, 2, 5)
    assert CANARY not in ended.out + ended.err


ON_LINUX = pytest.mark.skipif(
    not Path("/proc/self/cmdline").exists(), reason="only Linux lets a program change what ps shows"
)


@ON_LINUX
@pytest.mark.parametrize("option", ["--db", "--db="])
@pytest.mark.parametrize(
    "address",
    [
        f"postgresql://postgres:{CANARY}@/shop?host=/run",
        f"user=postgres password={CANARY} dbname=shop",
        f"postgresql://:{CANARY}@{CANARY}@no:such/address",
    ],
    ids=["url", "keywords", "malformed"],
)
def test_password_is_removed_from_argv(option: str, address: str) -> None:
    program = (
        "from pathlib import Path; from tui_importer.cli.process_list import hide_passwords\n"
        "hide_passwords(); print(Path('/proc/self/cmdline').read_text().replace(chr(0), ' '))"
    )
    typed = [f"--db={address}"] if option == "--db=" else ["--db", address]
    command = [sys.executable, "-c", program, "orders.xlsx", *typed, "--report", "-"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert CANARY not in shown
    assert "orders.xlsx --db" in shown
    assert "--report -" in shown


@ON_LINUX
def test_password_is_not_in_the_process_list(program: Program, orders: Path, postgres: Database) -> None:
    name, host = postgres.url.split("@/")[1].split("?host=")
    url = f"postgresql://postgres:{CANARY}@/{name}?host={host}"
    process = program.start("orders.xlsx", "--db", url, "--max-rate", "10")
    assert process.stderr is not None
    process.stderr.readline()
    shown = Path(f"/proc/{process.pid}/cmdline").read_text()
    process.kill()
    process.communicate()
    assert CANARY not in shown
    assert f"@/{name}?host={host}" in shown
