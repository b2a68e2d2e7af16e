"""Options of plugins on the command line, with a plugin that is installed."""

from __future__ import annotations

import json
import re
import sqlite3
import tomllib
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.conftest import Program
from tests.support.plugins import WITH_OPTIONS, install_plugin


@pytest.fixture
def program(program: Program, tmp_path: Path) -> Program:
    """The program with a plugin that has options, which a new interpreter finds on its path."""
    install_plugin(tmp_path / "site", "slow", WITH_OPTIONS)
    program.environment["PYTHONPATH"] = str(tmp_path / "site")
    program.environment["XDG_STATE_HOME"] = str(tmp_path / "state")
    (program.folder / "words.lines").write_text("word\na\n#\nb\n")
    return program


def table(program: Program, database: str = "words.db") -> list[str]:
    with closing(sqlite3.connect(program.folder / database)) as connection:
        return [word for (word,) in connection.execute("SELECT * FROM words")]


SLOW = ("words.lines", "--table", "words", "--no-ui", "--strategy", "slow")


def test_options_reach_reader_and_strategy(program: Program) -> None:
    given = ("-o", "lines.upper=yes", "-o", "lines.comment=#", "-o", "slow.note=seen")
    report = json.loads(program.anew(*SLOW, *given, "--report", "-", code=0).out)
    assert report["plugin_options"] == {"lines": {"upper": True, "comment": "#"}, "slow": {"note": "seen"}}
    assert table(program) == ["A", "B"]
    assert "pause=0.5" in (program.folder / "seen").read_text()


@pytest.mark.once
def test_command_to_repeat_the_run_includes_the_plugin_options(program: Program) -> None:
    program(*SLOW, "-o", "idle.pause=2", "-o", "lines.comment=a b", code=0)
    [recording] = (Path(program.environment["XDG_STATE_HOME"]) / "tui-importer" / "runs").iterdir()
    recorded = b"".join(path.read_bytes() for path in recording.iterdir() if path.is_file()).decode()
    assert "-o slow.pause=2 -o 'lines.comment=a b' --no-ui" in recorded.replace("\\u0027", "'")


@pytest.mark.once
@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("slow.pause=long", "slow.pause must be a number from 0 to 9, not 'long'"),
        ("slow.order=frist", "slow.order must be one of first, last, not 'frist': did you mean 'first'?"),
        ("slow.puase=1", "strategy 'slow' has no option 'puase': did you mean 'pause'?"),
        ("slwo.pause=1", "no plugin called 'slwo' has options: did you mean 'slow'?"),
        ("slow.pause", "'slow.pause' is not PLUGIN.OPTION=VALUE"),
        ("pause=1", "'pause=1' is not PLUGIN.OPTION=VALUE"),
    ],
)
def test_invalid_plugin_option_is_refused_before_any_file_is_opened(program: Program, given: str, said: str) -> None:
    before = program.files()
    ended = program(*SLOW, "-o", given, code=2)
    assert said in ended.err
    assert (len(ended.lines), ended.out) == (1, "")
    assert program.files() == before


@pytest.mark.once
@pytest.mark.parametrize("command", [("inspect", "words.lines"), ("bench", "words.lines"), ("serve", "--table", "t")])
def test_other_commands_refuse_invalid_plugin_options(program: Program, command: tuple[str, ...]) -> None:
    ended = program(*command, "-o", "slow.pause=long", code=2)
    assert "slow.pause must be a number from 0 to 9, not 'long'" in ended.err
    assert program.files() == {"words.lines"}


@pytest.mark.once
def test_repeated_plugin_option_is_refused(program: Program) -> None:
    ended = program(*SLOW, "-o", "slow.pause=1", "-o", "idle.pause=2", code=2)
    assert "slow.pause takes one value and is given twice" in ended.err


def test_plugin_options_are_saved_in_the_plan_and_can_be_overridden(program: Program) -> None:
    save = ("inspect", "words.lines", "--table", "words", "--save", "plan.toml")
    program(*save, "-o", "lines.comment=#", "-o", "lines.upper=true", code=0)
    plan = tomllib.loads((program.folder / "plan.toml").read_text())
    assert plan["options"]["plugin_options"] == {"lines": {"comment": "#", "upper": True}}
    program("words.lines", "--schema", "plan.toml", "--no-ui", "-o", "lines.upper=false", code=0)
    assert table(program) == ["a", "b"]


@pytest.mark.once
@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("lines.uper = true", "reader 'lines' has no option 'uper': did you mean 'upper'?"),
        ('lines.upper = "true"', "lines.upper must be true or false, not 'true'"),
        ("linse.upper = true", "no plugin called 'linse' has options: did you mean 'lines'?"),
        ("lines = 3", "plugin_options must be a table of plugins"),
    ],
)
def test_plan_file_with_invalid_plugin_options_is_refused(program: Program, line: str, said: str) -> None:
    (program.folder / "plan.toml").write_text(f'[source]\nfile = "words.lines"\n[options.plugin_options]\n{line}\n')
    before = program.files()
    assert said in program("words.lines", "--schema", "plan.toml", "--no-ui", code=2).err
    assert program.files() == before


@pytest.mark.once
def test_help_lists_the_options_of_all_plugins(program: Program) -> None:
    for command in ("import", "inspect", "bench", "serve"):
        _, title, options = program(command, "--help", code=0).out.partition("\nPlugin options:\n")
        assert title
        shown = " ".join(options.split())
        assert "-o slow.pause=NUMBER Seconds to rest after each batch (a number from 0 to 9; default: 0.5)." in shown
        assert "-o slow.order=first|last Which batch is written first" in shown
        assert "-o lines.upper=true|false In capitals (true or false; default: false)." in shown


@pytest.mark.once
def test_without_plugins_only_the_built_in_options_are_listed(program: Program) -> None:
    _, _, options = program("import", "--help", code=0, TUI_IMPORTER_DISABLE_PLUGINS="*").out.partition(
        "\nPlugin options:\n"
    )
    assert re.findall(r"-o (\S+)=", options) == ["processes.jobs"]
    listed = program("plugins", code=0, TUI_IMPORTER_DISABLE_PLUGINS="*").out
    assert re.findall(r"(\w+\.\w+)", listed.partition("OPTION (-o)")[2])[:1] == ["processes.jobs"]


@pytest.mark.once
def test_plugins_are_listed_with_their_options(program: Program) -> None:
    lines = program("plugins", code=0).out.splitlines()
    assert [line.split(maxsplit=2) for line in lines if line.startswith("slow.careful")] == [
        ["slow.careful", "true|false", "True or false; default: false."]
    ]
    infos = {info["name"]: info["options"] for info in json.loads(program("plugins", "--json", code=0).out)}
    assert infos["batched"] == {}
    assert infos["slow"]["depth"] == {"type": "integer", "minimum": 1}


@pytest.mark.once
def test_bench_passes_each_strategy_its_options(program: Program) -> None:
    note = program.folder / "seen"
    compared = ("bench", "words.lines", "--strategy", "slow", "--strategy", "async")
    program(*compared, "-o", f"slow.note={note.name}", code=0)
    assert note.exists()


@pytest.mark.once
def test_version_option_does_not_load_plugins(program: Program, tmp_path: Path) -> None:
    (tmp_path / "site" / "slow.py").write_text("raise RuntimeError('imported')")
    assert program("--version", code=0).err == ""
