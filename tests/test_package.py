"""The package as a whole: public names, events as data, and who may import whom."""

from __future__ import annotations

import importlib.metadata
import inspect
import subprocess
import sys
import typing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tui_importer
from tests.conftest import Database
from tests.support.examples import examples
from tui_importer import events

ROOT = Path(__file__).parent.parent


def modules_after(code: str) -> set[str]:
    """What a fresh interpreter has loaded after running the code."""
    script = f"import sys\n{code}\nprint('\\n'.join(sys.modules))"
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60).stdout
    return set(out.split())


def core_modules() -> list[str]:
    package = Path(tui_importer.__file__).parent
    return sorted(
        ".".join(path.relative_to(package.parent).with_suffix("").parts) for path in package.glob("core/*/[a-z]*.py")
    )


@pytest.mark.parametrize("name", tui_importer.__all__)
def test_public_names_exist_and_are_documented(name: str) -> None:
    thing = getattr(tui_importer, name)
    assert name in dir(tui_importer)
    if inspect.isclass(thing) or inspect.isfunction(thing):
        assert (thing.__doc__ or "").strip(), f"{name} has no docstring"


def test_unknown_name_raises_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        tui_importer.nothing  # noqa: B018


def test_importing_the_package_imports_no_submodules() -> None:
    loaded = modules_after("import tui_importer")
    assert {name for name in loaded if name.startswith("tui_importer")} == {"tui_importer"}
    assert loaded.isdisjoint({"msgspec", "click", "pluggy", "sqlalchemy"})


def test_every_core_package_has_modules() -> None:
    rooms = {name.split(".")[2] for name in core_modules()}
    assert rooms == {"model", "conversion", "scheduling", "source", "planning", "writing", "run"}


def test_core_imports_no_driver_no_reader_and_no_user_interface() -> None:
    loaded = modules_after("".join(f"import {name}\n" for name in core_modules()))
    forbidden = {
        "psycopg",
        "aiosqlite",
        "sqlite3",
        "sqlalchemy",
        "openpyxl",
        "python_calamine",
        "pluggy",
        "click",
        "textual",
    }
    assert loaded.isdisjoint({*forbidden, "rich"})


@pytest.mark.once
@pytest.mark.parametrize(
    ("kind", "unneeded"),
    [("sqlite", {"psycopg", "asyncio"}), ("postgres", {"sqlite3", "tui_importer.rejects.spool"})],
)
def test_an_import_loads_only_what_it_needs(
    kind: str, unneeded: set[str], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    database: Database = request.getfixturevalue(kind)
    (tmp_path / "words.csv").write_text("word\na\nb\n", encoding="utf-8")
    loaded = modules_after(
        "from tui_importer import Plan, Run, Source, Target\n"
        f"plan = Plan(source=Source(file={str(tmp_path / 'words.csv')!r}), "
        f"target=Target(database={database.url!r}, table='words'))\n"
        "assert Run(plan).execute().outcome == 'complete'"
    )
    others = {"sqlalchemy", "openpyxl", "python_calamine", "textual", "rich"}
    assert loaded.isdisjoint(unneeded | others)


@pytest.mark.parametrize("name", ["tui_importer.errors", "tui_importer.events"])
def test_errors_and_events_import_nothing_else_of_the_package(name: str) -> None:
    loaded = {module for module in modules_after(f"import {name}") if module.startswith("tui_importer.")}
    assert loaded <= {"tui_importer.errors", "tui_importer.events"}


@pytest.mark.once
def test_every_module_can_be_imported_alone() -> None:
    """Import order must not hide a cycle."""
    package = Path(tui_importer.__file__).parent
    names = sorted(
        ".".join(path.relative_to(package.parent).with_suffix("").parts)
        for path in package.rglob("*.py")
        if path.stem not in ("__init__", "__main__")
    )
    script = (
        "import subprocess, sys, importlib\n"
        f"for name in {names!r}:\n"
        "    for known in [one for one in sys.modules if one.startswith('tui_importer')]: del sys.modules[known]\n"
        "    importlib.import_module(name)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=240)


def all_events() -> list[type[Any]]:
    return list(typing.get_args(events.AnyEvent))


def instances(kind: type[Any]) -> st.SearchStrategy[Any]:
    """Any instance of a struct, by its annotations."""
    texts = st.text(st.characters(codec="utf-8"), max_size=8)
    simple: dict[Any, st.SearchStrategy[Any]] = {
        str: texts,
        int: st.integers(0, 2**53),
        float: st.floats(0, 1e9),
        bool: st.booleans(),
    }

    def of(annotation: Any) -> st.SearchStrategy[Any]:
        if annotation in simple:
            return simple[annotation]
        if annotation is type(None):
            return st.none()
        if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
            return instances(annotation)
        arguments = typing.get_args(annotation)
        if typing.get_origin(annotation) is typing.Literal:
            return st.sampled_from(arguments)
        if typing.get_origin(annotation) is tuple:
            return st.lists(of(arguments[0]), max_size=2).map(tuple)
        if typing.get_origin(annotation) is dict:
            return st.dictionaries(*map(of, arguments), max_size=2)
        return st.one_of(*map(of, arguments))

    return st.builds(kind, **{name: of(hint) for name, hint in typing.get_type_hints(kind).items() if hint})


@pytest.mark.parametrize("kind", all_events(), ids=lambda kind: str(kind.__name__))
@settings(max_examples=examples(20), suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_events_round_trip_through_json(kind: type[Any], data: st.DataObject) -> None:
    event = data.draw(instances(kind))
    line = events.encode(event)
    assert b"\n" not in line
    assert events.decode(line) == event
    assert kind.__doc__


@pytest.mark.parametrize("line", [b"", b"{}", b"[]", b'{"event":"nothing"}', b'{"event":"worker_started"}', b"\xff"])
def test_invalid_events_are_refused(line: bytes) -> None:
    with pytest.raises(msgspec.MsgspecError):
        events.decode(line)


def test_version_is_that_of_the_distribution() -> None:
    assert tui_importer.__version__ == importlib.metadata.version("tui-importer")


def test_a_plugin_can_build_upon_the_built_in_reader() -> None:
    """A reader of some workbooks leaves the others to it; a compiled plugin knows which interface it was made for."""
    with tui_importer.CalamineReader().open(ROOT / "sample_data.xlsx") as workbook:
        assert [sheet.name for sheet in workbook.sheets] == ["Sheet1"]
    assert tui_importer.PLUGIN_API_VERSION == 1
