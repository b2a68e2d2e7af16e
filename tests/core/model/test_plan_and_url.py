"""Plans by file, and addresses that never show their password."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.support.examples import examples
from tui_importer import ColumnPlan, Options, Plan, PlanError, Source, Target, UsageError, load_plan, save_plan
from tui_importer.core.model.formats import ColumnFormat, Formats
from tui_importer.core.model.plan import checked
from tui_importer.core.model.url import parse_address, portable_address, sqlite_path
from tui_importer.core.writing.backend import ConnectionSettings

NAMES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12).filter(str.strip)
PLUGIN_VALUES = st.one_of(NAMES, st.booleans(), st.integers(-9, 9), st.floats(allow_nan=False))
SOURCES = st.builds(
    Source,
    file=NAMES,
    sheet=st.one_of(st.none(), NAMES, st.integers(1, 9)),
    range=st.sampled_from([None, "A1:B2"]),
    header_row=st.one_of(st.none(), st.integers(0, 99)),
    limit=st.one_of(st.none(), st.integers(1, 99)),
)
PLANS = st.builds(
    Plan,
    source=SOURCES,
    further_sources=st.lists(SOURCES, max_size=2).map(tuple),
    target=st.builds(
        Target,
        database=st.one_of(st.none(), st.from_regex(r"[a-z]{1,8}\.db", fullmatch=True)),
        table=st.one_of(st.none(), NAMES),
    ),
    options=st.builds(
        Options,
        strategy=NAMES,
        workers=st.one_of(st.none(), st.integers(1, 64)),
        types=st.dictionaries(NAMES, st.sampled_from(["text", "integer"]), max_size=3),
        skip=st.lists(NAMES, max_size=2).map(tuple),
        plugin_options=st.dictionaries(NAMES, st.dictionaries(NAMES, PLUGIN_VALUES, max_size=2), max_size=2),
        max_rejects=st.sampled_from([None, "5", "2.5%"]),
        timeout=st.one_of(st.none(), st.floats(0.1, 1e6)),
        dry_run=st.booleans(),
    ),
    columns=st.one_of(
        st.none(),
        st.lists(
            st.builds(ColumnPlan, source=NAMES, letter=st.just("A"), target=NAMES, type=st.just("date")), max_size=3
        ).map(tuple),
    ),
)


@settings(max_examples=examples(60), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(plan=PLANS)
def test_saved_plan_round_trips(tmp_path: Path, plan: Plan) -> None:
    path = tmp_path / "plan.toml"
    save_plan(plan, path)
    assert load_plan(path) == plan
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_plan_file_of_one_source_keeps_its_format(tmp_path: Path) -> None:
    save_plan(Plan(source=Source(file="a.xlsx", sheet="S")), tmp_path / "plan.toml")
    assert (tmp_path / "plan.toml").read_text() == '[source]\nfile = "a.xlsx"\nsheet = "S"\n\n[target]\n\n[options]\n'


def test_a_plan_file_may_name_several_sources(tmp_path: Path) -> None:
    path = tmp_path / "plan.toml"
    path.write_text('[[sources]]\nfile = "a"\n[[sources]]\nfile = "b"\nsheet = 2\n[target]\ntable = "t"\n')
    plan = load_plan(path)
    assert (plan.sources, plan.target.table) == ((Source(file="a"), Source(file="b", sheet=2)), "t")
    path.write_text('[[sources]]\nfile = "a"\n')
    assert load_plan(path) == Plan(source=Source(file="a"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[[sources]]\nfile = "a"\n[source]\nfile = "b"\n', "name every source in [[sources]]"),
        ("sources = []\n", "sources must be a list of tables"),
        ('[sources]\nfile = "a"\n', "sources must be a list of tables"),
        ("sources = [1]\n", "source must be a Source"),
        ('[[sources]]\nfile = "a"\n[[sources]]\nsheet = 1\n', "the key 'file' is missing in [sources]"),
        ('[[sources]]\nfile = "a"\n[[sources]]\nfil = "b"\n', "unknown key 'fil' in [sources 2]: did you mean 'file'?"),
        ("further_sources = []\n", "unknown key 'further_sources'"),
        ("", "the key 'source' is missing"),
        ('[source]\nfile = "a"\nsheeet = "S"\n', "unknown key 'sheeet' in [source]: did you mean 'sheet'?"),
        ('[source]\nfile = "a"\n[option]\n', "unknown key 'option': did you mean 'options'?"),
        ('[source]\nfile = "a"\n[[columns]]\nsource = "x"\nletter = "A"\ntarget = "x"\ntyp = "text"\n', "'type'"),
        ('[source]\nfile = "a"\n[options]\nzzz = 1\n', "known keys: strategy, executor, workers"),
        ('[source]\nfile = "a"\n[options]\nworkers = "two"\n', "workers"),
        ("[source]\n", "file"),
        ("[source\n", "TOML"),
        ('version = 99\n[source]\nfile = "a"\n', "99"),
        ("\0", "TOML"),
    ],
)
def test_invalid_plan_file_error_names_the_key(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "plan.toml"
    path.write_text(text)
    with pytest.raises(PlanError) as error:
        load_plan(path)
    assert str(path) in str(error.value)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"workers": 0}, "workers"),
        ({"batch_size": -1}, "batch_size"),
        ({"timeout": 0.0}, "timeout"),
        ({"timeout": float("nan")}, "timeout"),
        ({"max_rate": float("inf")}, "max_rate"),
        ({"max_rejects": "5 %"}, "max_rejects"),
        ({"max_rejects": "-1"}, "max_rejects"),
        ({"types": {"a": "intger"}}, "'a'"),
    ],
)
def test_invalid_option_values_are_refused(options: dict[str, object], said: str) -> None:
    with pytest.raises(PlanError, match=said):
        checked(Plan(source=Source(file="a.xlsx"), options=Options(**options)))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "scheme", "display"),
    [
        ("postgresql://u:secret@h:5/d", "postgresql", "postgresql://u@h:5/d"),
        ("postgres://u@h/d", "postgres", "postgres://u@h/d"),
        ("postgresql:///d", "postgresql", "postgresql:///d"),
        (
            "postgresql://h/d?password=secret&sslmode=require",
            "postgresql",
            "postgresql://h/d?password=***&sslmode=require",
        ),
        ("host=h dbname=d password=secret", "postgresql", "host=h dbname=d password=***"),
        ("host=h password='a secret' dbname=d", "postgresql", "host=h password=*** dbname=d"),
        ("mysql://h/d?passwd=secret&charset=utf8", "mysql", "mysql://h/d?passwd=***&charset=utf8"),
        (
            "mssql+pyodbc:///?odbc_connect=UID%3Du%3BPWD%3Dsecret%3B&fast=1",
            "mssql+pyodbc",
            "mssql+pyodbc:///?odbc_connect=UID%3Du%3BPWD%3D***&fast=1",
        ),
        ("service=shop", "postgresql", "service=shop"),
        ("sqlite:///a/b.db", "sqlite", "a/b.db"),
        ("sqlite:////a/b.db", "sqlite", "/a/b.db"),
        ("a b.db", "sqlite", "a b.db"),
        ("a é.db", "sqlite", "a é.db"),
        ("a b\udce9.db", "sqlite", "sqlite:///a%20b%E9.db"),
        ("/a/b\udce9.db", "sqlite", "sqlite:////a/b%E9.db"),
        ("sqlite:///b%E9.db", "sqlite", "sqlite:///b%E9.db"),
        ("mysql+pymysql://u:secret@h/d", "mysql+pymysql", "mysql+pymysql://u@h/d"),
    ],
)
def test_addresses_are_parsed_and_displayed_without_passwords(text: str, scheme: str, display: str) -> None:
    address = parse_address(text)
    assert (address.scheme, address.display) == (scheme, display)
    assert "secret" not in repr(address)
    # What tracebacks and logs with values in them would show.
    plan = Plan(source=Source(file="a.xlsx"), target=Target(database=text))
    assert "secret" not in repr(plan) + repr(ConnectionSettings(text, "tui_importer/test", 10.0))


def test_undecodable_database_path_is_kept_as_a_url() -> None:
    target = Target(database="a\udce9.db")
    assert target.database == "sqlite:///a%E9.db"
    assert sqlite_path(parse_address(target.database)) == "a\udce9.db"


@pytest.mark.parametrize(
    "part",
    [
        {"target": Target(table="t\udce9")},
        {"target": Target(database="postgresql://u:secret@h/\udce9")},
        {"options": Options(set={"c": "\udce9"})},
        {"formats": Formats(columns={"c": ColumnFormat(null_if=("\udce9",))})},
        {"formats": Formats(columns={"\udce9": ColumnFormat()})},
    ],
)
def test_plan_refuses_unstorable_text(part: dict[str, Any]) -> None:
    with pytest.raises(PlanError, match="not UTF-8") as error:
        checked(Plan(source=Source(file="a.csv"), **part))
    assert "secret" not in str(error.value)


@pytest.mark.parametrize(
    "text", ["", "  ", "a\ud800.db", "http:/x://y", "sqlite://a.db", "postgresql//u:p@h/d", "u:p@h/d"]
)
def test_invalid_addresses_are_refused_without_being_shown(text: str) -> None:
    with pytest.raises(UsageError) as error:
        parse_address(text)
    assert "u:p" not in str(error.value)


@pytest.mark.parametrize("text", [":memory:", "sqlite://", "sqlite:///:memory:"])
def test_a_database_in_memory_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="memory"):
        sqlite_path(parse_address(text))


@given(password=st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S")), min_size=4, max_size=12))
@example("p@ss:w/rd?#%")
@example("'quo''ted'")
def test_no_password_is_ever_shown(password: str) -> None:
    secret = f"Z9{password}9Z"
    for text in (
        f"postgresql://user:{quote(secret, safe='')}@host/db",
        f"postgresql://user:{secret}@host/db",
        f"postgresql://host/db?password={quote(secret, safe='')}",
        "host=h password='" + secret.replace("\\", "\\\\").replace("'", "\\'") + "'",
    ):
        try:
            shown = repr(parse_address(text)) + parse_address(text).display
        except UsageError as error:
            shown = str(error)
        assert secret not in shown
        assert quote(secret, safe="") not in shown


@pytest.mark.parametrize(
    ("text", "portable"),
    [
        ("postgresql://h/d", "postgresql://h/d"),
        ("postgres://u:p@h:5433,i/d?sslmode=require", "postgres://u@h:5433,i/d?sslmode=require"),
        ("postgresql:///d?host=/run&password=p&connect_timeout=3", "postgresql:///d?host=/run&connect_timeout=3"),
        ("postgresql://u@h/d?password=p", "postgresql://u@h/d"),
        ("host=h password='a b' dbname=d", "host=h  dbname=d"),
        ("host=h passfile=/f dbname=d", "host=h passfile=/f dbname=d"),
        ("sqlite+pysqlite:///rows.db", "sqlite+pysqlite:///rows.db"),
        ("sqlite:////srv/a%20b.db", "sqlite:////srv/a%20b.db"),
        ("/srv/a?b.db", "sqlite:////srv/a%3Fb.db"),
    ],
)
def test_portable_address_is_unchanged_except_for_the_password(text: str, portable: str) -> None:
    assert portable_address(text) == portable
    assert portable_address(portable) == portable
    assert parse_address(portable).scheme == parse_address(text).scheme


@given(
    password=st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S"]), min_size=1, max_size=20),
    form=st.sampled_from(
        ["postgresql://0:{}@1/2", "postgresql://0@1/2?password={}&sslmode=require", "mysql+pymysql://0:{}@1:3/2?a=4"]
    ),
)
def test_no_password_is_left_in_a_portable_address(password: str, form: str) -> None:
    written = f"<{password}>"  # not part of the rest of the address
    portable = portable_address(form.format(quote(written, safe="")))
    assert quote(written, safe="") not in portable
    assert portable_address(form.format(quote("another", safe=""))) == portable


@pytest.mark.parametrize("name", ["plain.db", "caf\udce9.db", "a:b@c ?.db"])
def test_portable_sqlite_address_works_from_another_folder(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    portable = portable_address(f"sqlite:///{quote(name, errors='surrogateescape')}")
    monkeypatch.chdir("/")
    assert sqlite_path(parse_address(portable)) == str(tmp_path / name)
