"""A reject workbook that was mended is uploaded like any other file."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pytest

from tests.server.conftest import Served
from tui_importer import Plan, PlanError, Source, Target
from tui_importer.rejects.mended import plan_for_file

pytestmark = pytest.mark.once


def test_mended_rows_are_imported_once(serve: Callable[..., Served]) -> None:
    served = serve("--db", "target.db", "--table", "t")
    served.ended(served.begin(b"n,note\n1,a\n2,b\n"))
    run = served.ended(served.begin(b"n,note\n4,a\nx,b\ny,c\n"))
    assert (run["stats"]["inserted"], run["stats"]["error_count"]) == (1, 2)
    book = openpyxl.load_workbook(io.BytesIO(served.client.get(f"/runs/{run['id']}/rejects?format=xlsx").content))
    assert book.active is not None
    book.active["A2"] = 5
    mended = io.BytesIO()
    book.save(mended)
    run = served.ended(served.begin(mended.getvalue()))
    assert (run["stats"]["inserted"], run["stats"]["error_count"]) == (1, 1)
    run = served.ended(served.begin(mended.getvalue()))
    assert (run["stats"]["inserted"], run["stats"]["skipped"]) == (0, 1)


def test_rejects_of_another_run_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "mend.csv"
    file.write_text("n,Rejected row,Cell,Column,Reason,SQLSTATE,tui_importer row\n1,,,,,,20260101-000000-0000000:2\n")
    plan = Plan(source=Source(file=str(file)), target=Target(database="a.db", table="t"))
    with pytest.raises(PlanError, match="rejects of run 20260101-000000-0000000, which did not import into this"):
        plan_for_file(plan, file, tmp_path)
    file.write_text("n\n1\n")
    assert plan_for_file(plan, file, tmp_path) is plan
