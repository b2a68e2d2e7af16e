from __future__ import annotations

import msgspec
import pytest

from tui_importer.core.model.report import Outcome, ReasonGroup, Report, SetReport, SourceReport, Stats, TargetReport
from tui_importer.text.summary import MAX_GROUPS, summary_lines

REASONS = (
    ReasonGroup("Name", "value required but blank", 10, ("Sheet1!A217", "Sheet1!A1803", "Sheet1!A4410")),
    ReasonGroup(None, "refused\x1b[2J", 3, ("Sheet1!9:9", "'My Sheet'!7:7", "'My Sheet'!8:8")),
)


def report(outcome: Outcome = "complete_with_rejects", **changes: object) -> Report:
    counts = {"read": 10_000, "inserted": 9_987, "updated": 0, "skipped": 0, "rejected": 13, "blank": 0, "retries": 0}
    counts |= {"already_in": 0}
    counts |= {key: changes.pop(key) for key in list(changes) if key in counts}  # type: ignore[misc]
    made = Report(
        run_id="r1",
        outcome=outcome,
        exit_code=0,
        method="batched",
        workers=2,
        batch_size=2000,
        started_at="",
        finished_at="",
        source=SourceReport(file="/data/sample_data.xlsx", sheet="Sheet1"),
        target=TargetReport(backend="sqlite", database="sample_data.db", table="businesses", created=True),
        stats=Stats.count(**counts, seconds=0.41),
        rejects_total=counts["rejected"],
    )
    return msgspec.structs.replace(made, **changes)


def test_complete_summary() -> None:
    assert summary_lines(report(rejects_file="sample_data.rejects.xlsx", reject_groups=REASONS)) == [
        "sample_data.xlsx › Sheet1 → sample_data.db · businesses",
        "finished: 13 rows rejected, every other row is in",
        "read 10,000 = inserted 9,987 + rejected 13    in 0.41 s (24,390 rows/s)",
        "rejected:",
        "  10  Name: value required but blank  Sheet1!A217, A1803, A4410 …",
        r"   3  refused\x1b[2J                  Sheet1!9:9, 'My Sheet'!7:7, 8:8",
        "rejects are in sample_data.rejects.xlsx",
    ]


def test_summary_of_only_error_cell_rejects_names_the_option() -> None:
    errors = (ReasonGroup("a", "error cell #N/A", 2, ("S!A2",)), ReasonGroup("b", "error cell #REF!", 1, ("S!B3",)))
    hint = "all of these are error cells: --error-cells null or text takes the rows"
    assert hint in summary_lines(report(reject_groups=errors))
    assert hint not in summary_lines(report(reject_groups=(*errors, *REASONS)))


def test_summary_of_several_sources_lists_each_and_the_totals() -> None:
    unbegun = report("failed", read=0, inserted=0, rejected=0, source=SourceReport(file="b.xlsx", sheet=None))
    first = report("complete", inserted=10_000, rejected=0)
    several = SetReport(
        **msgspec.structs.asdict(report("failed", inserted=10_000, rejected=0)), imports=(first, unbegun)
    )
    assert summary_lines(several) == [
        *summary_lines(first),
        "2 sources: 1 complete; 1 failed",
        "read 10,000 = inserted 10,000    in 0.41 s (24,390 rows/s)",
    ]


def test_summary_for_a_non_unicode_stream_is_ascii() -> None:
    lines = summary_lines(report(reject_groups=REASONS), "ascii")
    assert lines[0] == "sample_data.xlsx > Sheet1 -> sample_data.db / businesses"
    assert "".join(lines).isascii()


@pytest.mark.parametrize(
    ("made", "sentence"),
    [
        (report("complete", inserted=10_000, rejected=0), "finished: every row is in"),
        (
            report("complete", inserted=0, skipped=10_000, already_in=10_000, rejected=0),
            "finished: nothing to write, every row was in already",
        ),
        (report(inserted=0, rejected=10_000), "finished: 10,000 rows rejected, no row is in"),
        (
            report("stopped", error="SIGINT"),
            "stopped before the end: SIGINT; the same command goes on from here",
        ),
        (report("failed", error="disk full"), "failed"),
        (
            report("stopped", error="disk\nfull"),
            r"stopped before the end: disk\nfull; the same command goes on from here",
        ),
    ],
)
def test_summary_states_the_outcome(made: Report, sentence: str) -> None:
    assert summary_lines(made)[1] == sentence


def test_blank_rows_and_retries_are_outside_the_equation() -> None:
    lines = summary_lines(report("complete", inserted=10_000, rejected=0, blank=5, retries=2))
    assert lines[2:] == [
        "read 10,000 = inserted 10,000    in 0.41 s (24,390 rows/s, 2 retries)",
        "5 blank rows passed over",
    ]


def test_reject_groups_are_listed_or_their_rows_counted() -> None:
    group = ReasonGroup("Name", "blank", 13, ("Sheet1!A5",))
    lines = summary_lines(report(reject_groups=(group,)))
    assert lines[3:] == ["rejected:", "  13  Name: blank  Sheet1!A5 …"]
    assert summary_lines(report())[3:] == ["rejected: 13 rows"]


def test_long_list_of_reasons_is_truncated_with_a_note() -> None:
    groups = tuple(ReasonGroup("A", f"reason {number}", 1, ("S!A1",)) for number in range(MAX_GROUPS + 2))
    assert summary_lines(report(reject_groups=groups))[-1] == "  and 2 other reasons"


@pytest.mark.parametrize("width", [200, 80, 60, 40, 30])
def test_reasons_are_truncated_to_the_terminal_width(width: int) -> None:
    groups = (
        ReasonGroup("Name", "value required but blank", 5, ("Sheet1!A43", "Sheet1!A1024", "Sheet1!A4096")),
        ReasonGroup("Address", "holds a NUL character (U+0000, position 12), which SQL text", 1, ("Sheet1!E2718",)),
    )
    lines = summary_lines(report(reject_groups=groups), width=width)
    [start] = [number for number, line in enumerate(lines) if line == "rejected:"]
    assert all(len(line) <= max(width, 36) for line in lines[start:])
    text = "\n".join(lines)
    assert "Sheet1!A43, A1024, A4096 …" in text
    assert "Sheet1!E2718" in text
    assert ("which SQL" in text) is (width == 200)
