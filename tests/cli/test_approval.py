"""What is asked on a terminal, without the dashboard, before rows in the table are removed, updated or doubled."""

from __future__ import annotations

import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.terminal import Terminal

pytestmark = pytest.mark.once


@pytest.fixture
def options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """An import of two rows into a table that holds three."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    (tmp_path / "s.csv").write_text("n,t\n1,x\n2,y\n")
    with closing(sqlite3.connect(tmp_path / "t.db")) as connection, connection:
        connection.execute("CREATE TABLE t (n integer PRIMARY KEY, t text)")
        connection.executemany("INSERT INTO t VALUES (?, 'old')", [(2,), (3,), (4,)])
    return ["s.csv", "--db", "t.db", "--table", "t", "--no-ui"]


def rows(folder: Path) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(folder / "t.db")) as connection:
        return connection.execute("SELECT n, t FROM t ORDER BY n").fetchall()


OLD = [(2, "old"), (3, "old"), (4, "old")]


@pytest.mark.parametrize(
    ("mode", "question", "after"),
    [
        ("truncate", "Remove 3 rows of table t once the sheet's are loaded? [y/N]", [(1, "x"), (2, "y")]),
        (
            "upsert",
            "Of 3 rows of table t, update those whose key is in the sheet? [y/N]",
            [(1, "x"), (2, "y"), *OLD[1:]],
        ),
    ],
)
def test_change_is_made_only_after_yes(
    tmp_path: Path, options: list[str], mode: str, question: str, after: list[tuple[object, ...]]
) -> None:
    with Terminal([*options, "--mode", mode], tmp_path) as terminal:
        terminal.until(question)
        terminal.type("n\r")
        assert terminal.wait() == 4
        assert "stopped before the end: not confirmed: nothing was changed" in terminal.text
    assert rows(tmp_path) == OLD
    with Terminal([*options, "--mode", mode], tmp_path) as terminal:
        terminal.until(question)
        terminal.type("y\r")
        assert terminal.wait() == 0
    assert rows(tmp_path) == after


def test_interrupt_ends_the_question(tmp_path: Path, options: list[str]) -> None:
    with Terminal([*options, "--mode", "truncate"], tmp_path) as terminal:
        terminal.until("[y/N]")
        terminal.type("\x03")
        assert terminal.wait() == 128 + signal.SIGINT
    assert rows(tmp_path) == OLD


def test_nothing_is_asked_with_yes_or_if_rows_are_only_added(tmp_path: Path, options: list[str]) -> None:
    with Terminal([*options, "--key", "n"], tmp_path) as terminal:
        assert terminal.wait() == 0
    assert rows(tmp_path) == [(1, "x"), *OLD]
    with Terminal([*options, "--mode", "truncate", "--yes"], tmp_path) as terminal:
        assert terminal.wait() == 0
        assert "[y/N]" not in terminal.text
    assert rows(tmp_path) == [(1, "x"), (2, "y")]


def test_grown_file_without_a_key_is_confirmed(tmp_path: Path, options: list[str]) -> None:
    options = ["new" if option == "t" else option for option in options]
    with Terminal(options, tmp_path) as terminal:
        assert terminal.wait() == 0
    (tmp_path / "s.csv").write_text("n,t\n1,x\n2,y\n3,z\n")
    with Terminal(options, tmp_path) as terminal:
        terminal.until("[y/N]")
        assert "Add the sheet to 2 rows of table new" in " ".join(terminal.text.split())
        terminal.type("\r")
        assert terminal.wait() == 4
    with closing(sqlite3.connect(tmp_path / "t.db")) as connection:
        assert connection.execute("SELECT count(*) FROM new").fetchone() == (2,)


@pytest.fixture
def side_by_side(tmp_path: Path, options: list[str]) -> list[str]:
    """Imports of three files in two processes: two into a table each that holds rows, the third into a new one."""
    with closing(sqlite3.connect(tmp_path / "t.db")) as connection, connection:
        connection.execute("CREATE TABLE u (n integer PRIMARY KEY, t text)")
        connection.execute("INSERT INTO u VALUES (1, 'old')")
    for name in "tuv":
        (tmp_path / f"{name}.csv").write_text(f"n,t\n1,{name}\n")
    return ["t.csv", "u.csv", "v.csv", "--db", "t.db", "--table", "{file}", "--no-ui", "--jobs", "2"]


def contents(folder: Path, table: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(folder / "t.db")) as connection:
        return connection.execute(f"SELECT n, t FROM {table} ORDER BY n").fetchall()


def test_imports_in_several_processes_ask_one_question_at_a_time(tmp_path: Path, side_by_side: list[str]) -> None:
    """Each for its own table: what is declined for one is done for the other."""
    questions = {
        "t": "Remove 3 rows of table t once the sheet's are loaded? [y/N]",
        "u": "Remove 1 row of table u once the sheet's are loaded? [y/N]",
    }
    with Terminal([*side_by_side, "--mode", "truncate"], tmp_path) as terminal:
        first = terminal.until(lambda text: any(each in text for each in questions.values()))
        [table] = [name for name, each in questions.items() if each in first]
        other = "u" if table == "t" else "t"
        answers = {"t": "n\r", "u": "y\r"}
        terminal.type(answers[table])
        terminal.until(questions[other])
        terminal.type(answers[other])
        assert terminal.wait() == 4
        assert terminal.output.count(b"[y/N]") == 2
        assert "not confirmed: nothing was changed" in terminal.text
    assert contents(tmp_path, "t") == OLD
    assert contents(tmp_path, "u") == [(1, "u")]
    assert contents(tmp_path, "v") == [(1, "v")]


def test_interrupt_ends_the_questions_of_several_processes(tmp_path: Path, side_by_side: list[str]) -> None:
    with Terminal([*side_by_side, "--mode", "truncate"], tmp_path) as terminal:
        terminal.until("[y/N]")
        terminal.type("\x03")
        assert terminal.wait() == 128 + signal.SIGINT
        assert terminal.output.count(b"[y/N]") == 1
    assert contents(tmp_path, "t") == OLD
    assert contents(tmp_path, "u") == [(1, "old")]


def test_yes_answers_the_questions_of_several_processes(tmp_path: Path, side_by_side: list[str]) -> None:
    with Terminal([*side_by_side, "--mode", "truncate", "--yes"], tmp_path) as terminal:
        assert terminal.wait() == 0
        assert "[y/N]" not in terminal.text
    assert [contents(tmp_path, table) for table in "tuv"] == [[(1, table)] for table in "tuv"]


def test_declined_table_is_not_asked_about_again(tmp_path: Path, side_by_side: list[str]) -> None:
    """In the order of the files, of which the last one would win."""
    options = ["t" if option == "{file}" else option for option in side_by_side]
    with Terminal([*options, "--mode", "upsert"], tmp_path) as terminal:
        terminal.until("Of 3 rows of table t, update those whose key is in the sheet? [y/N]")
        terminal.type("n\r")
        assert terminal.wait() == 4
        assert terminal.output.count(b"[y/N]") == 1
    assert contents(tmp_path, "t") == OLD
