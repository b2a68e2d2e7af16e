import re
import sys
import zipfile
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

import openpyxl
import pytest
import python_calamine

from tests.support import business_data, make_sample
from tests.support.business_data import HEADER, business_rows, write_workbook
from tests.support.make_sample import BAD_ROWS, SAMPLE_PATH, Fault, good_rows, write_sample

pytestmark = pytest.mark.once

NAMESPACE = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


def parts(path: Path) -> dict[str, bytes]:
    """The contents of a workbook; compressed bytes differ between versions of zlib."""
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def cells() -> dict[str, ElementTree.Element]:
    """The cells of the committed sample as they stand in the XML, by reference."""
    sheet = ElementTree.fromstring(parts(SAMPLE_PATH)["xl/worksheets/sheet1.xml"])
    return {cell.attrib["r"]: cell for cell in sheet.iter(f"{NAMESPACE}c")}


@pytest.fixture(scope="module")
def shared_strings() -> list[str]:
    """The shared strings as they stand in the XML, escapes and all."""
    table = ElementTree.fromstring(parts(SAMPLE_PATH)["xl/sharedStrings.xml"])
    return ["".join(item.itertext()) for item in table.iter(f"{NAMESPACE}si")]


@pytest.fixture(scope="module")
def read_rows() -> list[list[object]]:
    """Header and rows as python-calamine reads them."""
    with python_calamine.load_workbook(SAMPLE_PATH) as workbook:
        return [list(row) for row in workbook.get_sheet_by_name("Sheet1").to_python()]


def reference(number: int, column: str) -> str:
    return f"{'ABCDEFGHI'[HEADER.index(column)]}{number}"


def test_committed_sample_is_reproduced_by_the_script(tmp_path: Path) -> None:
    again = tmp_path / "again.xlsx"
    write_sample(again)
    made, committed = parts(again), parts(SAMPLE_PATH)
    assert list(made) == list(committed)
    assert [name for name in made if made[name] != committed[name]] == []


def test_thirteen_rows_have_four_kinds_of_faults_some_near_the_end() -> None:
    assert len(BAD_ROWS) == 13
    assert Counter(bad.fault for bad in BAD_ROWS.values()) == {
        Fault.NO_NAME: 5,
        Fault.ERROR_CELL: 3,
        Fault.NEVER_CALCULATED: 3,
        Fault.NUL: 2,
    }
    assert sum(number > 9_901 for number in BAD_ROWS) == 2


def test_bad_cells_are_stored_as_real_faults(cells: dict[str, ElementTree.Element], shared_strings: list[str]) -> None:
    for number, bad in BAD_ROWS.items():
        where = reference(number, bad.column)
        cell = cells.get(where)
        if bad.fault is Fault.NO_NAME:
            assert cell is None, where
            continue
        assert cell is not None, where
        content = {child.tag.removeprefix(NAMESPACE): child.text for child in cell}
        match bad.fault:
            case Fault.ERROR_CELL:
                assert (cell.get("t"), content) == ("e", {"v": bad.content})
            case Fault.NEVER_CALCULATED:
                assert (cell.get("t"), content) == (None, {"f": bad.content})
            case Fault.NUL:
                assert cell.get("t") == "s"
                assert shared_strings[int(content["v"] or "")].count("_x0000_") == 1


def test_bad_rows_have_exactly_one_fault(cells: dict[str, ElementTree.Element]) -> None:
    for number, bad in BAD_ROWS.items():
        for column in HEADER:
            if column != bad.column:
                assert cells[reference(number, column)].get("t") == "s"


def test_every_other_cell_is_text(cells: dict[str, ElementTree.Element], shared_strings: list[str]) -> None:
    faulty = {
        reference(number, bad.column)
        for number, bad in BAD_ROWS.items()
        if bad.fault in {Fault.ERROR_CELL, Fault.NEVER_CALCULATED}
    }
    assert {where for where, cell in cells.items() if cell.get("t") != "s"} == faulty
    assert {where for where, cell in cells.items() if cell.find(f"{NAMESPACE}f") is not None} < faulty
    assert len([text for text in shared_strings if re.search("_x[0-9A-Fa-f]{4}_", text)]) == 2


def test_cells_are_in_column_order(cells: dict[str, ElementTree.Element]) -> None:
    places = [(int(where[1:]), where[0]) for where in cells]
    assert places == sorted(places)


def test_calamine_reads_the_good_rows(read_rows: list[list[object]]) -> None:
    assert len(read_rows) == 10_001
    assert tuple(read_rows[0]) == HEADER
    read = [
        tuple(None if value == "" else value for value in row)
        for number, row in enumerate(read_rows[1:], 2)
        if number not in BAD_ROWS
    ]
    assert len(read) == 9_987
    assert read == good_rows()


def test_calamine_reads_faulty_cells_as_nul_or_blank(read_rows: list[list[object]]) -> None:
    for number, bad in BAD_ROWS.items():
        value = read_rows[number - 1][HEADER.index(bad.column)]
        if bad.fault is Fault.NUL:
            assert isinstance(value, str)
            assert value.count("\0") == 1
        else:
            assert value == ""


def test_openpyxl_reads_the_good_rows_and_the_faults() -> None:
    sheet = openpyxl.load_workbook(SAMPLE_PATH)["Sheet1"]
    assert sheet.dimensions == "A1:I10001"
    assert (sheet.freeze_panes, sheet.auto_filter.ref) == ("A2", "A1:I10001")
    assert sheet["A1"].font.bold
    values = list(sheet.iter_rows(min_row=2, values_only=True))
    assert [row for number, row in enumerate(values, 2) if number not in BAD_ROWS] == good_rows()
    for number, bad in BAD_ROWS.items():
        cell = sheet[reference(number, bad.column)]
        match bad.fault:
            case Fault.ERROR_CELL:
                assert (cell.data_type, cell.value) == ("e", bad.content)
            case Fault.NEVER_CALCULATED:
                assert (cell.data_type, cell.value) == ("f", f"={bad.content}")
            case Fault.NO_NAME:
                assert cell.value is None
            case Fault.NUL:
                assert cell.data_type == "s"


def test_good_rows_contain_nothing_resembling_a_fault() -> None:
    for row in good_rows():
        assert row[HEADER.index("Name")]
        for value in filter(None, row):
            assert value == value.strip()
            assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]", value)
            assert not re.search("_x[0-9A-Fa-f]{4}_", value)


@pytest.mark.parametrize(
    ("column", "pattern"),
    [
        ("Phone", "^0"),
        ("Phone", r"^\+"),
        ("Phone", r"^\d+$"),
        ("Address", "^0|[ \n]0"),
        ("Name", "^@"),
        ("Name", '"'),
        ("Name", "'"),
        ("Name", ","),
        ("Description", "^="),
        ("Description", "^-"),
        ("Description", "\n"),
        ("Description", "\t"),
        ("Description", "[\U0001f300-\U0001faff]"),
        ("City", "[\u0590-\u05ff]"),
        ("City", "[\u0600-\u06ff]"),
        ("City", "[\u0370-\u03ff]"),
        ("City", "[\u0400-\u04ff]"),
        ("City", "[\u0900-\u097f]"),
        ("City", "[\u4e00-\u9fff]"),
        ("City", "[\uac00-\ud7af]"),
    ],
)
def test_good_rows_contain_difficult_text(column: str, pattern: str) -> None:
    values = (row[HEADER.index(column)] or "" for row in good_rows())
    assert any(re.search(pattern, value) for value in values)


def test_longer_directory_starts_with_the_shorter_one() -> None:
    assert list(business_rows(300))[:200] == list(business_rows(200))
    assert list(business_rows(50, seed=1)) != list(business_rows(50, seed=2))


@pytest.mark.parametrize("inline_strings", [False, True])
def test_clean_workbook_contains_only_good_rows(tmp_path: Path, *, inline_strings: bool) -> None:
    path = tmp_path / "clean.xlsx"
    write_workbook(path, business_rows(100), inline_strings=inline_strings)
    with python_calamine.load_workbook(path) as workbook:
        rows = workbook.get_sheet_by_index(0).to_python()
    assert [tuple(row) for row in rows] == [HEADER, *business_rows(100)]


def test_more_rows_than_the_sheet_limit_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(business_data, "MOST_ROWS", 5)
    with pytest.raises(ValueError, match="at most 5 rows"):
        write_workbook(tmp_path / "long.xlsx", business_rows(6))


def test_clean_workbook_does_not_replace_the_sample(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["make_sample", "--rows", "5"])
    with pytest.raises(SystemExit, match="2"):
        make_sample.main()
    assert "needs a PATH" in capsys.readouterr().err


def test_every_language_has_a_word_for_every_category() -> None:
    for language in business_data.LANGUAGES:
        assert len(language.trades) == len(business_data.CATEGORIES) == len(business_data.CATEGORY_SLUGS)
