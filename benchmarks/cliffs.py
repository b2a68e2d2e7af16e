"""The cost of unusual contents: whole imports of sheets that hold them, in pairs with the clean sheet of the same size.

``python -m benchmarks.cliffs [--rows N] [--pairs N] [--only NAME] [--database NAME]``. Every sheet is the business
directory with a number, a shop and an amount added, and differs from the clean one in what its name says; the sheet of
200 columns has as many cells as the clean one. Each pair imports both sheets, in alternating order. The result is the
median of the pairs' ratios; on a busy machine the ratio of processor times is more reliable. A budget stands
beside those contents that have one.
"""

from __future__ import annotations

import argparse
import os
import resource
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from random import Random

import psycopg

from benchmarks.server import postgres
from tests.support.business_data import HEADER, SEED, business_rows, write_workbook
from tests.support.make_sample import SHEET_PART
from tui_importer import ExitCode
from tui_importer.core.model.cells import column_letters

#: Every tenth row has an error, every twentieth a key that already exists or does not exist anywhere.
ERRORS, KEYS = 10, 20
SHOPS, WIDE, LONG_TEXT = 100, 200, 2_000
TABLE = "sales"
LEDGER = ("tui_importer_run", "tui_importer_batch", "tui_importer_reject")
KEYED = (
    "CREATE TABLE shops (id integer PRIMARY KEY)",
    f"INSERT INTO shops VALUES {', '.join(f'({number})' for number in range(SHOPS))}",
    f"CREATE TABLE {TABLE} ({', '.join(f'{name.lower()} text' for name in HEADER)}, number integer PRIMARY KEY, "
    "shop integer REFERENCES shops (id), amount double precision)",
)


@dataclass(frozen=True, slots=True)
class Cells:
    """The XML of the three cells that end a row."""

    number: str
    shop: str
    amount: str


@dataclass(frozen=True, slots=True)
class Cliff:
    """A kind of contents. ``change`` is called with a row's number in the sheet and its clean cells; if it is None, the
    sheet has another shape. ``keyed``: the table already exists and has keys."""

    budget: float | None = None
    change: Callable[[int, Cells], Cells] | None = None
    keyed: bool = False
    exit_code: ExitCode = ExitCode.OK


def clean(row: int, cells: Cells) -> Cells:
    """Change nothing."""
    return cells


def number(value: object) -> str:
    """Return the XML of a number, for the part of a cell after its reference."""
    return f"><v>{value}</v>"


def with_amount(amount: Callable[[int, str], str]) -> Callable[[int, Cells], Cells]:
    """Return a change of the last cell alone, computed from the row number and the cells."""
    return lambda row, cells: Cells(cells.number, cells.shop, amount(row, cells.amount))


def every(step: int, change: Callable[[int, Cells], Cells]) -> Callable[[int, Cells], Cells]:
    """Apply the change to each ``step``-th row."""
    return lambda row, cells: cells if row % step else change(row, cells)


def formula(row: int) -> str:
    """Return a formula as spreadsheet programs write it."""
    return f"IF(J{row}&gt;0,ROUND(K{row}*1.19,2),&quot;&quot;)"


ERROR = with_amount(lambda row, cell: ' t="e"><v>#N/A</v>')
CLIFFS: Mapping[str, Cliff] = {
    "formulas": Cliff(1.5, with_amount(lambda row, cell: f"><f>{formula(row)}</f>{cell[1:]}")),
    "shared formulas": Cliff(1.5, with_amount(lambda row, cell: f'><f t="shared" si="0"/>{cell[1:]}')),
    "formulas giving ''": Cliff(1.5, with_amount(lambda row, cell: f' t="str"><f>{formula(row)}</f><v></v>')),
    "never calculated": Cliff(
        None, with_amount(lambda row, cell: f"><f>{formula(row)}</f><v/>"), exit_code=ExitCode.REJECTS
    ),
    "error cells 10 %": Cliff(2.0, every(ERRORS, ERROR), exit_code=ExitCode.REJECTS),
    "all rows bad": Cliff(None, ERROR, exit_code=ExitCode.REJECTS),
    "duplicate keys 5 %": Cliff(
        3.0,
        every(KEYS, lambda row, cells: Cells(number(row - 1), cells.shop, cells.amount)),
        keyed=True,
        exit_code=ExitCode.REJECTS,
    ),
    "foreign keys 5 %": Cliff(
        None,
        every(KEYS, lambda row, cells: Cells(cells.number, number(-1), cells.amount)),
        keyed=True,
        exit_code=ExitCode.REJECTS,
    ),
    "long texts": Cliff(
        None, with_amount(lambda row, cell: f' t="inlineStr"><is><t>{f"{row} text ".ljust(LONG_TEXT, "x")}</t></is>')
    ),
    "200 columns": Cliff(),
    "no rows": Cliff(),
}


def lines(count: int, change: Callable[[int, Cells], Cells]) -> Iterator[str]:
    """Yield the cells that end the header and each of ``count`` rows."""
    yield "".join(
        f'<c r="{letter}1" t="inlineStr"><is><t>{title}</t></is></c>'
        for letter, title in zip("JKL", ("Number", "Shop", "Amount"), strict=True)
    )
    random = Random(SEED).random
    for row in range(2, count + 2):
        cells = change(row, Cells(number(row), number(row % SHOPS), number(int(random() * 1_000_000) / 100)))
        yield f'<c r="J{row}"{cells.number}</c><c r="K{row}"{cells.shop}</c><c r="L{row}"{cells.amount}</c>'


def wide(cells: int) -> str:
    """Yield rows of a sheet with this number of cells in 200 columns, alternating text and number."""
    letters = [column_letters(column) for column in range(WIDE)]
    title, text = '<c r="{0}1" t="inlineStr"><is><t>Column {0}</t></is></c>', '<c r="{}{}" t="s"><v>{}</v></c>'
    rows = [f'<row r="1">{"".join(map(title.format, letters))}</row>']
    for row in range(2, cells // WIDE + 2):
        pairs = zip(letters[::2], letters[1::2], strict=True)
        line = (text.format(a, row, row) + f'<c r="{b}{row}"><v>{row}.5</v></c>' for a, b in pairs)
        rows.append(f'<row r="{row}">{"".join(line)}</row>')
    return "".join(rows)


def write_sheet(base: Path, path: Path, rows: Callable[[str], str]) -> None:
    """Copy the workbook with its rows, as XML, replaced."""
    with zipfile.ZipFile(base) as source, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as target:
        for name in source.namelist():
            part = source.read(name)
            if name == SHEET_PART:
                head, start, rest = part.decode().partition("<sheetData>")
                body, end, tail = rest.partition("</sheetData>")
                part = "".join((head, start, rows(body), end, tail)).encode()
            target.writestr(name, part)


def write_cliff(base: Path, path: Path, name: str, count: int) -> None:
    """Write the sheet of this name, made from the workbook with ``count`` rows."""
    if name == "200 columns":
        write_sheet(base, path, lambda body: wide(count * (len(HEADER) + 3)))
        return
    change, rows = CLIFFS[name].change if name in CLIFFS else clean, 0 if name == "no rows" else count

    def replaced(body: str) -> str:
        ends = lines(rows, change or clean)
        return "".join(f"{row}{end}</row>" for row, end in zip(body.split("</row>"), ends, strict=False))

    write_sheet(base, path, replaced)


def prepare(url: str, *, keyed: bool) -> None:
    """Create the database without rows and without a ledger."""
    statements = [f"DROP TABLE IF EXISTS {name}" for name in (TABLE, "shops", *LEDGER)]
    statements += KEYED if keyed else ()
    if url.startswith("sqlite:///"):
        path = Path(url.removeprefix("sqlite:///"))
        for file in path.parent.glob(f"{path.name}*"):
            file.unlink()
        with closing(sqlite3.connect(path)) as database:
            for statement in statements if keyed else ():
                database.execute(statement)
            database.commit()
        return
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in (*statements, "CHECKPOINT"):
            connection.execute(statement)


def seconds(file: Path, url: str, *, keyed: bool, exit_code: ExitCode) -> tuple[float, float]:
    """Return the elapsed and the processor time of a whole import in seconds (without the database server's share)."""
    prepare(url, keyed=keyed)
    command = [sys.executable, "-m", "tui_importer", str(file), "--db", url, "--table", TABLE, "--no-ui", "-q"]
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    ended = subprocess.run(command, check=False, cwd=file.parent, stdout=subprocess.DEVNULL)
    taken, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    if ended.returncode != exit_code:
        sys.exit(f"{file.name} into {url.partition(':')[0]} ended with {ended.returncode}, not {exit_code.value}")
    return taken, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure(name: str, files: Mapping[str, Path], databases: Mapping[str, str], pairs: int) -> None:
    """Run the pairs on each database and print their medians."""
    cliff = CLIFFS[name]
    for database, url in databases.items():
        taken: dict[str, list[tuple[float, float]]] = {"clean": [], name: []}
        for turn in range(pairs + 1):
            for sheet in ("clean", name) if turn % 2 else (name, "clean"):
                code = cliff.exit_code if sheet == name else ExitCode.OK
                once = seconds(files[sheet], url, keyed=cliff.keyed, exit_code=code)
                if turn:  # the first pair is a warm-up
                    taken[sheet].append(once)
        base, its = (statistics.median(clock for clock, _ in taken[sheet]) for sheet in ("clean", name))
        pairs_taken = list(zip(taken[name], taken["clean"], strict=True))
        clock, cpu = (statistics.median(these[kind] / clean[kind] for these, clean in pairs_taken) for kind in (0, 1))
        budget = f"{cliff.budget:6.1f}" if cliff.budget else "     -"
        print(f"{name:<20} {database:<11} {base:>7.2f} {its:>7.2f} {clock:>7.2f} {cpu:>7.2f} {budget}", flush=True)


def main() -> None:
    """Write the sheets, and measure each on each database."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--only", action="append", choices=tuple(CLIFFS), help="again and again")
    parser.add_argument("--database", choices=("sqlite", "postgresql"))
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tui_importer-benchmark-")))
        os.environ["XDG_STATE_HOME"] = str(folder / "state")
        databases = {}
        if options.database != "postgresql":
            databases["sqlite"] = f"sqlite:///{folder / 'cliffs.db'}"
        if options.database != "sqlite":
            databases["postgresql"] = stack.enter_context(postgres())
        base = folder / "base.xlsx"
        write_workbook(base, business_rows(options.rows))
        files = {"clean": folder / "clean.xlsx"}
        write_cliff(base, files["clean"], "clean", options.rows)
        print(f"{options.rows:,} rows, medians of {options.pairs} pairs, seconds on the clock")
        print(f"{'contents':<20} {'database':<11} {'clean':>7} {'these':>7} {'ratio':>7} {'of CPU':>7} budget")
        for place, name in enumerate(options.only or CLIFFS):
            files[name] = folder / f"cliff{place}.xlsx"
            write_cliff(base, files[name], name, options.rows)
            measure(name, files, databases, options.pairs)
            files.pop(name).unlink()


if __name__ == "__main__":
    main()
