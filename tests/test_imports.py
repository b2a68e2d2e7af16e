"""The import contracts, which ``lint-imports`` checks, and the imports they are about: ``pytest -rP`` shows both."""

from __future__ import annotations

from collections import Counter
from configparser import ConfigParser, SectionProxy
from functools import cache

from tests.test_mirror import PACKAGE, ROOT, imported, name_of

MODULES = {name_of(path).removesuffix(".__init__"): path for path in PACKAGE.rglob("*.py")}


@cache
def imports() -> frozenset[tuple[str, str]]:
    """Every import of one module of the package by another, those inside functions and for type checkers included."""
    return frozenset((name, target) for name, path in MODULES.items() for target in imported(path) if target in MODULES)


def contracts() -> dict[str, SectionProxy]:
    """The sections of the contracts by their sentences."""
    parser = ConfigParser()
    parser.read(ROOT / ".importlinter", encoding="utf-8")
    sections = (parser[name] for name in parser.sections() if name.startswith("importlinter:contract:"))
    return {section["name"]: section for section in sections}


def listed(section: SectionProxy, key: str) -> list[str]:
    return section.get(key, "").split()


def imports_between(place: int) -> Counter[tuple[str, str]]:
    """The number of imports between the parts of the package; ``place`` is that of the part in a module's name."""
    arrows: Counter[tuple[str, str]] = Counter()
    for source, target in imports():
        first, second = source.split("."), target.split(".")
        if len(first) > place < len(second) and first[:place] == second[:place] and first[place] != second[place]:
            arrows[first[place], second[place]] += 1
    return arrows


def show(arrows: Counter[tuple[str, str]], order: list[str]) -> None:
    for part in order:
        below = [f"{target} {count}" for (source, target), count in sorted(arrows.items()) if source == part]
        print(f"  {part}: {', '.join(below) or 'imports none of the others'}")
    print(f"  {arrows.total()} imports, {len(arrows)} arrows")


def test_import_contracts_name_existing_modules() -> None:
    """A contract about a renamed module checks nothing."""
    found = contracts()
    assert len(found) >= 10
    print("import contracts:")
    for sentence, section in found.items():
        print(f"  {section['type']}: {sentence}")
        named = [*listed(section, "modules"), *listed(section, "source_modules"), *listed(section, "containers")]
        inside = [name for name in listed(section, "forbidden_modules") if name.startswith("tui_importer")]
        assert {*named, *inside} <= {*MODULES}, sentence
        assert named, sentence


def test_contract_about_console_and_command_line_names_every_other_part() -> None:
    section = contracts()["only the command line imports the console, and nobody imports the command line"]
    parts = {name for name in MODULES if name.count(".") == 1}
    apart = {f"tui_importer.{name}" for name in ("cli", "console", "__main__")}
    assert {*listed(section, "source_modules")} == parts - apart


def test_core_packages_import_only_those_below_them() -> None:
    [section] = [section for section in contracts().values() if section["type"] == "layers"]
    layers = listed(section, "layers")
    assert sorted(layers) == sorted(path.parent.name for path in PACKAGE.glob("core/*/__init__.py"))
    arrows = imports_between(2)
    arrows = Counter({pair: count for pair, count in arrows.items() if {*pair} <= {*layers}})
    print("rooms of tui_importer.core, the highest first, and what each imports:")
    show(arrows, layers)
    assert [pair for pair in arrows if layers.index(pair[0]) >= layers.index(pair[1])] == []
    assert {source for source, _ in arrows} == {*layers} - {"model"}, "the imports were not found"


def test_parts_of_the_package_form_no_cycle() -> None:
    arrows = imports_between(1)
    parts = {part for pair in arrows for part in pair}
    order: list[str] = []
    while parts:
        free = sorted(part for part in parts if not any(pair[0] == part and pair[1] in parts for pair in arrows))
        assert free, f"a cycle among {sorted(parts)}: {sorted(pair for pair in arrows if {*pair} <= parts)}"
        order += free
        parts -= {*free}
    print("parts of tui_importer, and what each imports:")
    show(arrows, order[::-1])
