"""Make `sample_data.xlsx`: 10,000 businesses, 13 of them bad, each with exactly one fault.

`python -m tests.support.make_sample [PATH]` writes the sample; with `--rows 100000 PATH` it writes a clean
workbook of that many rows, to measure with.
"""

import argparse
import re
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from xml.sax.saxutils import escape

from tests.support.business_data import HEADER, SEED, business_rows, write_workbook

SAMPLE_PATH = Path(__file__).resolve().parents[2] / "sample_data.xlsx"
SAMPLE_ROWS = 10_000
FIRST_ROW = 2  # the header is row 1 of the sheet

# Bad rows come from another directory, of which only the rows without a blank are used, nearly half of
# them: so nothing but its one fault sets a bad row apart.
BAD_ROW_SEED = SEED + 1
BAD_ROW_SUPPLY = 200

SHEET_PART = "xl/worksheets/sheet1.xml"
PART_DATE = (1980, 1, 1, 0, 0, 0)  # the earliest a zip archive can say


class Fault(StrEnum):
    """What can be wrong with a row of the sample."""

    NO_NAME = "no name"
    ERROR_CELL = "error cell"
    NEVER_CALCULATED = "formula never calculated"
    NUL = "NUL in a text"


@dataclass(frozen=True, slots=True)
class BadRow:
    """The one fault of a row. `content` is the error code, or the formula without '='; else it is empty."""

    column: str
    fault: Fault
    content: str = ""


# By row number of the sheet. Two are neighbours, two stand in the last hundred rows; the first and the last
# row are good.
BAD_ROWS: Mapping[int, BadRow] = MappingProxyType(
    {
        43: BadRow("Name", Fault.NO_NAME),
        217: BadRow("Phone", Fault.ERROR_CELL, "#N/A"),
        1024: BadRow("Name", Fault.NO_NAME),
        1501: BadRow("Description", Fault.NEVER_CALCULATED, 'B1501&" in "&F1501'),
        2718: BadRow("Address", Fault.NUL),
        3142: BadRow("Website", Fault.ERROR_CELL, "#REF!"),
        4096: BadRow("Name", Fault.NO_NAME),
        4097: BadRow("Email", Fault.NEVER_CALCULATED, 'LOWER("info@"&SUBSTITUTE(F4097," ","-")&".example")'),
        6174: BadRow("Name", Fault.NO_NAME),
        7333: BadRow("City", Fault.ERROR_CELL, "#DIV/0!"),
        8191: BadRow("Name", Fault.NUL),
        9950: BadRow("Description", Fault.NEVER_CALCULATED, 'CONCATENATE(B9950,", ",G9950)'),
        9997: BadRow("Name", Fault.NO_NAME),
    }
)


def good_rows() -> list[tuple[str | None, ...]]:
    """The rows of the sample that have no fault, in order; a blank cell is None."""
    return [
        tuple(value or None for value in row)
        for number, row in enumerate(_sample_rows(), FIRST_ROW)
        if number not in BAD_ROWS
    ]


def write_sample(path: Path) -> None:
    """Write the sample workbook to `path`."""
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder, "plain.xlsx")
        write_workbook(plain, _sample_rows())
        with zipfile.ZipFile(plain) as source, zipfile.ZipFile(path, "w") as target:
            for name in source.namelist():
                part = source.read(name)
                if name == SHEET_PART:
                    part = _with_raw_cells(part.decode()).encode()
                info = zipfile.ZipInfo(name, PART_DATE)
                target.writestr(info, part, zipfile.ZIP_DEFLATED, compresslevel=9)


def _sample_rows() -> Iterator[tuple[str, ...]]:
    """The rows of the sample; a cell that is to be blank, an error or a formula is ''."""
    complete = filter(all, business_rows(BAD_ROW_SUPPLY, seed=BAD_ROW_SEED))
    for number, row in enumerate(business_rows(SAMPLE_ROWS), FIRST_ROW):
        bad = BAD_ROWS.get(number)
        yield row if bad is None else _spoilt(next(complete), bad)


def _spoilt(row: tuple[str, ...], bad: BadRow) -> tuple[str, ...]:
    position = HEADER.index(bad.column)
    value = row[position]
    middle = len(value) // 2
    spoilt = f"{value[:middle]}\0{value[middle:]}" if bad.fault is Fault.NUL else ""
    return (*row[:position], spoilt, *row[position + 1 :])


def _with_raw_cells(sheet: str) -> str:
    """Put the cells that no writer writes into the sheet: bare errors and formulas without a value."""
    for number, bad in BAD_ROWS.items():
        cell = f'<c r="{_letter(bad.column)}{number}"'
        match bad.fault:
            case Fault.ERROR_CELL:
                sheet = _insert(sheet, number, bad.column, f'{cell} t="e"><v>{bad.content}</v></c>')
            case Fault.NEVER_CALCULATED:
                sheet = _insert(sheet, number, bad.column, f"{cell}><f>{escape(bad.content)}</f></c>")
            case Fault.NO_NAME | Fault.NUL:
                pass
    return sheet


def _insert(sheet: str, number: int, column: str, cell: str) -> str:
    """Insert a cell after its left neighbour, which a bad row never leaves blank."""
    left = _letter(HEADER[HEADER.index(column) - 1])
    changed, count = re.subn(f'<c r="{left}{number}".*?</c>', lambda found: found[0] + cell, sheet, count=1)
    if count != 1:
        message = f"row {number} has no cell before {column}"
        raise ValueError(message)
    return changed


def _letter(column: str) -> str:
    return "ABCDEFGHI"[HEADER.index(column)]


def main() -> None:
    """Write the sample, or with `--rows` a clean workbook."""
    parser = argparse.ArgumentParser(prog="python -m tests.support.make_sample", description=main.__doc__)
    parser.add_argument(
        "path", nargs="?", type=Path, metavar="PATH", help=f"default: {SAMPLE_PATH.name} of this checkout"
    )
    parser.add_argument("--rows", type=int, metavar="N", help="write N good rows to PATH, no bad one")
    parser.add_argument("--inline", action="store_true", help="with --rows: no shared string table")
    options = parser.parse_args()
    if options.rows is None:
        if options.inline:
            parser.error("--inline goes with --rows")
        write_sample(options.path or SAMPLE_PATH)
    elif options.path is None:
        parser.error("--rows needs a PATH, or it would replace the sample")
    else:
        write_workbook(options.path, business_rows(options.rows), inline_strings=options.inline)


if __name__ == "__main__":
    main()
