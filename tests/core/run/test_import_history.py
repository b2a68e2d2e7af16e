"""What a run makes of what the ledger knows of earlier ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from tui_importer.core.conversion.convert import Conversion
from tui_importer.core.conversion.mapping import ColumnMapping, MappedColumn
from tui_importer.core.model.plan import ColumnPlan, Options, Plan, Source, Target
from tui_importer.core.model.table import Table, TableColumn
from tui_importer.core.model.types import INTEGER
from tui_importer.core.planning.resolution import ResolvedPlan
from tui_importer.core.run.identity import identify
from tui_importer.core.run.import_history import ImportHistory, RunInfo
from tui_importer.core.source.layout import Layout
from tui_importer.core.writing.ledger import Claim, Counts, NewRun, PastRun, ResumePoint, RunState
from tui_importer.errors import PlanError, VerificationError

LAYOUT = Layout(1, 2, None, 0, ("n",))
COLUMNS = (ColumnPlan(source="n", letter="A", target="n", type="integer"),)
TABLE = Table("t", (TableColumn("n", INTEGER),))


class Sheet:
    """The part of a source that an import history reads."""

    name, layout = "S", LAYOUT


class LedgerInMemory:
    """A ledger and a catalog in memory, whose table holds so many rows."""

    def __init__(self, rows: int, inserted: int) -> None:
        self.rows, self.inserted = rows, inserted
        self.began: list[NewRun] = []
        self.finished: list[RunState] = []

    def counts(self, import_id: str, generation: int) -> Counts:
        return Counts(inserted=self.inserted)

    def holds_rows(self, table: Table) -> bool:
        return self.rows > 0

    def count(self, table: Table) -> int:
        return self.rows

    def begin(self, run: NewRun) -> ResumePoint:
        self.began.append(run)
        return ResumePoint(Claim(run.import_id, run.generation, run.run_id))

    def rejects(self, claim: Claim) -> list[Any]:
        return []

    def finish(self, claim: Claim, state: RunState, counts: Counts, blank_rows: int, error: str | None) -> None:
        self.finished.append(state)


def plan(**options: Any) -> Plan:
    return Plan(source=Source(file="x.csv"), target=Target(table="t"), options=Options(**options))


def resolution(asked: Plan, *, create: bool = False) -> ResolvedPlan:
    mapping = ColumnMapping("S", 0, ("n",), (MappedColumn("n", 0, "n", Conversion(INTEGER)),), TABLE)
    return ResolvedPlan(msgspec.structs.replace(asked, columns=COLUMNS), mapping, create)


def past(asked: Plan, state: RunState = RunState.COMPLETE, sha256: str = "0", **fields: Any) -> PastRun:
    found = identify(asked, sha256=sha256, sheet="S", layout=LAYOUT, columns=COLUMNS, table="t")
    known: dict[str, Any] = {
        "run_id": "earlier",
        "import_id": found.import_id,
        "generation": 1,
        "file": found.file,
        "sha256": sha256,
        "sheet": "S",
        "extent": found.extent,
        "request": found.request,
        "mapping": found.mapping,
        "columns": COLUMNS,
        "table": "t",
        "row_limit": None,
        "atomic": False,
        "created_table": False,
        "strategy": "batched",
        "command": None,
        "state": state,
        "host": "",
        "process": "",
        "started_at": "",
        "finished_at": None,
        "counts": Counts(),
    }
    return PastRun(**{**known, **fields})


def import_history(
    asked: Plan, history: Sequence[PastRun], rows: int = 9, inserted: int = 9
) -> tuple[ImportHistory, LedgerInMemory]:
    kept: Any = LedgerInMemory(rows, inserted)
    sheet: Any = Sheet()
    return ImportHistory(kept, kept, history, RunInfo("now", "batched", None), asked, sheet, "0", "t"), kept


def test_completed_import_is_repeated_only_on_request() -> None:
    asked = plan()
    kept, _ = import_history(asked, [past(asked)])
    done = kept.done(resolution(asked), TABLE)
    assert done is not None
    assert done.run_id == "earlier"
    again, ledger = import_history(plan(again=True), [past(asked)])
    assert again.done(resolution(asked), TABLE) is None
    again.begin(resolution(asked))
    assert (ledger.began[0].generation, again.resumes) == (2, None)


def test_stopped_import_is_resumed() -> None:
    asked = plan()
    goes_on, ledger = import_history(asked, [past(asked, RunState.STOPPED, created_table=True)])
    assert goes_on.done(resolution(asked), TABLE) is None
    goes_on.begin(resolution(asked))
    assert goes_on.resumes is not None
    assert goes_on.resumes.run_id == "earlier"
    assert (ledger.began[0].generation, goes_on.made_table) == (1, True)


@pytest.mark.parametrize("existing", [TABLE, None])
def test_import_into_an_emptied_or_dropped_table_starts_over(existing: Table | None) -> None:
    asked = plan()
    anew, ledger = import_history(asked, [past(asked)], rows=0)
    assert anew.done(resolution(asked), existing) is None
    assert anew.notes == ["table 't' has been emptied since run earlier: starting over"]
    anew.begin(resolution(asked))
    assert ledger.began[0].generation == 2


def test_higher_row_limit_resumes_and_lower_limit_is_already_done() -> None:
    asked = plan()
    limited = past(asked, row_limit=5)
    for limit, is_done in ((3, True), (5, True), (6, False), (None, False)):
        wanted = msgspec.structs.replace(asked, source=Source(file="x.csv", limit=limit))
        found, _ = import_history(wanted, [limited])
        assert (found.done(resolution(wanted), TABLE) is not None) is is_done


def test_resuming_with_a_different_atomic_option_is_refused() -> None:
    asked = plan(atomic=True)
    found, _ = import_history(asked, [past(asked, RunState.STOPPED)])
    with pytest.raises(PlanError, match="began this import without --atomic: resume it without --atomic"):
        found.done(resolution(asked), TABLE)


def test_changed_file_is_a_new_import_with_a_note() -> None:
    asked = plan()
    found, _ = import_history(asked, [past(asked, sha256="1", counts=Counts(5))])
    assert found.done(resolution(asked), TABLE) is None
    [note] = found.notes
    assert note.startswith("the file has changed since run earlier: this is another import")
    assert note.endswith(", and rows of it that are in already will be there twice (--key COLUMN skips them)")


@pytest.mark.parametrize(
    ("target", "inserted"),
    [(Target(table="t", key=("n",)), 5), (Target(table="t", mode="truncate"), 5), (Target(table="t"), 0)],
)
def test_note_on_changed_file_omits_duplicates_that_cannot_occur(target: Target, inserted: int) -> None:
    asked = msgspec.structs.replace(plan(), target=target)
    found, _ = import_history(asked, [past(asked, sha256="1", counts=Counts(inserted))])
    assert found.done(resolution(asked), TABLE) is None
    assert found.notes == ["the file has changed since run earlier: this is another import"]


def test_columns_of_the_earlier_run_are_reused_while_the_table_exists() -> None:
    asked = plan()
    found, _ = import_history(asked, [past(asked, RunState.STOPPED, created_table=True)])
    assert found.plan(TABLE).columns == COLUMNS
    assert found.plan(TABLE).target.mode == "append"
    assert found.plan(None) == asked


def test_rows_missing_from_a_table_created_by_the_import_are_an_error() -> None:
    asked = plan()
    for rows, fine in ((9, True), (10, True), (8, False)):
        found, _ = import_history(asked, [], rows=rows)
        found.begin(resolution(asked, create=True))
        if fine:
            found.check_count(TABLE)
        else:
            with pytest.raises(VerificationError, match="holds 8 rows, though 9 were written"):
                found.check_count(TABLE)
    others, _ = import_history(asked, [past(asked, sha256="1")], rows=8)
    others.begin(resolution(asked, create=True))
    others.check_count(TABLE)  # somebody else has written into it too


def test_only_a_started_run_is_recorded_as_finished() -> None:
    asked = plan()
    found, ledger = import_history(asked, [])
    found.finish(RunState.FAILED, Counts(), 0, "no")
    assert (ledger.finished, list(found.rejects())) == ([], [])
    found.begin(resolution(asked))
    found.finish(RunState.COMPLETE, Counts(), 0, None)
    assert ledger.finished == [RunState.COMPLETE]


def test_resumed_import_started_without_verify_cannot_be_verified() -> None:
    asked = plan(verify=True)
    found, _ = import_history(asked, [past(asked, RunState.STOPPED)])
    assert found.done(resolution(asked), TABLE) is None
    found.begin(resolution(asked))
    found.take_before(resolution(asked).mapping, empty=False)
    with pytest.raises(VerificationError, match="was not told to --verify"):
        found.verify(resolution(asked).mapping)
