"""The tests mirror the package: who changes a module finds its tests by its name."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "tui_importer"


def name_of(path: Path) -> str:
    """The dotted name of a module of the package."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def imported(path: Path) -> Iterator[str]:
    """Every module that a file may import directly; of a name that it imports from a package, both."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


CORE = sorted(name_of(path) for path in (PACKAGE / "core").rglob("[a-z]*.py"))


def test_core_modules_are_found() -> None:
    """Without modules, the tests below would pass without checking anything."""
    assert {"tui_importer.core.run.engine", "tui_importer.core.model.cells"} <= {*CORE}
    assert len(CORE) > 40


def test_every_module_of_the_core_is_imported_by_a_test() -> None:
    tested = {name for path in (ROOT / "tests").rglob("test_*.py") for name in imported(path)}
    assert {*CORE} - tested == set()


@pytest.mark.parametrize(
    "folder",
    sorted(
        str(path.parent.relative_to(PACKAGE))
        for pattern in ("*", "core/*")
        for path in PACKAGE.glob(f"{pattern}/__init__.py")
    ),
)
def test_every_part_of_the_package_has_its_own_tests(folder: str) -> None:
    assert list((ROOT / "tests" / folder).rglob("test_*.py"))
