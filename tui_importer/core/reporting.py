"""What a report says of a run's source and columns, as far as these came to be known."""

from __future__ import annotations

from tui_importer.core.plan import Plan
from tui_importer.core.planning import Resolution
from tui_importer.core.report import ReportedColumn, SourceReport
from tui_importer.core.source import OpenSource


def reported_source(
    plan: Plan, reader: str, source: OpenSource | None, rows: int | None, sha256: str | None
) -> SourceReport:
    """The source; ``rows`` are those read, where all were. ``source`` is None where the file was never open."""
    layout = source.layout if source else None
    return SourceReport(
        file=plan.source.file,
        sheet=source.name if source else None,
        reader=reader,
        range=plan.source.range,
        header_row=layout.header_row if layout else None,
        first_row=layout.first_row if layout else None,
        last_row=source.last_row if source else None,
        rows=rows,
        sha256=sha256,
    )


def reported_columns(resolution: Resolution | None) -> tuple[ReportedColumn, ...]:
    """The columns' ways, once they are settled."""
    columns = resolution.plan.columns or () if resolution else ()
    return tuple(
        ReportedColumn(source=column.source, letter=column.letter, target=column.target, type=column.type)
        for column in columns
    )
