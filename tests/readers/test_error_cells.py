"""Error cells of every format: one policy, one outcome."""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import xlsxwriter

from tests.readers.binary_workbooks import Xls, Xlsb
from tui_importer import Options, Plan, Report, Source, Target, run_import
from tui_importer.readers.biff import ERROR_CODES

if TYPE_CHECKING:
    from tests.conftest import Database

#: Those that XlsxWriter knows as well.
ERRORS = {code: text for code, text in ERROR_CODES.items() if text != "#GETTING_DATA"}
FORMATS = ("xlsx", "xls", "xlsb", "ods")
NAMESPACES = " ".join(
    f'xmlns:{prefix}="urn:{name}"'
    for prefix, name in {
        "office": "oasis:names:tc:opendocument:xmlns:office:1.0",
        "table": "oasis:names:tc:opendocument:xmlns:table:1.0",
        "text": "oasis:names:tc:opendocument:xmlns:text:1.0",
        "draw": "oasis:names:tc:opendocument:xmlns:drawing:1.0",
        "calcext": "org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0",
    }.items()
)
ODS_ERROR = (
    '<table:table-cell table:formula="of:=1/0" office:value-type="string" office:string-value="" '
    'calcext:value-type="error"><text:p>{}</text:p></table:table-cell>'
)


def ods(path: Path, rows: str, before: str = "") -> Path:
    """An ods file with one table S (``before`` comes before it) of these rows."""
    xml = (
        f'<?xml version="1.0" encoding="UTF-8"?><office:document-content {NAMESPACES}><office:body>'
        f'<office:spreadsheet>{before}<table:table table:name="S">{rows}</table:table></office:spreadsheet>'
        "</office:body></office:document-content>"
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("META-INF/manifest.xml", "<manifest/>")
        archive.writestr("content.xml", xml)
    return path


def errors(path: Path) -> Path:
    """A column of every error of BIFF, each once as a constant and once as a formula's value where the format has
    both, among good numbers: the header, 1, the errors, 2, a blank cell and 3."""
    codes = list(ERRORS)
    match path.suffix:
        case ".xls":
            book = Xls(strings=["value", "id"])
            book.text(0, 0, 1)
            book.text(0, 1, 0)
            book.number(1, 0, 1)
            book.number(1, 1, 1)
            for row, code in enumerate(codes, start=2):
                book.number(row, 0, row)
                if row % 2:
                    book.error(row, 1, code)
                else:
                    book.formula(row, 1, bytes([2, 0, code, 0, 0, 0, 0xFF, 0xFF]))
            for row, value in enumerate([2, None, 3], start=2 + len(codes)):
                book.number(row, 0, row)
                if value is not None:
                    book.formula(row, 1, struct.pack("<d", value))
            return book.write(path)
        case ".xlsb":
            binary = Xlsb()
            binary.text(0, 0, "id")
            binary.text(0, 1, "value")
            binary.number(1, 0, 1)
            binary.number(1, 1, 1)
            for row, code in enumerate(codes, start=2):
                binary.number(row, 0, row)
                if row % 2:
                    binary.error(row, 1, code)
                else:
                    binary.formula_error(row, 1, code)
            for row, value in enumerate([2, None, 3], start=2 + len(codes)):
                binary.number(row, 0, row)
                if value is not None:
                    binary.formula_number(row, 1, value)
            return binary.write(path)
        case ".ods":
            number = (
                '<table:table-cell office:value-type="float" office:value="{0}"><text:p>{0}</text:p></table:table-cell>'
            )
            text = '<table:table-cell office:value-type="string"><text:p>{}</text:p></table:table-cell>'
            cells = [number.format(1), *map(ODS_ERROR.format, ERRORS.values()), number.format(2)]
            cells += ["<table:table-cell/>", number.format(3)]
            rows = [text.format("id") + text.format("value")]
            rows += [number.format(row) + cell for row, cell in enumerate(cells, start=1)]
            return ods(path, "".join(f"<table:table-row>{row}</table:table-row>" for row in rows))
        case _:
            with xlsxwriter.Workbook(path) as book_:
                sheet = book_.add_worksheet("S")
                sheet.write_row(0, 0, ["id", "value"])
                sheet.write_row(1, 0, [1, 1])
                for row, code_ in enumerate(ERRORS.values(), start=2):
                    sheet.write_number(row, 0, row)
                    sheet.write_formula(row, 1, "=1/0", None, code_)
                for row, value in enumerate([2, None, 3], start=2 + len(codes)):
                    sheet.write_row(row, 0, [row, value] if value is not None else [row])
            return path


def load(path: Path, database: Database, **options: Any) -> Report:
    plan = Plan(
        source=Source(file=str(path)), target=Target(database=database.url, table="t"), options=Options(**options)
    )
    return run_import(plan, rejects_file=path.with_suffix(".rejects.xlsx"))


def stored(database: Database) -> list[object]:
    return [value for (value,) in database.fetch("SELECT value FROM t ORDER BY id")]


@pytest.mark.parametrize("format_", FORMATS)
def test_error_cells_are_rejected_with_cell_and_error(tmp_path: Path, sqlite: Database, format_: str) -> None:
    report = load(errors(tmp_path / f"e.{format_}"), sqlite)
    assert (report.outcome, report.exit_code) == ("complete_with_rejects", 3)
    assert [(reject.cell, reject.reason) for reject in report.rejects] == [
        (f"S!B{row}", f"error cell {code}") for row, code in enumerate(ERRORS.values(), start=3)
    ]
    assert stored(sqlite) == [1, 2, None, 3]
    assert {column.target: column.type for column in report.columns}["value"] == "integer"


@pytest.mark.parametrize("format_", FORMATS)
def test_error_cells_are_null_on_request(tmp_path: Path, sqlite: Database, format_: str) -> None:
    report = load(errors(tmp_path / f"e.{format_}"), sqlite, error_cells="null")
    assert (report.outcome, report.exit_code) == ("complete", 0)
    assert stored(sqlite) == [1, *[None] * len(ERRORS), 2, None, 3]


@pytest.mark.parametrize("format_", FORMATS)
def test_error_cells_are_texts_on_request(tmp_path: Path, postgres: Database, format_: str) -> None:
    postgres.execute("CREATE TABLE t (id integer, value text)")
    report = load(errors(tmp_path / f"e.{format_}"), postgres, error_cells="text")
    assert (report.outcome, report.exit_code) == ("complete", 0)
    assert stored(postgres) == ["1", *ERRORS.values(), "2", None, "3"]
