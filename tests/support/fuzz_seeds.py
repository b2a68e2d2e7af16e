"""The good files from which the fuzzer makes broken ones: one of each format, with every kind of cell that it has."""

from __future__ import annotations

import datetime as dt
import gzip
import io
import tempfile
from pathlib import Path

import xlsxwriter
import xlwt

from tests.readers.hostile_files import ods, ods_cell, ods_row
from tests.support.fuzz import Seed
from tests.support.mutations import mutate_binary, mutate_package, mutate_text

_NAMES = ("Ana", "Émile", "Łucja", "Zoë", "O'Brien", 'the "Bear"', "two\nlines", "a,b;c", "=1+1", "00042", "#N/A")


def seeds() -> list[Seed]:
    """All of them."""
    texts = [_text(delimiter) for delimiter in ",;\t"]
    texts += ["".join(f"{number} {name.split()[0]}\n" for number, name in enumerate(_NAMES))]
    encoded = [text.encode() for text in texts] + [texts[0].encode("utf-8-sig"), texts[0].encode("utf-16")]
    return [
        *(Seed(".csv", data, mutate_text) for data in encoded),
        Seed(".csv.gz", gzip.compress(encoded[0]), mutate_binary),
        *(Seed(".xlsx", data, mutate_package) for data in (_xlsx(), _xlsx(), _xlsx(inline=True))),
        Seed(".ods", _ods(), mutate_package),
        Seed(".xls", _xls(), mutate_binary),
    ]


def _text(delimiter: str) -> str:
    lines = [delimiter.join(("id", "name", "amount", "day"))]
    for number, name in enumerate(_NAMES * 3, start=1):
        quoted = '"' + name.replace('"', '""') + '"' if set(name) & set('",;\n') else name
        lines.append(delimiter.join((str(number), quoted, f"{number * 1.25:.2f}", f"2024-02-{number % 28 + 1:02}")))
    return "\n".join(lines) + "\n"


def _xlsx(*, inline: bool = False) -> bytes:
    buffer = io.BytesIO()
    # Texts stand in the sheet if a workbook is written row by row, otherwise in a part of their own.
    with xlsxwriter.Workbook(buffer, {"constant_memory": inline, "in_memory": not inline}) as book:
        day, bold = book.add_format({"num_format": "yyyy-mm-dd"}), book.add_format({"bold": True})
        sheet = book.add_worksheet("Data")
        sheet.write_row(0, 0, ["id", "name", "amount", "day", "yes", "sum", "rich"])
        for row, name in enumerate(_NAMES, start=1):
            sheet.write_number(row, 0, row)
            sheet.write_string(row, 1, name)
            sheet.write_number(row, 2, row * 1.25)
            sheet.write_datetime(row, 3, dt.datetime(2024, 2, row), day)
            sheet.write_boolean(row, 4, row % 2 == 0)
            if row % 5 == 0:
                sheet.write_formula(row, 5, "=1/0", None, "#DIV/0!")
            else:
                sheet.write_formula(row, 5, f"=A{row + 1}*2", None, row * 2)
            sheet.write_rich_string(row, 6, "plain ", bold, f"bold {row}")
        sheet.merge_range("A14:B14", "merged")
        book.add_worksheet("Other").write_row(0, 0, ["a", "b"])
    return buffer.getvalue()


def _ods() -> bytes:
    def text(content: str) -> str:
        return f'<table:table-cell office:value-type="string"><text:p>{content}</text:p></table:table-cell>'

    rows = [ods_row(text("id") + text("name"))]
    rows += [
        ods_row(ods_cell(number) + text(name)) for number, name in enumerate(("Ana", "Émile", "x &amp; y"), start=1)
    ]
    with tempfile.TemporaryDirectory() as folder:
        return ods(Path(folder) / "seed.ods", "".join(rows)).read_bytes()


def _xls() -> bytes:
    book = xlwt.Workbook()
    sheet = book.add_sheet("Data")
    for column, header in enumerate(("id", "name", "amount", "yes")):
        sheet.write(0, column, header)
    for row, name in enumerate(_NAMES, start=1):
        for column, cell in enumerate((row, name, row * 1.25, row % 2 == 0)):
            sheet.write(row, column, cell)
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()
