"""Imports of numbered rows, as often and in as many ways as a test likes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tui_importer import Options, Plan, Report, Run, Source, Target
from tui_importer.events import AnyEvent
from tui_importer.plugins.registry import Registry

OnEvent = Callable[[Run, AnyEvent], None]


class Importer:
    """Imports ``rows.csv`` into table ``t``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "rows.csv"
        self.events: list[AnyEvent] = []

    def write(self, rows: Sequence[Sequence[object]], header: str = "n,note") -> None:
        """The file's content."""
        lines = [header, *(",".join(map(str, row)) for row in rows)]
        self.file.write_text("\n".join(lines) + "\n")

    def run(
        self,
        url: str,
        *,
        on_event: OnEvent = lambda run, event: None,
        registry: Registry | None = None,
        limit: int | None = None,
        table: str | None = "t",
        mode: Any = "append",
        key: Sequence[str] = (),
        on_conflict: Any = None,
        update: Sequence[str] = (),
        **options: Any,
    ) -> Report:
        """Import it; the report adds up."""
        self.events = []

        def listener(event: AnyEvent) -> None:
            self.events.append(event)
            on_event(run, event)

        plan = Plan(
            source=Source(file=str(self.file), limit=limit),
            target=Target(database=url, table=table, mode=mode, key=key, on_conflict=on_conflict, update=update),
            options=Options(**options),
        )
        rejects = self.folder / "r.xlsx"
        rejects.unlink(missing_ok=True)
        run = Run(plan, listener=listener, registry=registry, rejects_file=rejects)
        report = run.execute()
        stats = report.stats
        assert stats.total_records == stats.inserted + stats.updated + stats.skipped + stats.error_count
        return report

    def heard(self, kind: type) -> list[Any]:
        """The events of a kind in the last run."""
        return [event for event in self.events if isinstance(event, kind)]


@pytest.fixture
def importer(tmp_path: Path) -> Importer:
    """300 numbered rows."""
    importer = Importer(tmp_path)
    importer.write([(number, f"note {number}") for number in range(300)])
    return importer
