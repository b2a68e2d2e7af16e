"""The process that :mod:`tui_importer.process.start` starts: it carries out one request."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

from tui_importer.core.model.json_text import decode_json, encode_json
from tui_importer.core.model.preview import Preview
from tui_importer.core.scheduling.executor import ImportSpec
from tui_importer.errors import ExitCode, ImporterError
from tui_importer.process.library_warnings import keep_libraries_quiet
from tui_importer.process.messages import (
    ImportRequest,
    Inspected,
    InspectRequest,
    LookAtTargetRequest,
    Message,
    PartRequest,
    Previewed,
    Refused,
    Request,
    RunBegun,
    TargetSeen,
)


def main() -> NoReturn:
    """Carry out the request on standard input, and exit with its exit code."""
    keep_libraries_quiet()
    code = ExitCode.OK
    try:
        request: Request = decode_json(sys.stdin.buffer.readline(), Request)
        match request:
            case ImportRequest():
                code = _import(request)
            case PartRequest(spec=spec):
                _carry_out_parts(spec)
            case InspectRequest():
                _inspect(request)
            case LookAtTargetRequest():
                _look_at_target(request)
    except ImporterError as error:
        # For the process that asked; a run that has begun records its own errors.
        _send(Refused(error=str(error), exit_code=int(error.exit_code)))
    # No cleanup: freeing a large workbook cell by cell takes long.
    os._exit(int(code))


def _send(answer: Message) -> None:
    try:
        sys.stdout.buffer.write(encode_json(answer) + b"\n")
        sys.stdout.buffer.flush()
    except OSError:
        return  # the process that asked has gone; a run continues


def _import(request: ImportRequest) -> ExitCode:
    from tui_importer.core.model.plan import checked
    from tui_importer.plugins.choice import imports_of
    from tui_importer.plugins.registry import load_registry
    from tui_importer.process.interpreter import prepare_to_import
    from tui_importer.process.prefetch import open_early

    prepare_to_import()
    registry = load_registry()
    plans = imports_of(map(checked, request.plans), registry)
    opening = open_early(plans[0], registry)
    from tui_importer.api import Run
    from tui_importer.process.reports import write_report
    from tui_importer.process.signals import signals_stop
    from tui_importer.recording.recordings import recordings_folder

    run = Run(
        plans,
        rejects_file=request.rejects_file,
        registry=registry,
        opening=opening,
        command=request.command,
        recordings=recordings_folder(),
        tables_chosen=True,  # by whoever asked
    )
    if run.recording_trouble is not None:
        raise ImporterError(f"the run cannot be shown, because it cannot be recorded: {run.recording_trouble}; --no-ui")
    with signals_stop(run):
        _send(RunBegun(run_id=run.run_id))
        _detach_from_terminal()
        report = run.execute()
    if request.report_file is not None:
        write_report(request.report_file, report)
    return ExitCode(report.exit_code)


def _carry_out_parts(first: ImportSpec) -> None:
    from tui_importer.process.interpreter import prepare_to_import

    prepare_to_import()
    from tui_importer.process.part import carry_out_parts

    carry_out_parts(first, sys.stdin.buffer, _send)


def _detach_from_terminal() -> None:
    """Redirect the standard streams to the null device, so that the parent process may exit."""
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)
    os.close(null)


def _inspect(request: InspectRequest) -> None:
    from tui_importer.inspection import inspect_source
    from tui_importer.readers.peek import peek

    raw = peek(request.plan.source)
    if raw is not None:
        _send(_previewed(raw, raw=True))

    inspection = inspect_source(request.plan, on_preview=lambda preview: _send(_previewed(preview)))
    _send(
        Inspected(
            plan=inspection.plan,
            reader=inspection.reader,
            rows=inspection.rows,
            evidence=inspection.evidence,
            notes=inspection.notes,
            layout=inspection.layout,
        )
    )


def _previewed(preview: Preview, *, raw: bool = False) -> Previewed:
    return Previewed(
        sheets=preview.sheets,
        sheet=preview.sheet,
        first_row=preview.first_row,
        first_column=preview.first_column,
        rows=preview.rows,
        raw=raw,
    )


def _look_at_target(request: LookAtTargetRequest) -> None:
    from tui_importer.inspection import look_at_target

    seen = look_at_target(request.plan, layout=request.layout)
    _send(
        TargetSeen(
            database=seen.database,
            table=seen.table,
            exists=seen.exists,
            rows=seen.rows,
            obstacle=seen.obstacle,
            doubles=seen.doubles,
        )
    )


if __name__ == "__main__":
    main()
