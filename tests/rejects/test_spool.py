from __future__ import annotations

import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_importer.errors import ImporterError
from tui_importer.events import Fault, Reject
from tui_importer.rejects.spool import CHUNK_ROWS, RejectSpool

any_text = st.text(st.characters()) | st.just("half a pair: \ud800")
faults = st.builds(
    Fault,
    cell=any_text,
    column=st.none() | any_text,
    value=st.none() | any_text,
    reason=any_text,
    sqlstate=st.none() | any_text,
)
rejects = st.builds(
    Reject,
    sheet=any_text,
    row=st.integers(1, 1_048_576),
    faults=st.lists(faults, min_size=1, max_size=3).map(tuple),
    values=st.lists(st.none() | any_text, max_size=4).map(tuple),
)


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[RejectSpool]:
    with RejectSpool(tmp_path) as opened:
        yield opened


def reject(row: int, reason: str = "blank", column: str | None = "Name") -> Reject:
    fault = Fault(cell=f"Sheet1!A{row}", column=column, value=None, reason=reason)
    return Reject(sheet="Sheet1", row=row, faults=(fault,), values=("x",))


@given(st.lists(rejects, max_size=8))
def test_spooled_rejects_are_returned_in_row_order(some: list[Reject]) -> None:
    with RejectSpool() as spool:
        spool.add_many(some)
        assert list(spool) == sorted(some, key=lambda one: one.row)
        assert spool.count == len(some)
        assert sum(group.count for group in spool.by_reason()) == sum(len(one.faults) for one in some)


def test_paging_neither_loses_nor_duplicates_rows(spool: RejectSpool) -> None:
    rows = [row // 3 for row in range(3 * CHUNK_ROWS + 7, 3, -1)]  # every row several times, across the ends of pages
    spool.add_many(reject(row) for row in rows)
    assert [one.row for one in spool] == sorted(rows)
    assert [one.row for one in spool.first(4)] == sorted(rows)[:4]


def test_threads_may_add_concurrently(spool: RejectSpool) -> None:
    def add(first: int) -> None:
        for row in range(first, 800, 4):
            spool.add(reject(row))

    threads = [threading.Thread(target=add, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [one.row for one in spool] == list(range(800))
    assert spool.count == 800


def test_reasons_are_counted_with_their_first_cells(spool: RejectSpool) -> None:
    spool.add_many(reject(row) for row in (9, 4, 7, 2))
    spool.add(reject(3, "too long", None))
    most, least = spool.by_reason()
    assert (most.column, most.reason, most.count) == ("Name", "blank", 4)
    assert most.cells == ("Sheet1!A2", "Sheet1!A4", "Sheet1!A7")
    assert (least.column, least.reason, least.count, least.cells) == (None, "too long", 1, ("Sheet1!A3",))


def test_spool_is_private_and_removed_when_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    modes: list[int] = []
    cleanup = tempfile.TemporaryDirectory.cleanup

    def look(folder: tempfile.TemporaryDirectory[str]) -> None:
        place = Path(folder.name)
        modes.extend(stat.S_IMODE(path.stat().st_mode) for path in (place, *place.iterdir()))
        cleanup(folder)

    with monkeypatch.context() as patch:
        patch.setattr(tempfile.TemporaryDirectory, "cleanup", look)
        spool = RejectSpool(tmp_path)
    assert modes == [0o700, 0o600]
    assert list(tmp_path.iterdir()) == []
    spool.add(reject(1))
    assert spool.first(2) == [reject(1)]
    spool.close()
    spool.close()


def test_closed_spool_refuses_rejects(tmp_path: Path) -> None:
    spool = RejectSpool(tmp_path)
    spool.close()
    with pytest.raises(ImporterError, match="cannot keep rejected rows"):
        spool.add(reject(1))


def test_missing_folder_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(ImporterError, match="set TMPDIR"):
        RejectSpool(tmp_path / "missing")


FULL_DISK = """
import resource, sys
from pathlib import Path
from tui_importer.errors import ImporterError
from tui_importer.events import Fault, Reject
from tui_importer.rejects.spool import RejectSpool

spool = RejectSpool(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
fault = Fault(cell="S!A1", column=None, value=None, reason="r")
added = 0
try:
    for row in range(1, 10_000):
        spool.add(Reject(sheet="S", row=row, faults=(fault,), values=("x" * 1000,)))
        added += 1
except ImporterError as error:
    assert "free some space" in str(error), error
    assert spool.count == added > 100
    assert [reject.row for reject in spool] == list(range(1, added + 1))
    spool.close()
    print("refused")
"""


def test_full_disk_is_reported_and_stored_rejects_stay_intact(tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path)], capture_output=True, text=True, timeout=60, check=False
    )
    assert (result.stdout, result.stderr) == ("refused\n", "")
    assert list(tmp_path.iterdir()) == []
