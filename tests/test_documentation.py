"""What the documentation says is true: its blocks run, its links lead somewhere, its tables are those of the code."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.make_sample import SAMPLE_PATH
from tests.test_imports import imports_between
from tui_importer import ExitCode
from tui_importer.core.model.write_mode import WriteKind
from tui_importer.plugins.registry import load_registry

if TYPE_CHECKING:
    from tests.conftest import Database

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", ROOT / "benchmarks" / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

#: What stands in the README for a server of the reader's own.
SERVER = "postgresql://shop@db.example/shop"


def blocks(language: str) -> list[str]:
    """The README's fenced blocks in a language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A folder with the sample in it, and the installed program on the path."""
    shutil.copy(SAMPLE_PATH, tmp_path)
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


def run(command: list[str], folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=240, check=False
    )


def test_first_two_shell_blocks_install_import_and_test() -> None:
    """The CI script runs them unchanged; this test only checks that it takes them from the README."""
    first, second, *_ = blocks("sh")
    assert first.splitlines()[0].endswith(".venv/bin/tui-importer sample_data.xlsx --rejects-ok")
    assert ".[test]" in second
    assert "pytest" in second
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "$(block 1)" in script
    assert "$(block 2)" in script


@pytest.mark.once
@pytest.mark.parametrize("number", range(3, 1 + len(blocks("sh"))))
def test_shell_blocks_run(number: int, tmp_path: Path, environment: dict[str, str], postgres: Database) -> None:
    script = blocks("sh")[number - 1].replace(SERVER, postgres.url)
    ended = run(["bash", "-euo", "pipefail", "-c", script], tmp_path, environment)
    assert ended.returncode == 0, ended.stderr
    if SERVER in blocks("sh")[number - 1]:
        assert ended.stdout == "9987\n"
        assert postgres.scalar("SELECT count(*) FROM businesses") == 9_987


@pytest.mark.once
def test_output_of_the_first_command_is_as_shown(tmp_path: Path, environment: dict[str, str]) -> None:
    ended = run([sys.executable, "-m", "tui_importer", "sample_data.xlsx", "--rejects-ok"], tmp_path, environment)
    assert ended.returncode == 0
    [shown] = blocks("text")

    def timeless(text: str) -> list[str]:
        return [re.sub(r"in [\d.]+ s \([\d,]+ rows/s\)", "in TIME", line) for line in text.splitlines()]

    assert timeless(ended.stderr)[-len(shown.splitlines()) :] == timeless(shown)


@pytest.mark.once
def test_python_example_runs(tmp_path: Path, environment: dict[str, str]) -> None:
    script = next(block for block in blocks("python") if "run_import(" in block)
    ended = run([sys.executable, "-c", script], tmp_path, environment)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.splitlines()[-1] == "complete_with_rejects 9987 13"
    assert len(ended.stdout.splitlines()) == 14


@pytest.mark.once
def test_plugin_example_is_found_and_imports(tmp_path: Path, environment: dict[str, str]) -> None:
    module = next(block for block in blocks("python") if "hookimpl" in block)
    project = tomllib.loads(next(block for block in blocks("toml") if "entry-points" in block))
    (tmp_path / "backwards.py").write_text(module, encoding="utf-8")
    # What an installer writes of it.
    [(group, entry_points)] = project["project"]["entry-points"].items()
    info = tmp_path / "tui_importer_backwards-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['project']['name']}\nVersion: {project['project']['version']}\n"
    )
    lines = "".join(f"{name} = {value}\n" for name, value in entry_points.items())
    (info / "entry_points.txt").write_text(f"[{group}]\n{lines}")
    environment["PYTHONPATH"] = str(tmp_path)
    program = [sys.executable, "-m", "tui_importer"]
    option = next(word for word in re.findall(r"`-o (\S+)`", README) if word.startswith("backwards."))
    ended = run([*program, "sample_data.xlsx", "--strategy", "backwards", "-o", option, "-q"], tmp_path, environment)
    assert (ended.returncode, ended.stderr) == (3, "")
    listed = run([*program, "plugins"], tmp_path, environment).stdout
    assert re.search(r"^strategy +backwards +active +tui-importer-backwards +1\.0 ", listed, re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_existing_files(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_linked_names_are_defined_in_the_linked_files(page: Path) -> None:
    for name, target in re.findall(r"\[`([\w.]+)`\]\(([^)]+\.py)\)", page.read_text(encoding="utf-8")):
        source = (page.parent / target).read_text(encoding="utf-8")
        for part in name.split("."):
            assert re.search(rf"^ *(?:(?:async )?def|class) {part}\b|^{part}\b", source, re.MULTILINE), (name, target)


def test_concurrency_page_describes_every_pattern() -> None:
    page = (ROOT / "docs" / "concurrency.md").read_text(encoding="utf-8")
    headings = set(re.findall(r"^## (.+)$", page, re.MULTILINE))
    assert headings == {
        "Worker pool",
        "Automatic choices",
        "Where the time went",
        "Bounded queue",
        "Pipeline",
        "Fan-out and fan-in",
        "Confinement",
        "Lock",
        "Cancellation and deadline",
        "Graceful shutdown",
        "Error propagation from workers",
        "Select among several events",
    }


def test_every_test_that_the_guarantees_name_exists() -> None:
    """The tables say which test covers which fault in which write mode and by which executor."""
    page = (ROOT / "docs" / "exactly-once.md").read_text(encoding="utf-8")
    places = dict(re.findall(r"^\[(\w+)\]: (\S+)$", page, re.MULTILINE))
    for place in places.values():
        assert (ROOT / "docs" / place).is_file(), place
    tables = page.split("### One import")[1].split("## Limits")[0]
    used = {name for line in tables.splitlines() if line.startswith("|") for name in re.findall(r"\[(\w+)\]", line)}
    assert used == places.keys()
    head = next(line for line in tables.splitlines() if line.startswith("| fault |"))
    assert {cell.strip() for cell in head.split("|")} >= {*map(str, WriteKind), "skip"}


def rows_below(page: str, heading: str) -> list[list[str]]:
    """The cells of the table under a heading of a page in ``docs``, without its head."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8").split(f"## {heading}\n")[1].split("\n## ")[0]
    rows = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in rows[2:]]


def packages(folder: Path) -> set[str]:
    return {path.parent.name for path in folder.glob("*/__init__.py")}


def test_every_part_of_the_package_is_in_the_architecture_table() -> None:
    links = [f"[{name}](../tui_importer/{name})" for name in packages(ROOT / "tui_importer")]
    assert sorted(link for link, _ in rows_below("architecture.md", "Parts")) == sorted(links)


def test_parts_import_only_parts_below_them_in_the_table() -> None:
    order = [link.partition("]")[0][1:] for link, _ in rows_below("architecture.md", "Parts")]
    arrows = [pair for pair in imports_between(1) if {*pair} <= {*order}]
    assert len(arrows) > len(order)
    assert [pair for pair in arrows if order.index(pair[0]) > order.index(pair[1])] == []


def test_core_packages_are_in_the_architecture_table_in_order() -> None:
    contracts = (ROOT / ".importlinter").read_text(encoding="utf-8")
    layers = re.search(r"^layers =\n((?: +\w+\n)+)", contracts, re.MULTILINE)
    assert layers is not None
    rooms = layers[1].split()
    links = [link for link, _ in rows_below("architecture.md", "Rooms of the core")]
    assert links == [f"[{room}](../tui_importer/core/{room})" for room in rooms]
    assert {*rooms} == packages(ROOT / "tui_importer" / "core")


def test_every_entry_of_the_index_links_a_name_in_a_file() -> None:
    """That the name is defined in the file is tested for the links of every page."""
    places = rows_below("architecture.md", "Where to find what")
    assert len(places) >= 8
    for what, where in places:
        assert re.match(r"\[`[\w.]+`\]\(\.\./tui_importer/[\w/]+\.py\)", where), what


def test_every_exit_code_is_in_the_readme_table() -> None:
    table = README.split("## Exit codes")[1].split("\n\n")[1]
    listed = {int(code) for row in table.splitlines()[2:] for code in re.findall(r"\d+", row.split("|")[1])}
    assert listed == set(map(int, ExitCode))


def test_every_strategy_is_in_the_readme_table() -> None:
    for name in load_registry(found=[]).strategy_names():
        assert f"| `{name}`" in README


@pytest.mark.once
def test_every_mentioned_option_exists(tmp_path: Path, environment: dict[str, str]) -> None:
    program = [sys.executable, "-m", "tui_importer"]
    known = "".join(
        run([*program, command, "--help"], tmp_path, environment).stdout
        for command in ("import", "inspect", "runs", "replay", "rejects", "serve")
    )
    for option in set(re.findall(r"(?<=[ `])--[a-z][a-z-]+", README)) - {"--quiet", "--dist"}:
        assert option in known, option
