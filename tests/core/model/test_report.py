from __future__ import annotations

import json
import math

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tui_importer.core.model.report import (
    Report,
    ReportedColumn,
    SourceReport,
    Stats,
    TargetReport,
    from_json,
    reconcile,
    reported,
    to_json,
)
from tui_importer.errors import ReconciliationError
from tui_importer.events import Fault, Reject


def fault(cell: str = "Sheet1!A217", column: str | None = "Name", reason: str = "blank") -> Fault:
    return Fault(cell=cell, column=column, value=None, reason=reason, sqlstate="23502")


def stats(read: int = 10_000, inserted: int = 9_987, rejected: int = 13, seconds: float = 0.41) -> Stats:
    return Stats.count(
        read=read, inserted=inserted, updated=0, skipped=0, rejected=rejected, blank=2, retries=1, seconds=seconds
    )


def report(**changes: object) -> Report:
    base = Report(
        run_id="r1",
        outcome="complete_with_rejects",
        exit_code=3,
        method="batched",
        workers=2,
        batch_size=2000,
        started_at="2026-01-02T03:04:05Z",
        finished_at="2026-01-02T03:04:06Z",
        source=SourceReport(file="sample_data.xlsx", sheet="Sheet1", header_row=1),
        target=TargetReport(backend="sqlite", database="sample_data.db", table="businesses", created=True),
        stats=stats(),
        columns=(ReportedColumn(source="Name", letter="A", target="name", type="text"),),
    )
    return msgspec.structs.replace(base, **changes)


def test_stats_of_the_sample_file() -> None:
    counts = stats()
    assert (counts.total_records, counts.success_count, counts.error_count) == (10_000, 9_987, 13)
    assert counts.duration == "0.41s"
    assert counts.records_per_second == pytest.approx(24_390.2)


@pytest.mark.parametrize("seconds", [0.0, -1.0, math.nan, math.inf])
def test_invalid_duration_gives_zero_duration_and_rate(seconds: float) -> None:
    counts = stats(seconds=seconds)
    assert (counts.duration_seconds, counts.records_per_second) == (0.0, 0.0)
    text = to_json(report(stats=counts)).decode()
    assert "null" not in text.partition('"stats"')[2].partition("}")[0]


@pytest.mark.parametrize(
    "counts", [(10, 9, 0, 0, 0), (10, 9, 1, 1, 0), (1, 2, 0, 0, -1)], ids=["lost", "doubled", "negative"]
)
def test_inconsistent_counts_raise_an_error_with_the_numbers(counts: tuple[int, int, int, int, int]) -> None:
    with pytest.raises(ReconciliationError, match=f"read {counts[0]}, but inserted {counts[1]} "):
        reconcile(*counts)


@given(st.lists(st.integers(0, 10**6), min_size=4, max_size=4))
def test_only_consistent_counts_reconcile(terms: list[int]) -> None:
    reconcile(sum(terms), *terms)
    with pytest.raises(ReconciliationError):
        reconcile(sum(terms) + 1, *terms)


def test_inconsistent_stats_fail_reconciliation_with_their_numbers() -> None:
    stats().reconcile()
    wrong = stats(read=10_001)
    assert (wrong.total_records, wrong.success_count, wrong.error_count) == (10_001, 9_987, 13)
    with pytest.raises(ReconciliationError):
        wrong.reconcile()


def test_rejected_row_with_several_faults_is_one_entry() -> None:
    one = Reject(sheet="Sheet1", row=217, faults=(fault(),), values=("",))
    two = Reject(sheet="Sheet1", row=218, faults=(fault("Sheet1!A218"), fault("Sheet1!D218", "Email")), values=("",))
    entries = json.loads(to_json(report(rejects=(reported(one), reported(two)), rejects_total=2)))["rejects"]
    assert entries[0] == {
        "sheet": "Sheet1",
        "row": 217,
        "cell": "Sheet1!A217",
        "column": "Name",
        "value": None,
        "reason": "blank",
        "sqlstate": "23502",
    }
    assert len(entries) == 2
    assert [more["cell"] for more in entries[1]["more"]] == ["Sheet1!D218"]


def test_reject_without_a_reason_is_refused() -> None:
    with pytest.raises(ValueError, match="row 217"):
        reported(Reject(sheet="Sheet1", row=217, faults=(), values=()))


def test_report_keys_are_stable() -> None:
    found = json.loads(to_json(report()))
    assert found["schema_version"] == 1
    assert set(found["stats"]) == {
        "total_records",
        "success_count",
        "error_count",
        "inserted",
        "updated",
        "skipped",
        "blank_rows",
        "retries",
        "duration",
        "duration_seconds",
        "records_per_second",
    }
    assert found["rejects_file"] is None
    assert found["error"] is None


@given(st.text(st.characters()))
@example("half a pair: \ud800")
def test_any_text_round_trips_through_the_json_report(text: str) -> None:
    entry = reported(Reject(sheet=text, row=2, faults=(fault(text, text, text),), values=()))
    written = report(notes=(text,), error=text, rejects=(entry,), rejects_total=1)
    assert from_json(to_json(written)) == written


@pytest.mark.parametrize("data", [b"", b"[]", b'{"schema_version": 1}', b"\xff"])
def test_invalid_report_raises_value_error(data: bytes) -> None:
    with pytest.raises(ValueError):
        from_json(data)


def test_reject_names_its_source_unless_it_is_the_first() -> None:
    fault = Fault(cell="S!A2", column=None, value=None, reason="blank")
    one = Reject(sheet="S", row=2, faults=(fault,), values=())
    assert msgspec.to_builtins(reported(one, 2))["source"] == 2
    assert "source" not in msgspec.to_builtins(reported(one))
