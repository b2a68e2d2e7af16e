"""What libraries write to descriptor 2 does not reach the terminal, unless they take the process with them."""

from __future__ import annotations

import logging
import os
import signal
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Program
from tests.support.plugins import install_plugin
from tui_importer.process.native_output import native_output_logged

PANIC = "thread '<unnamed>' panicked at src/lib.rs:1:1"
#: A reader of lines as a native library might be one: it talks, and ends the process where a line says so.
TALKATIVE = f"""
import os

from tui_importer import Block, ListColumn, ReaderSpec, SheetInfo, hookimpl


class Talkative:
    typed = False
    row_hint = None
    name = "lines"
    sheets = [SheetInfo("lines")]

    def limits(self, path):
        return ()

    def open(self, path):
        self.path = path
        return self

    def sheet(self, name):
        return self

    def close(self):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def blocks(self, rows):
        os.write(2, {PANIC.encode()!r} + b"\\n")
        lines = self.path.read_text().splitlines()
        if "abort" in lines:
            os.write(2, b"\\x1b]0;owned\\x07\\n")
            os.abort()
        if "raise" in lines:
            raise RuntimeError("out of its mind")
        yield Block(first_row=1, columns=(ListColumn(lines),))


@hookimpl
def tui_importer_readers():
    return [ReaderSpec("lines", "talks", Talkative, extensions=(".lines",))]
"""


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """The program with that reader."""
    folder = tmp_path / "here"
    folder.mkdir()
    install_plugin(tmp_path / "site", "talkative", TALKATIVE)
    program = Program(folder)
    program.environment["PYTHONPATH"] = str(tmp_path / "site")
    (folder / "words.lines").write_text("word\na\n")
    return program


def test_native_output_is_diverted_from_stderr(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "tui_importer.libraries")
    with open(2, "w", closefd=False) as stderr, pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stderr", stderr)
        with native_output_logged():
            os.write(2, PANIC.encode())
            sys.stderr.write("ours\n")
        assert sys.stderr is stderr
        os.write(2, b"later\n")
    assert capfd.readouterr().err == "ours\nlater\n"
    assert caplog.messages == [PANIC]


def test_stderr_replaced_by_a_file_is_not_diverted(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with (tmp_path / "err").open("w") as stderr, pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stderr", stderr)
        with native_output_logged():
            os.write(2, b"seen\n")
            assert sys.stderr is stderr
    assert capfd.readouterr().err == "seen\n"


@pytest.mark.once
@pytest.mark.parametrize("style", [(), ("-q",), ("--plain",), ("--log-format", "json")])
def test_import_hides_native_output(program: Program, style: tuple[str, ...]) -> None:
    assert PANIC not in program.anew("words.lines", *style, code=0).err


@pytest.mark.once
def test_verbose_shows_native_output(program: Program) -> None:
    lines = program.anew("words.lines", "-v", code=0).lines
    assert f"debug: tui_importer.libraries: {PANIC}" in lines


@pytest.mark.once
@pytest.mark.parametrize("command", ["inspect", "bench"])
def test_inspect_and_bench_hide_native_output(program: Program, command: str) -> None:
    assert PANIC not in program.anew(command, "words.lines", code=0).err


@pytest.mark.once
def test_reader_error_is_shown_without_native_output(program: Program) -> None:
    (program.folder / "words.lines").write_text("word\nraise\n")
    ended = program.anew("words.lines")
    assert ended.code != 0
    assert "out of its mind" in ended.err
    assert PANIC not in ended.err


@pytest.mark.once
@pytest.mark.parametrize("command", ["import", "inspect"])
def test_crash_shows_native_output(program: Program, command: str) -> None:
    """The text is all that is known of it. The shell that shows it holds stderr, and so is waited for."""
    (program.folder / "words.lines").write_text("word\nabort\n")
    ended = program.anew(command, "words.lines")
    assert ended.code == -signal.SIGABRT
    assert PANIC in ended.err
    assert "]0;owned" in ended.err
    assert not {"\x1b", "\x07"} & set(ended.err)
