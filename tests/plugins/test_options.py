"""Options of plugins: declared once as a struct, checked wherever they are given."""

from __future__ import annotations

import enum
import pickle
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.plugins.conftest import Install
from tests.support.plugins import WITH_OPTIONS
from tui_importer import Options, Plan, PlanError, Run, Source, StrategySpec, Target
from tui_importer.core.model.plugin_values import PluginValue
from tui_importer.events import AnyEvent, Noticed
from tui_importer.plugins.choice import choose, options_of
from tui_importer.plugins.options import KnownOptions, OptionSet, ValueKind, declared
from tui_importer.plugins.registry import PluginState, Registry, load_registry


class Speed(enum.Enum):
    SLOW = "slow"
    FAST = "fast"


class Sample(msgspec.Struct, frozen=True):
    """An option of each kind."""

    share: Annotated[float, msgspec.Meta(ge=0, le=1, description="A share of the time.")] = 0.5
    depth: Annotated[int | None, msgspec.Meta(description="How deep\n  to look")] = None
    size: Annotated[int, msgspec.Meta(gt=0, lt=100, multiple_of=5)] = 10
    careful: bool = False
    pace: Speed = Speed.SLOW
    order: Literal["first", "last"] | None = None
    label: Annotated[str, msgspec.Meta(min_length=1, max_length=4, pattern="^[a-z]*$")] = "a"
    note: str = ""

    def __post_init__(self) -> None:
        if self.careful and self.pace is Speed.FAST:
            raise ValueError("nobody is careful and fast")


SAMPLE = declared("strategy", ("sample", "also"), Sample)


def known(*sets: OptionSet) -> KnownOptions:
    options = KnownOptions()
    for each in sets:
        options.add(each)
    return options


def test_options_have_the_names_kinds_defaults_and_help_of_the_struct() -> None:
    described = [(option.key, option.kind, option.default, option.metavar) for option in SAMPLE.options]
    assert described == [
        ("sample.share", ValueKind.NUMBER, 0.5, "NUMBER"),
        ("sample.depth", ValueKind.INTEGER, None, "INTEGER"),
        ("sample.size", ValueKind.INTEGER, 10, "INTEGER"),
        ("sample.careful", ValueKind.BOOLEAN, False, "true|false"),
        ("sample.pace", ValueKind.CHOICE, "slow", "slow|fast"),
        ("sample.order", ValueKind.CHOICE, None, "first|last"),
        ("sample.label", ValueKind.TEXT, "a", "TEXT"),
        ("sample.note", ValueKind.TEXT, "", "TEXT"),
    ]
    assert [option.description for option in SAMPLE.options] == [
        "A share of the time (a number from 0 to 1; default: 0.5).",
        "How deep to look (a whole number).",
        "A whole number above 0, below 100, in steps of 5; default: 10.",
        "True or false; default: false.",
        "One of slow, fast; default: slow.",
        "One of first, last.",
        "A text of 1 or more characters, of 4 or fewer characters, matching ^[a-z]*$; default: a.",
        "A text.",
    ]


def test_option_schema_is_the_json_schema() -> None:
    generated = msgspec.json.schema(Sample)["$defs"]["Sample"]["properties"]
    for name in ("share", "size", "careful", "label", "note"):
        assert SAMPLE.schema[name] == generated[name]
    assert SAMPLE.schema["pace"] == {"enum": ["slow", "fast"], "default": "slow"}
    assert SAMPLE.schema["order"] == {"enum": ["first", "last"]}
    assert SAMPLE.schema["depth"] == {"type": "integer", "description": "How deep to look"}


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("share", "1", 1.0),
        ("share", ".25", 0.25),
        ("share", "1e-1", 0.1),
        ("depth", "-3", -3),
        ("careful", "true", True),
        ("careful", "yes", True),
        ("careful", "off", False),
        ("pace", "fast", "fast"),
        ("order", "last", "last"),
        ("label", "abc", "abc"),
        ("note", "", ""),
        ("note", "a=b.c", "a=b.c"),
    ],
)
def test_text_is_parsed_according_to_the_option_type(name: str, text: str, value: PluginValue) -> None:
    parsed = SAMPLE.find(name).parse(text)
    assert parsed == value
    assert type(parsed) is type(value)
    assert SAMPLE.find(name).check(parsed) == value


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("share", "2", "sample.share must be a number from 0 to 1, not '2'"),
        ("share", "nan", "sample.share must be a number from 0 to 1, not 'nan'"),
        ("share", "1e999", "sample.share must be a number from 0 to 1, not '1e999'"),
        ("share", "0_1", "sample.share must be a number from 0 to 1, not '0_1'"),
        ("depth", "1.5", "sample.depth must be a whole number, not '1.5'"),
        ("depth", "", "sample.depth must be a whole number, not ''"),
        ("depth", "9" * 100, f"sample.depth must be a whole number, not '{'9' * 59}..."),
        ("size", "7", "sample.size must be a whole number above 0, below 100, in steps of 5, not '7'"),
        ("careful", "maybe", "sample.careful must be true or false, not 'maybe'"),
        ("pace", "fats", "sample.pace must be one of slow, fast, not 'fats': did you mean 'fast'?"),
        ("order", "none", "sample.order must be one of first, last, not 'none'"),
        ("label", "A", "sample.label must be a text of 1 or more characters, of"),
    ],
)
def test_invalid_text_error_names_the_option_and_accepted_values(name: str, text: str, said: str) -> None:
    with pytest.raises(PlanError) as error:
        SAMPLE.find(name).parse(text)
    assert str(error.value).startswith(said)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"sample": {"share": "0.5"}}, "sample.share must be a number from 0 to 1, not '0.5'"),
        ({"sample": {"share": True}}, "sample.share must be a number from 0 to 1, not True"),
        ({"sample": {"share": float("nan")}}, "sample.share must be a number from 0 to 1, not nan"),
        ({"sample": {"careful": 1}}, "sample.careful must be true or false, not 1"),
        ({"sample": {"shrae": 1}}, "strategy 'sample' has no option 'shrae': did you mean 'share'? known are share, "),
        ({"smaple": {}}, "no plugin called 'smaple' has options: did you mean 'sample'? those with options are sample"),
        ({"also": {"share": 1}}, "'also' is another name of 'sample': give its options under that name"),
        (
            {"sample": {"careful": True, "pace": "fast"}},
            "the options of strategy 'sample' are not valid: nobody is careful and fast",
        ),
    ],
)
def test_invalid_plan_values_are_refused(values: dict[str, dict[str, PluginValue]], said: str) -> None:
    with pytest.raises(PlanError) as error:
        known(SAMPLE).check(values)
    assert str(error.value).startswith(said)


def test_error_says_that_no_plugin_has_options() -> None:
    with pytest.raises(PlanError, match="no plugin called 'x' has options: no installed plugin has any"):
        known().check({"x": {}})


def test_command_line_texts_become_plan_values() -> None:
    texts = [("also", "share", "1"), ("sample", "careful", "yes")]
    assert known(SAMPLE).read(texts) == {"sample": {"share": 1.0, "careful": True}}
    with pytest.raises(PlanError, match=r"sample\.share takes one value and is given twice"):
        known(SAMPLE).read([("sample", "share", "1"), ("also", "share", "1")])


def test_option_name_of_two_words_accepts_a_dash() -> None:
    class Dashed(msgspec.Struct, frozen=True):
        two_words: bool = False

    options = known(declared("strategy", ("dashed",), Dashed))
    assert options.read([("dashed", "two-words", "yes")]) == {"dashed": {"two_words": True}}
    with pytest.raises(PlanError, match="is given twice"):
        options.read([("dashed", "two-words", "yes"), ("dashed", "two_words", "yes")])
    options.check({"dashed": {"two-words": True}})
    found = options.of("strategy", "dashed")
    assert found is not None
    assert found.make({"two-words": True}) == Dashed(two_words=True)


def test_plugin_receives_its_options_struct() -> None:
    assert SAMPLE.make({"share": 1, "pace": "fast"}) == Sample(share=1.0, pace=Speed.FAST)
    assert SAMPLE.make({}) == Sample()


@given(share=st.floats(0, 1), size=st.integers(1, 19), careful=st.booleans(), note=st.text(max_size=5))
def test_values_valid_for_the_struct_are_accepted(share: float, size: int, careful: bool, note: str) -> None:
    values: dict[str, PluginValue] = {"share": share, "size": 5 * size, "careful": careful, "note": note}
    known(SAMPLE).check({"sample": values})
    assert SAMPLE.make(values) == Sample(share=share, size=5 * size, careful=careful, note=note)


STRUCTS = {
    "class Odd(msgspec.Struct): a: int = 1": "must be a frozen msgspec.Struct",
    "class Odd: a = 1": "must be a frozen msgspec.Struct",
    "Odd = 3": "must be a frozen msgspec.Struct",
    "class Odd(msgspec.Struct, frozen=True): a: int": "option odd.a needs a default",
    "class Odd(msgspec.Struct, frozen=True): a: list[int] = []": "option odd.a has a type that options cannot have",
    "class Odd(msgspec.Struct, frozen=True): a: int | str = 1": "option odd.a has a type that options cannot have",
    "class Odd(msgspec.Struct, frozen=True): a: Literal[1, 2] = 1": "option odd.a has a type that options cannot have",
    "class Odd(msgspec.Struct, frozen=True): a: int | None = 1": "option odd.a may be None, so None has to be",
    "class Odd(msgspec.Struct, frozen=True): a: int = 'x'": "odd.a must be a whole number, not 'x'",
    "class Odd(msgspec.Struct, frozen=True): a: 'Nowhere' = 1": "name 'Nowhere' is not defined",
}


@pytest.mark.parametrize("struct", STRUCTS)
def test_unsupported_options_struct_breaks_only_its_plugin(install: Install, struct: str) -> None:
    code = (
        f"import msgspec\nfrom typing import Literal\n{struct}\n@hookimpl\ndef tui_importer_strategies():\n"
        "    return [StrategySpec('odd', '', object, options=Odd)]\n"
    )
    registry = load_registry(found=[install("odd", code), install("slow", WITH_OPTIONS)])
    [info] = [info for info in registry.plugins() if info.state is PluginState.BROKEN]
    assert STRUCTS[struct] in info.detail
    assert [options.plugin for options in registry.options] == ["processes", "lines", "slow"]
    assert "odd" not in registry.strategy_names()


def test_plugins_of_different_kinds_with_options_need_unique_names(install: Install) -> None:
    reader = (
        "import msgspec\nclass Few(msgspec.Struct, frozen=True): a: int = 1\n@hookimpl\ndef tui_importer_readers():\n"
        "    return [ReaderSpec('idle', '', object, extensions=('.idle',), options=Few)]\n"
    )
    registry = load_registry(found=[install("first", WITH_OPTIONS), install("second", reader)])
    assert "plugin with options 'idle' is already brought by first 1.2" in registry.warnings[0]


@pytest.fixture
def registry(install: Install) -> Registry:
    """The built-in plugins and one with options."""
    return load_registry(found=[install("slow", WITH_OPTIONS)])


@pytest.fixture
def words(tmp_path: Path) -> Path:
    path = tmp_path / "words.lines"
    path.write_text("word\na\n#\nb\n")
    return path


def plan(words: Path, strategy: str = "slow", **plugin_options: dict[str, PluginValue]) -> Plan:
    return Plan(
        source=Source(file=words),
        target=Target(database=words.with_name("w.db"), table="words"),
        options=Options(strategy=strategy, plugin_options=plugin_options),
    )


def test_options_reach_the_plugins_of_a_run_and_its_report(registry: Registry, words: Path) -> None:
    note = words.with_name("n")
    made = plan(words, slow={"pause": 2, "order": "last", "note": "n"}, lines={"upper": True, "comment": "#"})
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(words.parent)
        report = Run(made, registry=registry).execute()
    assert (report.outcome, report.stats.inserted, report.notes) == ("complete", 2, ())
    assert report.plugin_options == made.options.plugin_options
    with closing(sqlite3.connect(words.with_name("w.db"))) as database:
        [[column]] = database.execute("SELECT name FROM pragma_table_info('words')").fetchall()
        assert database.execute(f"SELECT {column} FROM words").fetchall() == [("A",), ("B",)]
    assert note.read_text().startswith("SlowOptions(pause=2.0, order=<Order.LAST: 'last'>, depth=None, careful=False")


def test_plugins_without_given_options_use_their_defaults(registry: Registry, words: Path) -> None:
    report = Run(plan(words), registry=registry).execute()
    assert (report.stats.inserted, report.plugin_options) == (3, {})


def test_plugin_options_do_not_affect_the_import_identity(registry: Registry, words: Path) -> None:
    assert Run(plan(words, slow={"pause": 1.0}), registry=registry).execute().outcome == "complete"
    again = Run(plan(words, slow={"pause": 2.0}), registry=registry).execute()
    assert (again.outcome, again.stats.inserted) == ("already_imported", 0)


def test_options_of_an_unused_plugin_are_noted(registry: Registry, words: Path) -> None:
    events: list[AnyEvent] = []
    made = plan(words, strategy="batched", slow={"pause": 1.0})
    report = Run(made, registry=registry, listener=events.append).execute()
    note = "the options of 'slow' are not used: the strategy of this import is 'batched'"
    assert note in report.notes
    assert note in [event.message for event in events if isinstance(event, Noticed)]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"slow": {"pause": 10}}, "slow.pause must be a number from 0 to 9, not 10"),
        ({"slow": {"paus": 1}}, "did you mean 'pause'?"),
        ({"slwo": {"pause": 1}}, "did you mean 'slow'?"),
        ({"batched": {"pause": 1}}, "no plugin called 'batched' has options"),
        ({"slow": {"careful": True, "pause": 0}}, "careful needs a pause"),
    ],
)
def test_run_with_invalid_options_is_refused_before_the_database_is_created(
    registry: Registry, words: Path, options: dict[str, dict[str, PluginValue]], said: str
) -> None:
    with pytest.raises(PlanError) as error:
        Run(plan(words, "slow", **options), registry=registry)
    assert said in str(error.value)
    assert not words.with_name("w.db").exists()


def test_options_of_the_selected_plugins_are_found(registry: Registry, words: Path) -> None:
    def selected(made: Plan) -> list[str]:
        return [options.plugin for options in options_of(choose(made, registry), registry)]

    assert selected(plan(words)) == ["lines", "slow"]
    assert selected(plan(words, strategy="idle")) == ["lines", "slow"]
    assert selected(plan(words.with_suffix(".csv"), strategy="async")) == []


def test_plugins_are_listed_with_their_options(registry: Registry) -> None:
    infos: dict[str, Any] = {info.name: info.options for info in registry.plugins()}
    assert infos["batched"] == {}
    assert infos["lines"]["upper"] == {"type": "boolean", "description": "In capitals.", "default": False}
    assert infos["slow"]["order"]["enum"] == ["first", "last"]


def test_spec_with_options_can_be_pickled() -> None:
    spec = StrategySpec("sample", "", "tui_importer.strategies.batched:Batched", options=Sample)
    assert pickle.loads(pickle.dumps(spec)) == spec
