"""Whole imports into PostgreSQL, compared with what people would use instead: whole processes, in turns.

``python -m benchmarks.peer [--rows N ...] [--data KIND ...] [--peers NAME ...] [--rounds N] [--output FOLDER]`` makes
the data, starts PostgreSQL, and runs this program with and without the compiled reader (if that is installed) and the
scripts in ``benchmarks/peers``, each in a virtual environment of its own with packages from PyPI. The first round
checks that every value is in; several peers change values, which the table says. Ratios are to the fastest peer that
changes none, medians of the rounds' ratios; there are no figures of peers that fail. ``table.md`` and ``chart.svg`` are
written to the folder. With ``--indexed``, the table has six indexes: this program makes them after the load, the peers
find them there.
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
from benchmarks.measuring import TABLE, FailedError, Taken, fresh, measured
from benchmarks.peer_data import KINDS, Kind, write
from benchmarks.peer_report import Comparison, Result, markdown, svg
from benchmarks.peer_values import changes
from benchmarks.server import postgres
from tui_importer.plugins.registry import DISABLE_VARIABLE
from tui_importer.text.safe import shortened

SCRIPTS = Path(__file__).with_name("peers")
#: The peers, each with its script. The table must exist for the first one; the last one cannot fill a table of others.
PEERS = {
    "calamine + COPY": "calamine_copy",
    "DuckDB": "duckdb_attach",
    "polars + ADBC": "polars_adbc",
    "fastexcel + ADBC": "fastexcel_adbc",
    "pandas": "pandas_sql",
    "dlt": "dlt_pipeline",
}
NEEDS_TABLE, MAKES_TABLE = "calamine + COPY", "dlt"
NATIVE, OURS = "tui-importer, native", "tui-importer"


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


def contenders(names: Sequence[str], *, indexed: bool) -> list[Contender]:
    """This program, and the peers of these names, with their environments made."""
    program, found = (sys.executable, "-m", "tui_importer"), list[Contender]()
    without = {**os.environ, DISABLE_VARIABLE: "tui-importer-native"}
    if find_spec("tui_importer_native") is not None:
        found.append(Contender(NATIVE, True, program, os.environ))
    found.append(Contender(OURS, True, program, without))
    for name in names:
        if indexed and name == MAKES_TABLE:
            continue
        script = SCRIPTS / f"{PEERS[name]}.py"
        print(f"environment of {name} ...", file=sys.stderr)
        try:
            found.append(Contender(name, False, (interpreter(script), str(script)), os.environ))
        except subprocess.CalledProcessError as error:
            said = (error.stderr or b"").decode().strip().splitlines()
            trouble = f"not installed: {said[-1] if said else error}"
            found.append(Contender(name, False, (), os.environ, trouble=trouble))
    return found


def once(each: Contender, kind: Kind, file: Path, url: str, *, indexed: bool) -> Taken:
    """Import the file into a new table."""
    if each.ours:
        fresh(url)
        schema = () if indexed else ("--schema", "infer")
        options = ("--db", url, "--table", TABLE, "-q", "--no-ui", *schema)
        return measured([*each.command, str(file), *options], each.environment)
    there = indexed or each.name == NEEDS_TABLE
    fresh(url, plain=there and not indexed, indexed=indexed, columns=kind.columns)
    return measured([*each.command, str(file), url, TABLE, *(["exists"] if there else [])], each.environment)


def compare(
    all_: Sequence[Contender], kind: Kind, file: Path, count: int, url: str, rounds: int, *, indexed: bool
) -> None:
    """Run all in turns. The first round is a warm-up, after which the values are compared."""
    for turn in range(rounds + 1):
        for each in all_ if turn % 2 else reversed(all_):
            if each.trouble:
                continue
            print(f"  round {turn} of {rounds}: {each.name} ...", file=sys.stderr)
            try:
                taken = once(each, kind, file, url, indexed=indexed)
            except FailedError as error:
                each.trouble = shortened(str(error), 120)
                continue
            if turn:
                each.taken.append(taken)
            else:
                each.changed = changes(url, kind, count)


def ranked(all_: Sequence[Contender]) -> list[Result]:
    """The results, the fastest first; ratios are to the fastest peer that changes no value, or to the fastest peer."""
    done = [each for each in all_ if each.taken and not each.trouble]
    peers = [each for each in done if not each.ours]
    pool = [each for each in peers if not each.changed] or peers or done
    best = min(pool, key=lambda each: Taken.median(each.taken).clock, default=None)
    results = []
    for each in all_:
        taken = ratio = None
        if best is not None and each in done:
            taken = Taken.median(each.taken)
            ratio = statistics.median(a.clock / b.clock for a, b in zip(each.taken, best.taken, strict=True))
        results.append(Result(each.name, each.ours, taken, ratio, each.changed, each.trouble))
    return sorted(results, key=lambda each: each.taken.clock if each.taken else float("inf"))


def about(rounds: int) -> str:
    """What the figures were measured with."""
    return (
        f"Medians of {rounds} rounds in turns, whole processes, PostgreSQL on the same machine: {os.cpu_count()} "
        f"cores, load {os.getloadavg()[0]:.1f} at the end, Python {platform.python_version()}. CPU seconds and peak "
        "memory are the program's, without the server. On a busy machine, seconds and ratios mean little."
    )


def main() -> None:
    """Compare all kinds of data that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--data", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--peers", nargs="*", choices=PEERS, default=list(PEERS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--indexed", action="store_true", help="only the business data, into a table with six indexes")
    parser.add_argument("--output", type=Path, default=Path("benchmark-results"))
    options = parser.parse_args()
    comparisons, names = [], ["business"] if options.indexed else options.data
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tui_importer-benchmark-")))
        os.environ["XDG_STATE_HOME"] = str(folder / "state")
        ways = contenders(options.peers, indexed=options.indexed)
        url = stack.enter_context(postgres())
        for rows in options.rows:
            for name in names:
                kind = KINDS[name]
                count, file = max(1, round(rows * kind.share)), folder / f"{name}.{kind.suffix}"
                title = f"{name}, {count:,} rows{', six indexes' if options.indexed else ''}"
                print(f"{title} ...", file=sys.stderr)
                write(kind, count, file)
                these = [
                    Contender(way.name, way.ours, way.command, way.environment, trouble=way.trouble) for way in ways
                ]
                compare(these, kind, file, count, url, options.rounds, indexed=options.indexed)
                comparisons.append(Comparison(title, ranked(these)))
                file.unlink()
    text = markdown(comparisons, about(options.rounds))
    print(text)
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / "table.md").write_text(text, encoding="utf-8")
    (options.output / "chart.svg").write_text(svg(comparisons), encoding="utf-8")


if __name__ == "__main__":
    main()
