"""Folders that the server watches: their files are runs like uploads, once each, whatever becomes of the server."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import sqlite_database
from tests.server.conftest import PATIENCE, SLOW, Served, numbered, until
from tui_importer.core.model.plan import Options, Plan, Source, Target
from tui_importer.core.model.plan_file import save_plan
from tui_importer.errors import UsageError
from tui_importer.process.watched_folder import WatchOptions
from tui_importer.server.settings import watch_settings

if TYPE_CHECKING:
    from tests.conftest import Database

OLD = 1_700_000_000
OPTIONS = ("--db", "t.db", "--table", "t", "--watch-settle", "0", "--watch-every", "0.05")


@pytest.fixture
def here(tmp_path: Path) -> Path:
    (tmp_path / "here" / "in").mkdir(parents=True)
    return tmp_path / "here"


@pytest.fixture
def sqlite(here: Path) -> Database:
    return sqlite_database(here / "t.db")


def put(path: Path, content: bytes, age: int = 0) -> Path:
    """A file that was written long ago, as a whole."""
    hidden = path.with_name(f".{path.name}")
    hidden.write_bytes(content)
    os.utime(hidden, (OLD - age, OLD - age))
    return hidden.rename(path)


def slowly(here: Path, **options: Any) -> tuple[str, str]:
    """The server's plan for runs that there is time to do something to."""
    plan = Plan(source=Source(file="rows.csv"), target=Target(table="t"), options=Options(workers=1, **options))
    save_plan(plan, here / "plan.toml")
    return ("--schema", "plan.toml")


def watch(served: Served, name: str = "in") -> dict[str, Any]:
    [found] = [each for each in served.client.get("/watches").json()["watches"] if each["name"] == name]
    return dict(found)


def states(served: Served, name: str = "in") -> dict[str, str]:
    return {file["file"]: file["state"] for file in watch(served, name)["files"]}


def test_files_of_watched_folders_become_runs(serve: Callable[..., Served], here: Path, sqlite: Database) -> None:
    (here / "shop" / "in").mkdir(parents=True)
    put(here / "secret.csv", b"n,note\n666,root\n")
    (here / "in" / "link.csv").symlink_to(here / "secret.csv")
    put(here / "in" / "notes.md", b"no table")
    put(here / "in" / "it's.csv", b"n,note\n1,one\nx,two\n", age=2)
    put(here / "in" / "broken.xlsx", b"not a workbook", age=1)
    served = serve(
        *OPTIONS, "--type", "n=integer", "--set", "file={file}", "--watch", "in", "--watch", "shop/in",
        *("--watch-done", "done", "--watch-failed", "failed"),
        token="whoever-has-this-may-look",
    )  # fmt: skip
    until(lambda: states(served) == {"it's.csv": "done", "broken.xlsx": "failed"})
    put(here / "shop" / "in" / "b.csv", b"n,note\n2,two\n")
    until(lambda: states(served, "in-2") == {"b.csv": "done"})
    assert sqlite.fetch("SELECT n, note, file FROM t ORDER BY n") == [(1, "one", "it's.csv"), (2, "two", "b.csv")]
    until(lambda: (here / "shop" / "in" / "done" / "b.csv").exists() and (here / "in" / "done" / "it's.csv").exists())
    until(lambda: (here / "in" / "failed" / "broken.xlsx").exists() and watch(served)["waiting"] == 0)
    left = {str(path.relative_to(here / "in")) for path in (here / "in").rglob("*") if not path.is_dir()}
    assert left == {"link.csv", "notes.md", "done/it's.csv", "failed/broken.xlsx"}
    found = watch(served)
    assert (found["state"], found["patterns"]) == ("watching", [])
    assert (found["done"], found["failed"]) == (1, 1)
    error = "broken.xlsx: not a workbook, whatever its name says (no .xlsx file begins like this)"
    assert found["last_error"] == found["files"][0]["error"] == error
    runs = served.client.get("/runs").json()["runs"]
    assert [(run["file"], run["watch"], run["rejects_total"]) for run in runs] == [
        ("b.csv", "in-2", 0),
        ("broken.xlsx", "in", 0),
        ("it's.csv", "in", 1),
    ]
    assert runs[2]["run_id"] == found["files"][1]["run_id"]
    assert served.recording(runs[2]["run_id"]).report() is not None
    assert str(here) not in json.dumps([served.client.get("/watches").json(), runs])
    assert "tui_importer_watched_files_waiting 0.0" in served.client.get("/metrics").text
    del served.client.headers["Authorization"]
    for method, path in (("GET", "/watches"), ("POST", "/watches/in/pause")):
        assert served.client.request(method, path).status_code == 401


@pytest.mark.once
def test_files_are_imported_once_after_the_server_was_killed(
    serve: Callable[..., Served], here: Path, sqlite: Database
) -> None:
    for number in range(3):
        put(here / "in" / f"{number}.csv", numbered(200, first=200 * number), age=9 - number)
    options = (*OPTIONS, *slowly(here, max_rate=200.0, batch_size=1), "--watch", "in", "--watch-done", "done")
    served = serve(*options)
    until(lambda: states(served).get("0.csv") == "running" and served.engines())
    assert states(served) == {"0.csv": "running", "1.csv": "waiting", "2.csv": "waiting"}
    served.at_work(watch(served)["files"][-1]["id"])
    served.stop(signal.SIGKILL)
    served.start()  # the run has gone on by itself
    until(lambda: states(served).get("1.csv") == "running")
    served.at_work(watch(served)["files"][-2]["id"])
    served.stop(signal.SIGKILL)
    for process in served.engines():
        process.kill()
    served.start()
    until(lambda: sorted(path.name for path in (here / "in" / "done").iterdir()) == ["0.csv", "1.csv", "2.csv"])
    assert sqlite.fetch("SELECT count(*), count(DISTINCT n) FROM t") == [(600, 600)]
    runs = served.client.get("/runs").json()["runs"]
    assert [(run["file"], len(run["run_ids"])) for run in runs] == [("2.csv", 1), ("1.csv", 2), ("0.csv", 1)]


@pytest.mark.once
def test_restart_finds_what_became_of_files_that_are_there(
    serve: Callable[..., Served], here: Path, sqlite: Database
) -> None:
    put(here / "in" / "good.csv", numbered(5), age=1)
    put(here / "in" / "bad.xlsx", b"not a workbook")
    served = serve(*OPTIONS, "--watch", "in", "--watch-pattern", "*.csv", "--watch-pattern", "*.xlsx")
    until(lambda: states(served) == {"good.csv": "done", "bad.xlsx": "failed"})
    assert served.client.post("/watches/in/pause").json()["state"] == "paused"
    put(here / "in" / "later.csv", numbered(5, first=5))
    served.stop()
    served = serve(*OPTIONS, "--watch", "in", "--watch-done", "done", "--watch-failed", "failed")
    found = watch(served)
    assert found["state"] == "paused"
    assert str(found["last_error"]).startswith("bad.xlsx: not a workbook")
    assert (here / "in" / "later.csv").exists()
    assert served.client.post("/watches/in/unpause").json()["state"] == "watching"
    until(lambda: (here / "in" / "done" / "later.csv").exists())
    assert (here / "in" / "done" / "good.csv").exists()
    assert (here / "in" / "failed" / "bad.xlsx").exists()
    runs = served.client.get("/runs").json()["runs"]
    assert [(run["file"], len(run["run_ids"])) for run in runs] == [("later.csv", 1), ("bad.xlsx", 1), ("good.csv", 1)]
    assert sqlite.fetch("SELECT count(*), count(DISTINCT n) FROM t") == [(10, 10)]


@pytest.mark.once
def test_file_that_changes_during_its_import_is_imported_again(
    serve: Callable[..., Served], here: Path, sqlite: Database
) -> None:
    served = serve(*OPTIONS, *slowly(here, **SLOW), "--key", "n", "--watch", "in", "--watch-done", "done")
    put(here / "in" / "a.csv", numbered(20))
    until(lambda: states(served).get("a.csv") == "running")
    put(here / "in" / "a.csv", numbered(25))
    until(lambda: (here / "in" / "done" / "a.csv").exists())
    assert (here / "in" / "done" / "a.csv").read_bytes() == numbered(25)
    assert sqlite.fetch("SELECT count(*), count(DISTINCT n) FROM t") == [(25, 25)]
    found = watch(served)
    assert (found["done"], found["failed"], found["waiting"]) == (2, 0, 0)


@pytest.mark.once
def test_file_whose_run_a_client_stopped_waits_for_it_to_be_resumed(
    serve: Callable[..., Served], here: Path, sqlite: Database
) -> None:
    put(here / "in" / "a.csv", numbered(60))
    served = serve(*OPTIONS, *slowly(here, **SLOW), "--watch", "in", "--watch-done", "done")
    until(lambda: states(served).get("a.csv") == "running" and served.engines())
    id_ = watch(served)["files"][0]["id"]
    served.at_work(id_)
    served.client.post(f"/runs/{id_}/stop")
    until(lambda: states(served) == {"a.csv": "stopped"} and watch(served)["waiting"] == 0)
    put(here / "in" / "b.csv", numbered(5, first=60))  # the others go on meanwhile
    until(lambda: states(served).get("b.csv") == "done")
    assert (here / "in" / "a.csv").exists()
    assert served.client.post(f"/runs/{id_}/resume").status_code == 202
    until(lambda: (here / "in" / "done" / "a.csv").exists())
    assert sqlite.fetch("SELECT count(*), count(DISTINCT n) FROM t") == [(65, 65)]


@pytest.mark.once
def test_run_stopped_by_a_limit_is_postponed_and_resumed(
    serve: Callable[..., Served], here: Path, sqlite: Database
) -> None:
    put(here / "in" / "a.csv", numbered(40))
    served = serve(
        *(*OPTIONS, *slowly(here, **SLOW), "--run-timeout", "1.5", "--watch", "in"),
        *("--watch-done", "done", "--watch-failed", "failed"),
    )
    until(lambda: states(served) == {"a.csv": "postponed"})
    assert watch(served)["waiting"] == 1
    until(lambda: (here / "in" / "done" / "a.csv").exists())
    [run] = served.client.get("/runs").json()["runs"]
    assert len(run["run_ids"]) > 1
    assert sqlite.fetch("SELECT count(*), count(DISTINCT n) FROM t") == [(40, 40)]


@pytest.mark.once
def test_full_queue_and_a_folder_that_goes_away_are_waited_for(
    serve: Callable[..., Served], here: Path, sqlite: Database
) -> None:
    served = serve(*OPTIONS, "--max-runs", "1", "--max-waiting", "1", "--watch", "in")
    first = served.begin(numbered(60), **SLOW)
    put(here / "in" / "unwanted.csv", numbered(5, first=60))
    until(lambda: [file["id"] for file in watch(served)["files"]] not in ([], [None]))
    assert served.client.delete(f"/runs/{watch(served)['files'][0]['id']}").status_code == 204
    until(lambda: watch(served)["waiting"] == 0)
    second = served.begin(numbered(5, first=60))
    put(here / "in" / "a.csv", numbered(5, first=65))
    until(lambda: states(served) == {"a.csv": "waiting"})
    assert served.run(second)["state"] == "waiting"
    assert watch(served)["last_error"] is None
    served.client.post(f"/runs/{first}/abort")
    until(lambda: states(served) == {"a.csv": "done"})
    (here / "in").rename(here / "away")
    until(lambda: watch(served)["state"] == "unreadable")
    assert watch(served)["last_error"] == "in: cannot be read: No such file or directory"
    put(here / "away" / "b.csv", numbered(5, first=70))
    (here / "away").rename(here / "in")
    until(lambda: states(served) == {"a.csv": "done", "b.csv": "done"})
    assert watch(served)["state"] == "watching"


@pytest.mark.once
def test_file_for_which_there_is_no_room_is_postponed(serve: Callable[..., Served], here: Path) -> None:
    """A file size limit stands in for a full disk."""
    limit = (200_000, 200_000)
    served = serve(*OPTIONS, "--watch", "in", limits=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limit))
    put(here / "in" / "large.csv", numbered(20_000), age=1)
    put(here / "in" / "small.csv", numbered(5))
    until(lambda: states(served) == {"large.csv": "waiting", "small.csv": "done"})
    assert watch(served)["last_error"] == "in/large.csv: cannot be copied: File too large"
    until(lambda: watch(served)["waiting"] == 1)  # the small one is done with
    assert [path for path in served.uploads if path.name.endswith(".part")] == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--watch", "nowhere"], "nowhere: is not a folder"),
        (["--watch", "in", "--watch", "./in/"], "--watch in: is watched twice"),
        (["--watch", "in", "--watch", "shop", "--watch-failed", "../shop"], "--watch-failed ../shop: is watched: its"),
        (["--watch-done", "done"], "are for a folder: name it with --watch"),
    ],
)
def test_folders_that_cannot_be_watched_are_refused(here: Path, options: list[str], said: str) -> None:
    (here / "shop").mkdir()
    command = [sys.executable, "-m", "tui_importer", "serve", "--db", "t.db", "--table", "t", "--port", "0"]
    environment = {**os.environ, "XDG_STATE_HOME": str(here / "state")}
    ended = subprocess.run(
        [*command, *options], cwd=here, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert ended.returncode == 2
    [line] = ended.stderr.splitlines()
    assert said in line


def test_folders_of_the_same_name_are_numbered(tmp_path: Path) -> None:
    folders = [str(tmp_path / name / "in") for name in "abc"]
    watches = watch_settings(folders, WatchOptions(done="done", failed="/failed"))
    assert [each.name for each in watches] == ["in", "in-2", "in-3"]
    assert [each.options.done for each in watches] == [tmp_path / name / "in" / "done" for name in "abc"]
    assert watches[0].options.failed == Path("/failed")
    (tmp_path / "link").symlink_to(tmp_path)
    assert [each.name for each in watch_settings([str(tmp_path / "link")], WatchOptions())] == ["link"]
    with pytest.raises(UsageError, match="is watched: its files would come back"):
        watch_settings(folders, WatchOptions(done=folders[1]))
