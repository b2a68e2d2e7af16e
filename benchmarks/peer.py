"""Whole imports, compared with what people would use instead: whole processes, in turns.

``python -m benchmarks.peer [--rows N ...] [--data KIND ...] [--peers NAME ...] [--rounds N] [--output FOLDER]`` makes
the data, starts PostgreSQL, and runs this program with and without the compiled reader (if that is installed) and the
scripts in ``benchmarks/peers``, each in a virtual environment of its own with packages from PyPI. The first round
checks that every value is in; several peers change values, which the table says. Ratios are to the fastest peer that
changes none, medians of the rounds' ratios; there are no figures of peers that fail. ``table.md`` and ``chart.svg`` are
written to the folder. ``--database sqlite`` imports into a SQLite file. With ``--indexes made`` the table has six
indexes, which this program makes after the load, and the peers find there; with ``--indexes there`` this program finds
them there, too.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from benchmarks.environments import interpreter
from benchmarks.measuring import TABLE, FailedError, Taken, measured
from benchmarks.peer_data import KINDS, Kind, write
from benchmarks.peer_report import Comparison, Result, markdown, svg
from benchmarks.peer_targets import Indexes, PostgreSQL, SQLite, Target
from benchmarks.peer_values import changes
from benchmarks.server import postgres
from tui_importer.plugins.registry import DISABLE_VARIABLE
from tui_importer.text.safe import shortened

SCRIPTS = Path(__file__).with_name("peers")
#: The script over calamine, with whose memory that of the others is compared.
SCRIPT = "calamine"
#: It cannot fill a table of others.
MAKES_TABLE = "dlt"
#: The kinds of data that are the same in every database: texts.
TEXTS = ("business", "csv")
DATABASES: dict[str, type[PostgreSQL] | type[SQLite]] = {"postgresql": PostgreSQL, "sqlite": SQLite}
NATIVE, OURS = "tui-importer, native", "tui-importer"
_ABOUT = {
    Indexes.NONE: "",
    Indexes.MADE: ", six indexes made by this program",
    Indexes.THERE: ", through six indexes",
}


@dataclass(slots=True)
class Contender:
    """One way to import. ``environment`` are its variables; FILE, DSN and TABLE are appended to a peer's command."""

    name: str
    ours: bool
    command: Sequence[str]
    environment: Mapping[str, str]
    taken: list[Taken] = field(default_factory=list)
    changed: Sequence[str] = ()
    trouble: str = ""


def contenders(scripts: Mapping[str, str]) -> list[Contender]:
    """This program, and the peers by their scripts, with their environments made."""
    program, found = (sys.executable, "-m", "tui_importer"), list[Contender]()
    without = {**os.environ, DISABLE_VARIABLE: "tui-importer-native"}
    if find_spec("tui_importer_native") is not None:
        found.append(Contender(NATIVE, True, program, os.environ))
    found.append(Contender(OURS, True, program, without))
    for name, stem in scripts.items():
        script = SCRIPTS / f"{stem}.py"
        print(f"environment of {name} ...", file=sys.stderr)
        try:
            found.append(Contender(name, False, (interpreter(script), str(script)), os.environ))
        except subprocess.CalledProcessError as error:
            said = (error.stderr or b"").decode().strip().splitlines()
            trouble = f"not installed: {said[-1] if said else error}"
            found.append(Contender(name, False, (), os.environ, trouble=trouble))
    return found


def once(each: Contender, kind: Kind, file: Path, target: Target, indexes: Indexes) -> Taken:
    """Import the file into a new table."""
    if each.ours:
        target.prepare(kind, plain=False, indexed=indexes is Indexes.THERE)
        schema = ("--schema", "infer") if indexes is Indexes.NONE else ()
        options = ("--db", target.url, "--table", TABLE, "-q", "--no-ui", *schema)
        return measured([*each.command, str(file), *options], each.environment)
    indexed = indexes is not Indexes.NONE
    there = indexed or each.name == next(iter(target.peers))
    target.prepare(kind, plain=there and not indexed, indexed=indexed)
    return measured([*each.command, str(file), target.url, TABLE, *(["exists"] if there else [])], each.environment)


def compare(
    all_: Sequence[Contender], kind: Kind, file: Path, count: int, target: Target, rounds: int, indexes: Indexes
) -> None:
    """Run all in turns. The first round is a warm-up, after which the values are compared."""
    for turn in range(rounds + 1):
        for each in all_ if turn % 2 else reversed(all_):
            if each.trouble:
                continue
            print(f"  round {turn} of {rounds}: {each.name} ...", file=sys.stderr)
            try:
                taken = once(each, kind, file, target, indexes)
            except FailedError as error:
                each.trouble = shortened(str(error), 120)
                continue
            if turn:
                each.taken.append(taken)
            else:
                each.changed = changes(target, kind, count)


def ranked(all_: Sequence[Contender]) -> list[Result]:
    """The results, the fastest first; ratios are to the fastest peer that changes no value, or to the fastest peer."""
    done = [each for each in all_ if each.taken and not each.trouble]
    peers = [each for each in done if not each.ours]
    pool = [each for each in peers if not each.changed] or peers or done
    best = min(pool, key=lambda each: Taken.median(each.taken).clock, default=None)
    script = next((Taken.median(each.taken) for each in peers if each.name.startswith(SCRIPT)), None)
    results = []
    for each in all_:
        taken = ratio = memory = None
        if best is not None and each in done:
            taken = Taken.median(each.taken)
            ratio = statistics.median(a.clock / b.clock for a, b in zip(each.taken, best.taken, strict=True))
            memory = taken.megabytes / script.megabytes if script else None
        results.append(Result(each.name, each.ours, taken, ratio, memory, each.changed, each.trouble))
    return sorted(results, key=lambda each: each.taken.clock if each.taken else float("inf"))


def about(rounds: int) -> str:
    """What the figures were measured with."""
    return (
        f"Medians of {rounds} rounds in turns, whole processes, database on the same machine: {os.cpu_count()} "
        f"cores, load {os.getloadavg()[0]:.1f} at the end, Python {platform.python_version()}. CPU seconds and peak "
        "memory are the program's, without the server. On a busy machine, seconds and ratios mean little."
    )


def main() -> None:
    """Compare all kinds of data that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--data", nargs="+", choices=KINDS)
    parser.add_argument("--peers", nargs="*", choices=sorted({*PostgreSQL.peers, *SQLite.peers}))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--database", choices=DATABASES, default="postgresql")
    parser.add_argument("--indexes", choices=Indexes, type=Indexes, default=Indexes.NONE)
    parser.add_argument("--output", type=Path, default=Path("benchmark-results"))
    options = parser.parse_args()
    indexes: Indexes = options.indexes
    possible = ["business"] if indexes is not Indexes.NONE else TEXTS if options.database == "sqlite" else list(KINDS)
    scripts = dict(DATABASES[options.database].peers)
    if indexes is not Indexes.NONE:
        scripts.pop(MAKES_TABLE, None)
    names, peers = options.data or possible, list(scripts) if options.peers is None else options.peers
    if impossible := [name for name in (*names, *peers) if name not in (*possible, *scripts)]:
        parser.error(f"not possible with this database and table: {', '.join(impossible)}")
    comparisons = list[Comparison]()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tui_importer-benchmark-")))
        os.environ["XDG_STATE_HOME"] = str(folder / "state")
        ways = contenders({name: scripts[name] for name in peers})
        target: Target = SQLite(folder / "target.db")
        if options.database == "postgresql":
            target = PostgreSQL(stack.enter_context(postgres()))
        for rows in options.rows:
            for name in names:
                kind = KINDS[name]
                count, file = max(1, round(rows * kind.share)), folder / f"{name}.{kind.suffix}"
                title = f"{name}, {count:,} rows, {options.database}{_ABOUT[indexes]}"
                print(f"{title} ...", file=sys.stderr)
                write(kind, count, file)
                these = [
                    Contender(way.name, way.ours, way.command, way.environment, trouble=way.trouble) for way in ways
                ]
                compare(these, kind, file, count, target, options.rounds, indexes)
                comparisons.append(Comparison(title, ranked(these)))
                file.unlink()
    text = markdown(comparisons, about(options.rounds))
    print(text)
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / "table.md").write_text(text, encoding="utf-8")
    (options.output / "chart.svg").write_text(svg(comparisons), encoding="utf-8")


if __name__ == "__main__":
    main()
