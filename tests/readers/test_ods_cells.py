"""Cells of ods files that python-calamine gives as blanks or as something else, wherever they stand."""

from __future__ import annotations

import datetime as dt
import random
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.readers.test_error_cells import ODS_ERROR, load, ods
from tests.readers.test_readers_agree import cells
from tui_importer import CellError, SourceError, UncalculatedFormula
from tui_importer.readers import ods_cells as module
from tui_importer.readers.calamine import CalamineReader
from tui_importer.readers.package import Package

if TYPE_CHECKING:
    from tests.conftest import Database

STRING = 'office:value-type="string"'
#: What stands in a row, and what it means.
CASES: dict[str, tuple[str, Any]] = {
    "error": (ODS_ERROR.format("#N/A"), CellError("#N/A")),
    "LibreOffice's own error": (ODS_ERROR.format("Err:502"), CellError("Err:502")),
    "error as other programs write it": (
        '<table:table-cell table:formula="of:=1/0" office:value-type="float" office:value="0"><text:p>#DIV/0!</text:p>'
        "</table:table-cell>",
        CellError("#DIV/0!"),
    ),
    "a text that looks like one": (f"<table:table-cell {STRING}><text:p>#N/A</text:p></table:table-cell>", "#N/A"),
    "uncalculated": ('<table:table-cell table:formula="of:=[.A1]+1"/>', UncalculatedFormula("[.A1]+1")),
    "uncalculated number": (
        '<table:table-cell table:formula="of:=1+1" office:value-type="float"/>',
        UncalculatedFormula("1+1"),
    ),
    "calculated": (
        '<table:table-cell table:formula="of:=1+1" office:value-type="float" office:value="2"><text:p>2</text:p>'
        "</table:table-cell>",
        2.0,
    ),
    "calculated text": (
        f'<table:table-cell table:formula="of:=&quot;a&quot;" {STRING} office:string-value="a"><text:p>a</text:p>'
        "</table:table-cell>",
        "a",
    ),
    "an empty text as LibreOffice writes it": (
        '<table:table-cell table:formula="of:=&quot;&quot;"><text:p/></table:table-cell>',
        None,
    ),
    "tab": (f"<table:table-cell {STRING}><text:p>a<text:tab/>b</text:p></table:table-cell>", "a\tb"),
    "line break": (f"<table:table-cell {STRING}><text:p>a<text:line-break/>b</text:p></table:table-cell>", "a\nb"),
    "paragraphs": (
        f"<table:table-cell {STRING}><text:p>a</text:p><text:p/><text:p>b</text:p></table:table-cell>",
        "a\n\nb",
    ),
    "spaces": (
        f'<table:table-cell {STRING}><text:p>a<text:tab/> <text:s text:c="3"/>b<text:s/></text:p></table:table-cell>',
        "a\t    b ",
    ),
    "a tab in a span": (
        f"<table:table-cell {STRING}><text:p><text:span>a<text:tab/></text:span>b</text:p></table:table-cell>",
        "a\tb",
    ),
    "a tab in a note": (
        f"<table:table-cell {STRING}><office:annotation><text:p>n<text:tab/></text:p></office:annotation>"
        "<text:p>a</text:p></table:table-cell>",
        "a",
    ),
    "a drawing with a text": (
        f"<table:table-cell {STRING}><text:p>a</text:p><draw:custom-shape><text:p>shape</text:p></draw:custom-shape>"
        "</table:table-cell>",
        "a",
    ),
    "CDATA": (f"<table:table-cell {STRING}><text:p>a<![CDATA[<b>]]></text:p></table:table-cell>", "a<b>"),
    "time of day": ('<table:table-cell office:value-type="time" office:time-value="PT06H05M04S"/>', dt.time(6, 5, 4)),
    "span": (
        '<table:table-cell office:value-type="time" office:time-value="PT30H15M00S"/>',
        dt.timedelta(hours=30, minutes=15),
    ),
    "negative span": (
        '<table:table-cell office:value-type="time" office:time-value="-PT00H30M00S"/>',
        dt.timedelta(minutes=-30),
    ),
    "days and parts of seconds": (
        '<table:table-cell office:value-type="time" office:time-value="P1DT2M3.5S"/>',
        dt.timedelta(days=1, minutes=2, seconds=3.5),
    ),
    "no time": ('<table:table-cell office:value-type="time" office:time-value="soon"/>', "soon"),
    "a date before 1900": (
        '<table:table-cell office:value-type="date" office:date-value="1809-02-12"/>',
        dt.date(1809, 2, 12),
    ),
}


def row(*cells: str, repeated: int = 1) -> str:
    attribute = f' table:number-rows-repeated="{repeated}"' if repeated > 1 else ""
    return f'<table:table-row table:style-name="ro1"{attribute}>{"".join(cells)}</table:table-row>'


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("quote", ['"', "'"])
def test_cell_value_is_read_with_either_quote_style(tmp_path: Path, case: str, quote: str) -> None:
    xml, value = CASES[case]
    path = ods(
        tmp_path / "w.ods",
        row(
            "<table:table-cell/>",
            xml.replace('"', quote),
            '<table:table-cell office:value="7" office:value-type="float"/>',
        ),
    )
    expected = {(1, 1): value, (1, 2): 7.0}
    assert cells(CalamineReader(), path, "S") == {
        place: value for place, value in expected.items() if value is not None
    }


@pytest.mark.parametrize("chunk", [7, 64, 1 << 20])
def test_cells_keep_their_positions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    """With repeated, covered, grouped and nested cells, and chunk boundaries anywhere in the XML."""
    original = Package.pieces
    monkeypatch.setattr(Package, "pieces", lambda self, part, size=chunk: original(self, part, chunk))
    chosen = random.Random(chunk)
    rows: list[str] = []
    expected: dict[tuple[int, int], Any] = {}
    number = 1
    for _ in range(200):
        repeated = chosen.choice([1, 1, 1, 3])
        xml, column = [], 0
        for _ in range(chosen.randrange(5)):
            case, value = CASES[chosen.choice(list(CASES))]
            times = chosen.choice([1, 1, 2])
            name = chosen.choice(["table:table-cell", "table:covered-table-cell"])
            xml.append(
                case.replace("table:table-cell", name).replace(
                    f"<{name}", f'<{name} table:number-columns-repeated="{times}"', 1
                )
            )
            for each in range(number, number + repeated):
                expected |= {(each, column + offset): value for offset in range(times)}
            column += times
        rows.append(row(*xml or ["<table:table-cell/>"], repeated=repeated))
        number += repeated
    cut = len(rows) // 2
    text = (
        f"<table:table-header-rows>{rows[0]}</table:table-header-rows>{''.join(rows[1:cut])}"
        f"<table:table-row-group>{''.join(rows[cut:])}</table:table-row-group>"
    )
    before = f'<table:table table:name="other">{row(CASES["error"][0])}</table:table>'
    path = ods(tmp_path / "w.ods", text, before)
    found = cells(CalamineReader(), path, "S")
    assert found == {place: value for place, value in expected.items() if value is not None}


def test_too_many_hidden_cells_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MAX_FOUND", 1000)
    repeated = ODS_ERROR.format("#N/A").replace(
        "<table:table-cell", '<table:table-cell table:number-columns-repeated="900"'
    )
    path = ods(tmp_path / "w.ods", row(repeated, repeated=1_000_000))
    with pytest.raises(SourceError, match="more than 1,000"):
        module.ods_cells(path, "S", 0)


def test_document_type_is_refused(tmp_path: Path) -> None:
    path = ods(tmp_path / "w.ods", row(ODS_ERROR.format("#N/A")) + "<!-- unusual -->" + row(ODS_ERROR.format("#N/A")))
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name).decode() for name in archive.namelist()}
    parts["content.xml"] = parts["content.xml"].replace("?>", '?><!DOCTYPE a [<!ENTITY a "b">]>', 1)
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
    with pytest.raises(SourceError, match="document type"):
        module.ods_cells(path, "S", 0)


def test_durations_become_intervals(tmp_path: Path, sqlite: Database) -> None:
    times = ["PT00H00M00S", "PT06H00M00S", "PT30H00M00S", "-PT18H00M00S"]
    head = row(*(f"<table:table-cell {STRING}><text:p>{name}</text:p></table:table-cell>" for name in ("id", "value")))
    body = "".join(
        row(
            f'<table:table-cell office:value-type="float" office:value="{number}"/>',
            f'<table:table-cell office:value-type="time" office:time-value="{time}"/>',
        )
        for number, time in enumerate(times)
    )
    report = load(ods(tmp_path / "w.ods", head + body), sqlite, verify=True)
    assert (report.outcome, report.columns[1].type) == ("complete", "interval")
    assert [v for (v,) in sqlite.fetch("SELECT value FROM t ORDER BY id")] == [
        "0:00:00",
        "6:00:00",
        "30:00:00",
        "-18:00:00",
    ]


def test_uncalculated_formulas_are_rejected(tmp_path: Path, sqlite: Database) -> None:
    head = row(*(f"<table:table-cell {STRING}><text:p>{name}</text:p></table:table-cell>" for name in ("id", "value")))
    number = '<table:table-cell office:value-type="float" office:value="1"/>'
    report = load(ods(tmp_path / "w.ods", head + row(number, number) + row(number, CASES["uncalculated"][0])), sqlite)
    assert [(reject.cell, reject.reason.partition(":")[0]) for reject in report.rejects] == [
        ("S!B3", "formula was never calculated")
    ]


def test_merged_cells_of_the_first_rows_are_found(tmp_path: Path) -> None:
    text = f"<table:table-cell {STRING}{{}}><text:p>{{}}</text:p></table:table-cell>"
    wide = text.format(' table:number-columns-spanned="2" table:number-rows-spanned="1"', "2022")
    covered = "<table:covered-table-cell/>"
    blank = '<table:table-cell table:number-columns-repeated="3"/>'
    rows = [
        f'<table:table-row table:number-rows-repeated="2">{blank}</table:table-row><table:table-row/>',
        f"<table:table-row>{text.format('', 'Region')}{wide}{covered}{text.format('', 'Sum')}{wide}</table:table-row>",
        f"<table:table-row>{blank}{wide}{covered}</table:table-row>",
    ]
    with CalamineReader().open(ods(tmp_path / "merged.ods", "".join(rows))) as workbook:
        sheet = workbook.sheet("S")
        assert [str(each) for each in sheet.merged(99)] == ["B4:C4", "E4:F4", "D5:E5"]
        assert [str(each) for each in sheet.merged(4)] == ["B4:C4", "E4:F4"]
