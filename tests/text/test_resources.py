"""What an import took, in words."""

from __future__ import annotations

import msgspec

from tests.support.scenes import Scene
from tui_importer.core.model.report import Report, SetReport, reports_of_imports
from tui_importer.core.model.stage_seconds import StageSeconds
from tui_importer.text.resources import resource_lines, stages_of


def report(stages: StageSeconds | None, peak_memory: int | None = None) -> Report:
    found = Scene().begin().load().go(1).end("complete", 0, None).report
    assert found is not None
    return msgspec.structs.replace(found, stages=stages, peak_memory=peak_memory)


def test_time_and_memory_are_one_line_each() -> None:
    stages = StageSeconds(open=0.5, parse=1.4, server=8.0, ledger=0.001, other=0.099)
    assert resource_lines(report(stages, 151_200_000)) == [
        "time: open 0.50 s (5 %), parse 1.40 s (14 %), server 8.00 s (80 %), other 0.10 s (1 %)",
        "peak memory 151.2 MB",
    ]


def test_nothing_is_said_of_what_is_unknown() -> None:
    assert resource_lines(report(None)) == []
    assert resource_lines(report(StageSeconds())) == []


def test_stages_of_several_imports_are_added_up() -> None:
    one, other = report(StageSeconds(parse=1.0)), report(StageSeconds(parse=2.0, index=1.0))
    fields = {name: getattr(one, name) for name in Report.__struct_fields__} | {"stages": None}
    several = SetReport(**fields, imports=(one, other, report(None)))
    assert reports_of_imports(several)[0] is one
    assert stages_of(several) == StageSeconds(parse=3.0, index=1.0)
