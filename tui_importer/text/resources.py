"""What an import took: where its time went, and its memory."""

from __future__ import annotations

from tui_importer.core.model.report import Report, reports_of_imports
from tui_importer.core.model.stage_seconds import StageSeconds
from tui_importer.text.numbers import format_duration, size
from tui_importer.text.sentences import DRY_RUN

#: Stages of less than this share of the time are not worth a word.
_LEAST_SHARE = 0.005


def stages_of(report: Report) -> StageSeconds | None:
    """The stages of a run: of several imports, their sum. None if none was begun."""
    found = [each.stages for each in reports_of_imports(report) if each.stages is not None]
    return StageSeconds.total(found) if found else None


def shown_stages(stages: StageSeconds) -> list[tuple[str, float, float]]:
    """The stages that are worth a word, each with its seconds and its share of all."""
    total = sum(seconds for _, seconds in stages.items())
    shares = [(name, seconds, seconds / total if total else 0.0) for name, seconds in stages.items()]
    return [each for each in shares if each[2] >= _LEAST_SHARE]


def resource_lines(report: Report) -> list[str]:
    """Where the time went, and the peak memory: ``time: open 0.12 s (10 %), parse 0.40 s (33 %), ...``."""
    found, stages = list[str](), stages_of(report)
    if stages is not None and (line := time_line(stages)):
        found.append(line)
    if report.peak_memory is not None:
        found.append(memory(report.peak_memory))
    before = DRY_RUN if report.dry_run else ""
    return [before + line for line in found]


def time_line(stages: StageSeconds) -> str:
    """Format ``time: open 0.12 s (10 %), parse 0.40 s (33 %)``; empty if no time is known."""
    shown = shown_stages(stages)
    parts = (f"{name} {format_duration(seconds)} ({100 * share:.0f} %)" for name, seconds, share in shown)
    return f"time: {', '.join(parts)}" if shown else ""


def memory(peak: int) -> str:
    """Format ``peak memory 151.2 MB``."""
    return f"peak memory {size(peak)}"
