"""Strangers' plugins, well-behaved and not: real distributions on the path, each in a folder of its own."""

from __future__ import annotations

import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.plugins.conftest import Install
from tui_importer import Options, Plan, Run, Source, SourceError, Target, UsageError
from tui_importer.plugins.registry import DISTRIBUTION, PluginState, Registry, load_registry

STRATEGY = """
class Own:
    max_workers = None
    def run(self, job):
        run_workers(job, lambda writer, batch: writer.write(batch))

@hookimpl
def tui_importer_strategies():
    return [StrategySpec({name!r}, "a stranger's", Own, aliases={aliases!r})]
"""


def strategy(name: str, *aliases: str) -> str:
    return STRATEGY.format(name=name, aliases=aliases)


def names(registry: Registry) -> list[str]:
    return registry.strategy_names()


BUILT_IN = ["sequential", "threaded", "batched", "async"]


def test_built_in_components_are_registered_as_plugins() -> None:
    registry = load_registry(found=[])
    assert {(info.kind, info.name) for info in registry.plugins()} == {
        *(("reader", name) for name in ("calamine", "openpyxl", "csv")),
        *(("strategy", name) for name in BUILT_IN),
        *(("backend", name) for name in ("postgresql", "sqlite", "sqlalchemy")),
        *(("executor", name) for name in ("sequential", "processes")),
    }
    assert {info.distribution for info in registry.plugins()} == {DISTRIBUTION}
    assert {info.state for info in registry.plugins()} == {PluginState.ACTIVE}


def test_third_party_plugin_is_listed_with_distribution_and_version(install: Install) -> None:
    registry = load_registry(found=[install("friendly", strategy("kind", "nice"))])
    assert names(registry) == [*BUILT_IN, "kind"]
    assert registry.strategy("nice").name == "kind"
    info = registry.plugins()[-1]
    assert (info.kind, info.name, info.distribution, info.version, info.state) == (
        "strategy",
        "kind",
        "friendly",
        "1.2",
        PluginState.ACTIVE,
    )


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("raise RuntimeError('no luck')", "RuntimeError: no luck"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("class Panic(BaseException): pass\nraise Panic('from elsewhere')", "Panic: from elsewhere"),
        ("import no_such_module_at_all", "ModuleNotFoundError: No module named 'no_such_module_at_all'"),
        ("def broken(:", "SyntaxError"),
        ("", "it has none of the hooks"),
        ("@hookimpl\ndef tui_importer_strategys(): return []", "did you mean 'tui_importer_strategies'?"),
        ("@hookimpl\ndef tui_importer_readers(surprise): return []", "surprise"),
        ("@hookimpl\ndef tui_importer_readers(): return 5", "must return a list of ReaderSpec"),
        (
            "@hookimpl\ndef tui_importer_readers(): return [StrategySpec('a', '', object)]",
            "must return a list of ReaderSpec",
        ),
        ("@hookimpl\ndef tui_importer_strategies(): raise ValueError('inside')", "ValueError: inside"),
        (strategy("batched"), "strategy 'batched' is already brought by tui-importer"),
        (strategy("other", "concurrent"), "strategy 'concurrent' is already brought by tui-importer"),
        (
            "@hookimpl\ndef tui_importer_backends(): return [BackendSpec('mine', '', object, schemes=('sqlite',))]",
            "URL scheme 'sqlite' is already brought by tui-importer",
        ),
    ],
)
def test_broken_plugin_is_reported_and_the_others_are_loaded(install: Install, code: str, why: str) -> None:
    found = [install("broken", code), install("friendly", strategy("kind"))]
    registry = load_registry(found=found)
    assert names(registry) == [*BUILT_IN, "kind"]
    [info] = [info for info in registry.plugins() if info.state is PluginState.BROKEN]
    assert (info.kind, info.name, info.distribution) == ("plugin", "broken_plugin", "broken")
    assert why in info.detail
    assert "\n" not in info.detail
    [warning] = registry.warnings
    assert why in warning
    # Whoever asks for it hears why it is not there.
    with pytest.raises(UsageError, match="broken"):
        registry.strategy("broken_plugin")


def test_name_conflict_names_both_plugins(install: Install) -> None:
    registry = load_registry(found=[install("first", strategy("same")), install("second", strategy("same"))])
    [info] = [info for info in registry.plugins() if info.state is PluginState.BROKEN]
    assert (info.distribution, "first 1.2" in info.detail) == ("second", True)
    assert names(registry) == [*BUILT_IN, "same"]


@pytest.mark.parametrize("disabled", ["friendly", "friendly_plugin", "*", "other, friendly"])
def test_plugin_can_be_disabled(install: Install, disabled: str) -> None:
    entry_point = install("friendly", strategy("kind"))
    registry = load_registry(found=[entry_point], environment={"TUI_IMPORTER_DISABLE_PLUGINS": disabled})
    assert names(registry) == BUILT_IN
    assert registry.plugins()[-1].state is PluginState.DISABLED
    assert registry.warnings == ()
    assert "friendly" not in sys.modules


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("def make(): raise OSError('no licence')", "OSError: no licence"),
        ("class make: pass", "it has no run, max_workers"),
        ("class make:\n  def run(self, job): pass", "it has no max_workers"),
        ("make = 'no.such.module:thing'", "No module named 'no'"),
    ],
)
def test_failing_factory_names_the_plugin(install: Install, code: str, why: str) -> None:
    hook = "\n@hookimpl\ndef tui_importer_strategies(): return [StrategySpec('odd', '', make)]"
    registry = load_registry(found=[install("odd", code + hook)])
    with pytest.raises(UsageError) as error:
        registry.make_strategy("odd")
    assert "odd 1.2" in str(error.value)
    assert why in str(error.value)


def test_error_about_an_unknown_name_lists_the_known_names() -> None:
    registry = load_registry(found=[])
    with pytest.raises(UsageError, match=r"did you mean 'sequential'\? known are async, batched, sequential, threaded"):
        registry.strategy("sequental")
    with pytest.raises(UsageError, match="known are calamine, csv, openpyxl"):
        registry.reader("nothing")
    with pytest.raises(SourceError, match=r"no reader opens \.pdf"):
        registry.reader_for(Path("a.pdf"))
    assert registry.reader_for(Path("a")).name == "csv"
    assert registry.reader_for(Path("A.XLSX")).name == "calamine"
    assert registry.backend_for("oracle").name == "sqlalchemy"


READER = """
class Lines:
    typed = False
    def limits(self, path): return ("lines are all there is",)
    def open(self, path): return Opened(path)

class Opened:
    row_hint = None
    def __init__(self, path):
        self.path, self.name, self.sheets = path, "lines", [SheetInfo("lines")]
    def __enter__(self): return self
    def __exit__(self, *error): pass
    def close(self): pass
    def sheet(self, name): return self
    def blocks(self, rows):
        lines = self.path.read_text().splitlines()
        for start in range(0, len(lines), rows):
            yield Block(first_row=start + 1, columns=(ListColumn(lines[start:start + rows]),))

@hookimpl
def tui_importer_readers():
    return [ReaderSpec("lines", "a line is a row", Lines, extensions=(".lines", ".xlsx"), priority=PRIORITY)]
"""


@pytest.mark.parametrize(("priority", "chosen"), [(-1, "calamine"), (1, "lines")])
def test_third_party_reader_is_used(install: Install, tmp_path: Path, priority: int, chosen: str) -> None:
    registry = load_registry(found=[install("lines", READER.replace("PRIORITY", str(priority)))])
    assert registry.reader_for(Path("a.xlsx")).name == chosen
    path = tmp_path / "words.lines"
    path.write_text("word\n" + "".join(f"w{number}\n" for number in range(50)))
    plan = Plan(source=Source(file=str(path), reader="lines"), target=Target(database=str(tmp_path / "w.db")))
    report = Run(plan, registry=registry).execute()
    assert (report.outcome, report.stats.inserted, report.source.reader) == ("complete", 50, "lines")
    assert "lines are all there is" in report.notes
    with closing(sqlite3.connect(tmp_path / "w.db")) as database:
        assert database.execute("SELECT count(*), min(word) FROM lines").fetchall() == [(50, "w0")]


BACKEND = """
from tui_importer.backends.sqlite.backend import SQLite

class Mine(SQLite):
    def __init__(self, settings):
        super().__init__(ConnectionSettings(settings.url.replace("mine:", "sqlite:"), "", 1.0))

@hookimpl
def tui_importer_backends():
    return [BackendSpec("mine", "", Mine, schemes=("mine",))]
"""


def test_third_party_backend_is_used(install: Install, tmp_path: Path) -> None:
    registry = load_registry(found=[install("mine", BACKEND), install("friendly", strategy("kind"))])
    path = tmp_path / "words.csv"
    path.write_text("word\na\nb\n")
    plan = Plan(
        source=Source(file=str(path)),
        target=Target(database=f"mine:///{tmp_path}/w.db"),
        options=Options(strategy="kind"),
    )
    report = Run(plan, registry=registry).execute()
    assert (report.outcome, report.target.backend, report.method) == ("complete", "mine", "kind")
    assert report.stats.inserted == 2


@pytest.mark.parametrize(
    ("backend", "fails", "called"), [("sqlite", 0, 1), ("postgresql", 0, 0), ("postgresql", 1, 0), ("sqlite", 1, 1)]
)
def test_reader_sets_up_the_backend_that_imports_its_rows(
    install: Install, tmp_path: Path, backend: str, fails: int, called: int
) -> None:
    setup = f"""
CALLS = __import__("pathlib").Path({str(tmp_path / "calls")!r})

def set_up():
    CALLS.write_text(CALLS.read_text() + "x" if CALLS.exists() else "x")
    if {fails}: raise OSError("no licence")
"""
    offered = READER.replace("priority=PRIORITY", f"backend_setup={{{backend!r}: set_up}}")
    registry = load_registry(found=[install("lines", setup + offered)])
    path = tmp_path / "words.lines"
    path.write_text("word\na\nb\n")
    plan = Plan(source=Source(file=str(path), reader="lines"), target=Target(database=str(tmp_path / "w.db")))
    run = Run(plan, registry=registry)
    if called and fails:
        report = run.execute()
        assert report.error is not None
        assert "reader 'lines' of lines 1.2 cannot be used: OSError: no licence" in report.error
    else:
        assert run.execute().outcome == "complete"
    assert (tmp_path / "calls").exists() == bool(called)


READER_THAT_BREAKS = READER.replace("PRIORITY", "0").replace(
    "yield Block", "if start: raise KeyError('a defect of the reader')\n            yield Block"
)


def test_reader_failing_midway_ends_the_run_without_losing_rows(install: Install, tmp_path: Path) -> None:
    registry = load_registry(found=[install("breaking", READER_THAT_BREAKS.replace('"lines", "a', '"breaking", "a'))])
    path = tmp_path / "words.lines"
    path.write_text("word\n" + "".join(f"w{number}\n" for number in range(50)))
    plan = Plan(
        source=Source(file=str(path), reader="breaking"),
        target=Target(database=str(tmp_path / "w.db"), table="words"),
        options=Options(batch_size=10, schema="infer", types={"word": "text"}),
    )
    with closing(sqlite3.connect(tmp_path / "w.db")) as database:
        database.execute("CREATE TABLE words (word text)")
    report = Run(plan, registry=registry).execute()
    assert (report.outcome, report.exit_code) == ("failed", 1)
    assert report.error == "reader 'breaking' failed after row 10: KeyError: 'a defect of the reader'"


def test_failing_strategy_is_reported_in_one_line(install: Install, tmp_path: Path) -> None:
    code = strategy("odd").replace(
        "run_workers(job, lambda writer, batch: writer.write(batch))", "raise LookupError('x')"
    )
    registry = load_registry(found=[install("odd", code)])
    path = tmp_path / "words.csv"
    path.write_text("word\na\nb\n")
    plan = Plan(
        source=Source(file=str(path)), target=Target(database=str(tmp_path / "w.db")), options=Options(strategy="odd")
    )
    report = Run(plan, registry=registry).execute()
    assert (report.outcome, report.exit_code, report.error) == ("failed", 1, "strategy 'odd' failed: LookupError: x")
