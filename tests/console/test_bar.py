from __future__ import annotations

import io
import re
import sys
from typing import TextIO

import pytest
from rich.console import Console

from tests.support.snapshots import snapshot_of
from tui_importer.console.bar import BarProgress
from tui_importer.core.model.counters import Snapshot
from tui_importer.events import Noticed, SourceOpened

DAY = 86_400.0
HALF = snapshot_of(10, read=600, inserted=487, rejected=13, source_rows=1000)


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def bar(out: TextIO, width: int = 100) -> BarProgress:
    def console(stream: TextIO) -> Console:
        return Console(file=stream, force_terminal=True, width=width, color_system=None, _environ={"TERM": "xterm"})

    return BarProgress(out, period=DAY, console=console)


def shown(out: io.StringIO) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r", "", out.getvalue())


@pytest.mark.parametrize(
    ("width", "words"),
    [
        (100, "50 %  500/1,000  50 rows/s  13 rejected  00:10 left"),
        (79, "50 %  500/1,000  50 rows/s  13 rejected  00:10 left"),
        (40, "50 %  13 rejected"),
    ],
)
def test_progress_line_fits_the_terminal(width: int, words: str) -> None:
    out = Terminal()
    progress = bar(out, width)
    progress.start(lambda: Snapshot(at=0))
    progress.on_event(SourceOpened(sheet="Sheet1", header_row=1, columns=9, rows=1000, seconds=0.4))
    progress.sample(HALF)
    progress.stop()
    assert words in shown(out)
    assert ("━" in shown(out)) is (width >= 80)
    assert "reading, size unknown" in shown(out)
    assert "opened Sheet1" in shown(out)
    assert "…" not in shown(out)


def test_cursor_is_restored_and_streams_are_not_replaced() -> None:
    out = Terminal()
    streams = sys.stdout, sys.stderr
    progress = bar(out)
    progress.start(lambda: HALF)
    assert (sys.stdout, sys.stderr) == streams
    progress.stop()
    progress.stop()
    assert out.getvalue().rfind("\x1b[?25h") > out.getvalue().rfind("\x1b[?25l") >= 0


def test_markup_and_control_characters_in_workbook_text_are_shown_literally() -> None:
    out = Terminal()
    progress = bar(out)
    progress.start(lambda: HALF)
    progress.on_event(SourceOpened(sheet="[red]\x1b[2J:smile:", header_row=1, columns=1, rows=1, seconds=0.1))
    progress.on_event(Noticed(message="[bold]x[/bold]"))
    progress.sample(HALF)
    progress.stop()
    assert r"opened [red]\x1b[2J:smile:" in shown(out)
    assert "note: [bold]x[/bold]" in shown(out)
    assert "\x1b[2J" not in out.getvalue()


def test_closed_terminal_does_not_affect_the_run() -> None:
    class ClosedTerminal(Terminal):
        tries = 0

        def write(self, text: str) -> int:
            self.tries += 1
            raise BrokenPipeError

    out = ClosedTerminal()
    progress = bar(out)
    progress.start(lambda: HALF)
    progress.on_event(Noticed(message="x"))
    progress.sample(HALF)
    progress.stop()
    assert out.tries == 1


def test_ascii_terminal_gets_only_ascii() -> None:
    raw = io.BytesIO()

    class Ascii(io.TextIOWrapper):
        def isatty(self) -> bool:
            return True

    out = Ascii(raw, encoding="ascii")
    progress = bar(out)
    progress.start(lambda: HALF)
    progress.on_event(SourceOpened(sheet="Zoë", header_row=1, columns=1, rows=1, seconds=0.1))
    progress.sample(HALF)
    progress.stop()
    assert b"opened Zo\\xeb" in raw.getvalue()
    assert b"----" in raw.getvalue()
    assert b"u2501" not in raw.getvalue()
