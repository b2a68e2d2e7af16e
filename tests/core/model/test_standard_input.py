"""Standard input is a source, by the name of ``-``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.make_sample import SAMPLE_PATH
from tui_importer.core.model.standard_input import renamed_copy, shown_source, source_path

TEXT = b"id;name\n1;Ana\n2;Bob\n"


def run(folder: Path, data: bytes, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """The program with these bytes on its standard input, and a folder of its own for temporary files."""
    (folder / "tmp").mkdir(exist_ok=True)
    environment = {**os.environ, "TMPDIR": str(folder / "tmp"), "XDG_STATE_HOME": str(folder)}
    command = [sys.executable, "-m", "tui_importer", *arguments]
    ended = subprocess.run(command, cwd=folder, env=environment, input=data, capture_output=True, check=False)
    assert not list((folder / "tmp").glob("tui_importer-*")), "the copy is left"
    return ended


def test_ordinary_file_names_are_unchanged() -> None:
    assert source_path("a/b.csv") == Path("a/b.csv")
    assert source_path("./-") == Path("./-")
    assert shown_source("a.csv") == "a.csv"
    assert renamed_copy("a.csv: is empty") == "a.csv: is empty"


def test_standard_input_is_imported_once(tmp_path: Path) -> None:
    first = run(tmp_path, TEXT, "-", "--db", "o.db", "--no-ui", "--report", "-")
    assert first.returncode == 0, first.stderr
    report = json.loads(first.stdout)
    assert (report["source"]["file"], report["target"]["table"]) == ("standard input", "stdin")
    assert report["stats"]["inserted"] == 2
    again = run(tmp_path, TEXT, "-", "--db", "o.db", "--no-ui", "--report", "-")
    assert (again.returncode, json.loads(again.stdout)["outcome"]) == (0, "already_imported")
    other = run(tmp_path, TEXT + b"3;Cy\n", "-", "--db", "o.db", "--no-ui", "--report", "-")
    assert json.loads(other.stdout)["stats"]["inserted"] == 3


@pytest.mark.once
def test_standard_input_is_imported_beside_files(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(TEXT)
    for files in (["a.csv", "-"], ["-", "a.csv"]):
        options = ("--db", "o.db", "--table", "_".join(files).replace("-", "in").replace(".", "_"), "--jobs", "2")
        ended = run(tmp_path, TEXT + b"3;Cy\n", *files, *options, "--no-ui", "--report", "-")
        assert ended.returncode == 0, ended.stderr
        assert json.loads(ended.stdout)["stats"]["inserted"] == 5


def test_workbook_on_standard_input_is_recognised(tmp_path: Path) -> None:
    ended = run(tmp_path, SAMPLE_PATH.read_bytes(), "-", "--db", "o.db", "-q", "--report", "-", "--rejects-ok")
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout)["stats"]["success_count"] == 9_987


@pytest.mark.parametrize(
    ("data", "arguments", "said"),
    [
        (b"", ["-"], "- (standard input) is empty"),
        (TEXT, ["-", "-"], "- (standard input) is given more than once, and can be read once only"),
        (b"a,caf\xe9\n1,2\n", ["-"], "standard input: is not UTF-8, its encoding is unknown: name it with --encoding"),
    ],
)
def test_invalid_standard_input_is_refused_in_one_line(
    tmp_path: Path, data: bytes, arguments: list[str], said: str
) -> None:
    ended = run(tmp_path, data, *arguments, "--db", "o.db", "-q")
    assert ended.returncode == 2
    (line,) = ended.stderr.decode().splitlines()
    assert line.startswith(f"tui-importer: {said}")


def test_inspect_reads_standard_input(tmp_path: Path) -> None:
    ended = run(tmp_path, TEXT, "inspect", "-")
    assert ended.returncode == 0, ended.stderr
    assert b"2 columns" in ended.stdout or b"name" in ended.stdout
