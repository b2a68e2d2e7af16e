"""The summary of a run: source and target, the counts, and the reasons of rejects."""

from __future__ import annotations

from collections import Counter
from pathlib import Path, PurePath

from tui_importer.core.conversion.parsing import ERROR_CELL
from tui_importer.core.model.report import ReasonGroup, Report, SetReport
from tui_importer.text.numbers import format_duration, format_rate, plural
from tui_importer.text.safe import encodable, shortened, visible
from tui_importer.text.sentences import DRY_RUN, OUTCOMES, ended, equation, verified

#: Maximum number of reject groups shown; the reject file has every row.
MAX_GROUPS = 10
#: Maximum characters of a reason, so that most lines fit a terminal.
_MAX_REASON = 60
#: Minimum width at which a reason is still useful.
_MIN_REASON = 24
#: Maximum width of the column of reasons; longer reasons push their cells to the right.
_REASON_WIDTH = 48


def summary_lines(report: Report, encoding: str = "utf-8", width: int | None = None) -> list[str]:
    """Return the lines of the summary. Characters that ``encoding`` lacks are replaced. If ``width`` is given, reasons
    are cut to fit a terminal's line.

    For several sources, the lines are those of each import and of all together.
    """
    if isinstance(report, SetReport):
        # Of an import that was not begun there is only an error, which is printed elsewhere.
        begun = [each for each in report.imports if each.source.sheet is not None]
        lines = [line for each in begun for line in summary_lines(each, encoding, width)]
        return [*lines, *(encodable(line, encoding) for line in _totals(report))]
    before = DRY_RUN if report.dry_run else ""
    lines = [route(report), outcome(report), _counts(report)]
    if report.verified is not None:
        lines.append(verified(report.verified))
    if report.stats.blank_rows:
        lines.append(f"{plural(report.stats.blank_rows, 'blank row')} passed over")
    if report.rejects_total and report.outcome != "already_imported":
        lines += _reasons(report, None if width is None else width - len(before))
        if report.reject_groups and all(group.reason.startswith(ERROR_CELL) for group in report.reject_groups):
            lines.append("all of these are error cells: --error-cells null or text takes the rows")
        if report.dry_run:
            lines.append(f"no reject workbook is written; to have it: tui-importer rejects {visible(report.run_id)}")
    if report.rejects_file is not None:
        lines.append(f"rejects are in {visible(_short(report.rejects_file))}")
    return [encodable(before + line, encoding) for line in lines]


def _totals(report: SetReport) -> list[str]:
    """Say how many of the imports ended how, and count their rows."""
    outcomes = Counter(each.outcome for each in report.imports)
    ends = "; ".join(f"{count} {OUTCOMES[outcome]}" for outcome, count in outcomes.items())
    before = DRY_RUN if report.dry_run else ""
    return [f"{before}{len(report.imports)} sources: {ends}", before + _counts(report)]


def _short(path: str) -> str:
    """Return the path relative to the current folder, if it is inside."""
    here = Path.cwd()
    return str(PurePath(path).relative_to(here)) if PurePath(path).is_relative_to(here) else path


def route(report: Report) -> str:
    """Format source and target: ``sample.xlsx › Sheet1 → sample.db · businesses``."""
    source = visible(PurePath(report.source.file).name or report.source.file)
    sheet = f" › {visible(report.source.sheet)}" if report.source.sheet else ""
    return f"{source}{sheet} → {visible(report.target.database)} · {visible(report.target.table)}"


def outcome(report: Report) -> str:
    """Say how the run ended, in a sentence."""
    return ended(
        report.outcome,
        report.stats,
        dry_run=report.dry_run,
        header=report.source.header_row != 0,
        earlier_run=report.resumes,
        why=report.error,
    )


def _counts(report: Report) -> str:
    stats = report.stats
    numbers = (stats.total_records, stats.inserted, stats.updated, stats.skipped, stats.error_count)
    counts = equation(*numbers, dry_run=report.dry_run)
    retries = f", {plural(stats.retries, 'retry')}" if stats.retries else ""
    if not stats.records_per_second:
        return f"{counts}    in {format_duration(stats.duration_seconds)}"
    return (
        f"{counts}    in {format_duration(stats.duration_seconds)} ({format_rate(stats.records_per_second)}{retries})"
    )


def _reasons(report: Report, width: int | None) -> list[str]:
    groups = report.reject_groups
    shown = groups[:MAX_GROUPS]
    rejected = "would be rejected" if report.dry_run else "rejected"
    if not shown:
        return [f"{rejected}: {plural(report.rejects_total, 'row')}"]
    texts, cells = [_reason(group) for group in shown], [_cells(group) for group in shown]
    count_width = max(len(f"{group.count:,}") for group in shown)
    reason_width = min(max(map(len, texts)), _REASON_WIDTH)
    between = "  "
    if width is not None:
        room = width - len("    ") - count_width - len(between) - max(map(len, cells))
        if room >= _MIN_REASON:
            reason_width = min(max(map(len, texts)), room)
        else:  # a narrow terminal: cells below their reason
            between = "\n" + " " * (count_width + len("    "))
            reason_width = max(_MIN_REASON, width - len("    ") - count_width)
        texts = [text if len(text) <= reason_width else text[: reason_width - 1].rstrip() + "…" for text in texts]
    lines = [f"{rejected}:"]
    for group, text, found in zip(shown, texts, cells, strict=True):
        padded = text if "\n" in between else f"{text:<{reason_width}}"
        lines += f"  {group.count:>{count_width},}  {padded}{between}{found}".split("\n")
    if len(groups) > len(shown):
        lines.append(f"  and {plural(len(groups) - len(shown), 'other reason')}")
    return lines


def _reason(group: ReasonGroup) -> str:
    column = f"{shortened(group.column, _MAX_REASON)}: " if group.column else ""
    return column + shortened(group.reason, _MAX_REASON)


def _cells(group: ReasonGroup) -> str:
    """Format ``Sheet1!A217, A1803 …``: the sheet is named once."""
    last_sheet = ""
    cells = []
    for cell in group.cells:
        sheet, mark, address = cell.rpartition("!")
        cells.append(visible(address if mark and sheet == last_sheet else cell))
        last_sheet = sheet
    return ", ".join(cells) + (" …" if group.count > len(group.cells) else "")
