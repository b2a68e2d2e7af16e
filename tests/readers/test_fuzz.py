"""Broken files are imported or refused: no traceback, no hang, no abort and no value that the file does not have.

``python -m tests.support.fuzz`` does the same for as long as one likes.
"""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing
from itertools import count
from pathlib import Path
from random import Random

import pytest

from tests.support import fuzz as fuzzer
from tests.support.fuzz_seeds import seeds

pytestmark = pytest.mark.once

#: Seconds that the fuzzer runs, shared by two tests that may run side by side.
SECONDS = float(os.environ.get("TUI_IMPORTER_FUZZ_SECONDS", "20"))


@pytest.mark.parametrize("first", [0, 1_000_000])
def test_broken_files_are_imported_or_refused(first: int, tmp_path: Path) -> None:
    ends = time.monotonic() + SECONDS / 2
    findings = []
    for finding in fuzzer.fuzz(seeds(), tmp_path, count(first)):
        findings += [finding] if finding is not None else []
        if time.monotonic() > ends:
            break
    assert not findings, "\n".join(map(str, findings))


@pytest.mark.parametrize("number", range(len(seeds())))
def test_valid_files_are_imported(number: int, tmp_path: Path) -> None:
    seed = seeds()[number]
    (finding,) = fuzzer.fuzz([fuzzer.Seed(seed.suffix, seed.data, _unchanged)], tmp_path, iter([0]))
    assert finding is None, finding


def test_fuzzer_detects_values_that_are_not_in_the_file(tmp_path: Path) -> None:
    finding = fuzzer.altered_value(b"a,b\n1,x\n", _table(tmp_path, "INTEGER", 2), numbers=True)
    assert finding == "the number 2 is in the table, and not in the file"
    finding = fuzzer.altered_value(b"a,b\n1,x\n", _table(tmp_path, "TEXT", "y"), numbers=True)
    assert finding == "'y' is in the table, and not in the file"
    assert fuzzer.altered_value(b"a,b\n1,x\n", _table(tmp_path, "TEXT", "x"), numbers=True) is None
    rich = b"<si><r><t>plain </t></r><r>=b/><t>bold</t></r></si>"
    assert fuzzer.altered_value(rich, _table(tmp_path, "TEXT", "plain bold"), numbers=True) is None


def _unchanged(data: bytes, random: Random) -> bytes:
    return data


def _table(folder: Path, kind: str, value: object) -> Path:
    path = folder / "t.db"
    path.unlink(missing_ok=True)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(f"CREATE TABLE t (a {kind})")
        connection.execute("INSERT INTO t VALUES (?)", (value,))
    return path
