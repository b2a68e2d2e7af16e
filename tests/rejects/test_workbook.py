from __future__ import annotations

import os
import stat
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import openpyxl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from python_calamine import CalamineWorkbook

from tests.support.examples import examples
from tui_importer.core.model.mending import KEY_HEADER, REASON_HEADERS, source_width
from tui_importer.errors import ImporterError, UsageError
from tui_importer.events import Fault, Reject
from tui_importer.rejects.paths import check_reject_path, claimed_reject_path
from tui_importer.rejects.text import CUT_MARK, MAX_CELL_TEXT, escaped, fitting, is_formula_like, unescaped
from tui_importer.rejects.workbook import write_reject_workbook

NASTY = [
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "'quoted",
    "\t=1",
    "\r\n",
    " ",
    "\n",
    "  edge  ",
    "a\rb",
    "_x000D_",
    "_x005F_x000D_",
    "_x_x0041_",
    "#N/A",
    "TRUE",
    "00123",
    "<&>\"']]>",
    "\x00\x01\x1b[31m\x7f\x85",
    "\ufffe\uffff",
    "é😀",
    "x" * MAX_CELL_TEXT,
    "\x00" * MAX_CELL_TEXT,
    "_x0041_" * (MAX_CELL_TEXT // 7),
    "😀" * (MAX_CELL_TEXT // 2),
]
#: Without halves of surrogate pairs, which no UTF-8 text holds.
texts = st.text(st.characters(exclude_categories=["Cs"])) | st.text("_x05FDd=+-@' \t\r\n\x00") | st.sampled_from(NASTY)


def reject(row: int, *values: str | None, faults: Sequence[Fault] = ()) -> Reject:
    fault = Fault(cell=f"Sheet1!A{row}", column="Name", value=None, reason="value required but blank")
    return Reject(sheet="Sheet1", row=row, faults=tuple(faults) or (fault,), values=values)


def as_calamine_reads(text: str) -> str:
    """It decodes every escape but those of the two noncharacters, which XML cannot hold otherwise."""
    return text.replace("\ufffe", "_xFFFE_").replace("\uffff", "_xFFFF_")


def calamine(path: Path, sheet: int = 0) -> list[list[object]]:
    return [list(row) for row in CalamineWorkbook.from_path(str(path)).get_sheet_by_index(sheet).to_python()]


@settings(max_examples=examples(60), deadline=None)
@given(st.lists(st.lists(texts, min_size=2, max_size=2), min_size=1, max_size=4), texts)
@example([[text, text] for text in NASTY], "=cmd|' /C calc'!A0")
def test_any_text_round_trips(tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]], header: str) -> None:
    path = tmp_path_factory.mktemp("rejects") / "r.xlsx"
    headers = ["A", header]
    assert write_reject_workbook(path, headers, [reject(n, *row) for n, row in enumerate(rows, start=2)]) == len(rows)

    expected = [[*headers, *REASON_HEADERS]]
    expected += [
        [*row, str(n), f"Sheet1!A{n}", "Name", "value required but blank", ""] for n, row in enumerate(rows, start=2)
    ]
    # One cell at a time: some are long, and pytest would show the whole sheet.
    for found, wanted in zip(calamine(path), expected, strict=True):
        assert found == [as_calamine_reads(text) for text in wanted]

    book = openpyxl.load_workbook(path)
    cells = list(book.active.iter_rows())
    assert [[unescaped(cell.value or "") for cell in row] for row in cells] == expected
    assert {cell.data_type for row in cells for cell in row if cell.value is not None} == {"s"}
    for row in cells[1:]:
        for cell in row:
            if cell.value is not None:
                assert cell.quotePrefix == is_formula_like(unescaped(cell.value))
    book.close()


@given(st.text(st.characters()))
@example("\ud800_xD800_")
def test_escaping_is_reversible(text: str) -> None:
    assert unescaped(escaped(text)) == text
    escaped(text).encode()  # no half of a surrogate pair is left


@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@a", "\t1", "\r=1", "\n=1", "'a", "＝1"])
def test_formula_like_texts_are_recognised(text: str) -> None:
    assert is_formula_like(text)
    assert not is_formula_like(f"a{text}")


@pytest.mark.parametrize(
    "text", ["a" * 40_000, "😀" * 20_000, "a" + "😀" * 20_000, "x" * 32_766 + "😀", "\ud800" * 40_000]
)
def test_long_text_is_truncated_to_the_cell_limit(text: str) -> None:
    cut = fitting(text)
    units = len(cut.encode("utf-16-le", "surrogatepass")) // 2
    assert MAX_CELL_TEXT - 1 <= units <= MAX_CELL_TEXT
    assert cut.endswith(CUT_MARK)
    assert text.startswith(cut.removesuffix(CUT_MARK))


def test_truncated_value_is_mentioned_in_the_reason(tmp_path: Path) -> None:
    path = tmp_path / "r.xlsx"
    write_reject_workbook(path, ["Name", "Notes"], [reject(2, "a", "b" * 40_000), reject(3, "a", "b" * MAX_CELL_TEXT)])
    _, cut, whole = calamine(path)
    assert str(cut[1]).endswith(CUT_MARK)
    assert cut[5] == "value required but blank\nNotes: longer than the 32,767 characters of a cell, cut here"
    assert whole[1] == "b" * MAX_CELL_TEXT
    assert whole[5] == "value required but blank"


def test_several_faults_of_a_row_are_on_separate_lines(tmp_path: Path) -> None:
    faults = (
        Fault(cell="Sheet1!A5", column="Name", value=None, reason="blank"),
        Fault(cell="Sheet1!5:5", column=None, value=None, reason="check failed", sqlstate="23514"),
    )
    path = tmp_path / "r.xlsx"
    write_reject_workbook(path, ["Name"], [reject(5, None, faults=faults)])
    assert calamine(path)[1] == ["", "5", "Sheet1!A5\nSheet1!5:5", "Name\n", "blank\ncheck failed", "\n23514"]


def test_rows_of_any_width_keep_all_cells(tmp_path: Path) -> None:
    path = tmp_path / "r.xlsx"
    write_reject_workbook(path, ["A", "B"], [reject(2, "a"), reject(3, "a", "b", "beyond")])
    header, short, long = calamine(path)
    assert header[2:7] == list(REASON_HEADERS)
    assert (short[:3], long[:3], long[7]) == (["a", "", "2"], ["a", "b", "3"], "beyond")


def test_rows_over_the_sheet_limit_continue_on_the_next_sheet(tmp_path: Path) -> None:
    path = tmp_path / "r.xlsx"
    assert write_reject_workbook(path, ["A"], (reject(n, "a") for n in range(2, 9)), rows_per_sheet=3) == 7
    book = CalamineWorkbook.from_path(str(path))
    assert book.sheet_names == ["Rejects", "Rejects 2", "Rejects 3"]
    sheets = [calamine(path, index) for index in range(3)]
    assert [row[1] for sheet in sheets for row in sheet[1:]] == [str(n) for n in range(2, 9)]
    assert [sheet[0][0] for sheet in sheets] == ["A", "A", "A"]


def test_reject_sheet_has_frozen_header_filter_and_widths(tmp_path: Path) -> None:
    path = tmp_path / "r.xlsx"
    write_reject_workbook(path, ["Name", "B"], [reject(2, "0012", "-x" * 200)])
    book = openpyxl.load_workbook(path)
    sheet = book["Rejects"]
    assert sheet.freeze_panes == "A2"
    assert sheet.auto_filter.ref == "A1:G2"
    assert sheet["A1"].font.bold
    assert sheet["A2"].number_format == "@"
    assert sheet.column_dimensions["A"].width == 8
    assert sheet.column_dimensions["B"].width == 60
    book.close()


def test_faulty_cells_are_marked_and_have_the_reason_as_a_comment(tmp_path: Path) -> None:
    faults = (
        Fault(cell="Sheet1!B5", column="n", value="=x", reason="no number"),
        Fault(cell="Sheet1!B5", column="n", value="=x", reason="\x1b[31m" + "long " * 1_000),
        Fault(cell="Sheet1!A5:B5", column=None, value=None, reason="check failed"),
    )
    path = tmp_path / "r.xlsx"
    rejects = [reject(5, "a", "=x", faults=faults), reject(6, None, "7")]
    write_reject_workbook(path, ["Name", "n"], rejects, run_id="20261127-155715-00ab03a")
    sheet = openpyxl.load_workbook(path).worksheets[0]
    comments = {cell.coordinate: cell.comment.text for row in sheet.iter_rows() for cell in row if cell.comment}
    assert [*comments] == ["A2", "B2", "A3"]
    assert comments["A2"] == "check failed"
    assert comments["B2"].startswith("no number\n_x001B_[31mlong long")
    assert len(comments["B2"]) < 1_100
    marked = {cell.coordinate for row in sheet.iter_rows() for cell in row if cell.fill.fill_type == "solid"}
    assert marked == {*comments}
    assert sheet["B2"].quotePrefix
    assert (sheet["H1"].value, sheet["H2"].value) == (KEY_HEADER, "20261127-155715-00ab03a:5")
    assert sheet.column_dimensions["H"].hidden
    assert sheet.auto_filter.ref == "A1:G3"


def test_workbook_without_rejects_has_only_the_header(tmp_path: Path) -> None:
    path = tmp_path / "r.xlsx"
    assert write_reject_workbook(path, ["A"], []) == 0
    assert calamine(path) == [["A", *REASON_HEADERS]]


def test_workbook_is_readable_only_by_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "r.xlsx"
    path.write_bytes(b"older")
    path.chmod(0o644)
    write_reject_workbook(path, ["A"], [reject(2, "a")])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["r.xlsx"]


def test_failed_write_keeps_the_previous_file_and_no_temporary_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "out"
    scratch = tmp_path / "tmp"
    folder.mkdir()
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    path = folder / "r.xlsx"
    path.write_bytes(b"older")

    def broken() -> Iterator[Reject]:
        yield from (reject(n, "a") for n in range(2, 300))
        raise ImporterError("the spool is gone")

    with pytest.raises(ImporterError, match="the spool is gone"):
        write_reject_workbook(path, ["A"], broken(), rows_per_sheet=200)
    assert path.read_bytes() == b"older"
    assert os.listdir(folder) == ["r.xlsx"]
    assert os.listdir(scratch) == []


FULL_DISK = """
import resource, sys, tempfile
from pathlib import Path
from tui_importer.errors import ImporterError
from tui_importer.events import Fault, Reject
from tui_importer.rejects.workbook import write_reject_workbook

folder = Path(sys.argv[1])
tempfile.tempdir = str(folder)
fault = Fault(cell="S!A1", column=None, value=None, reason="r")
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 18, 1 << 18))
rows = (Reject(sheet="S", row=row, faults=(fault,), values=("x" * 1000,)) for row in range(1, 2000))
try:
    write_reject_workbook(folder / "r.xlsx", ["A"], rows)
except ImporterError as error:
    print(error)
"""


def test_full_disk_is_reported_in_one_line_and_leaves_no_file(tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", FULL_DISK, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (result.stdout, result.stderr) == (f"{tmp_path}/r.xlsx: cannot write the rejects: File too large\n", "")
    assert os.listdir(tmp_path) == []


def test_missing_folder_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(ImporterError, match="cannot write the rejects: No such file"):
        write_reject_workbook(tmp_path / "missing" / "r.xlsx", ["A"], [reject(2, "a")])


def test_workbook_contains_no_formulas(tmp_path: Path) -> None:
    path = tmp_path / "r.xlsx"
    write_reject_workbook(path, ["=HYPERLINK(1)"], [reject(2, "=1+1")])
    with zipfile.ZipFile(path) as archive:
        xml = archive.read("xl/worksheets/sheet1.xml").decode()
    assert "<f" not in xml.replace("<filter", "")
    assert "=1+1" in xml


def test_existing_reject_workbook_is_not_overwritten(tmp_path: Path) -> None:
    source = Path("/data/sample_data.xlsx")

    def claimed(of: Path) -> str:
        with claimed_reject_path(of, tmp_path) as path:
            assert path.stat().st_mode & 0o777 == 0o600
        return path.name

    assert claimed(source) == "sample_data.rejects.xlsx"
    assert claimed(source) == "sample_data.rejects-2.xlsx"
    (tmp_path / "sample_data.rejects-3.xlsx").symlink_to("gone")
    assert claimed(source) == "sample_data.rejects-4.xlsx"
    assert claimed(tmp_path / "sample_data.rejects-2.xlsx") == "sample_data.rejects-5.xlsx"
    assert claimed(Path("é" * 125 + ".xlsx")).endswith("é.rejects.xlsx")


def test_claimed_path_is_released_if_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(KeyError), claimed_reject_path(Path("a.xlsx"), tmp_path):
        raise KeyError
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["r.csv", "r", "missing/r.xlsx", "folder.xlsx", "source.xlsx"])
def test_invalid_path_is_a_usage_error(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder.xlsx").mkdir()
    source = tmp_path / "source.xlsx"
    source.touch()
    with pytest.raises(UsageError):
        check_reject_path(tmp_path / name, source)


def test_valid_path_is_accepted(tmp_path: Path) -> None:
    check_reject_path(tmp_path / "r.XLSX", tmp_path / "source.xlsx")


def test_source_columns_are_distinguished_from_reason_columns() -> None:
    assert source_width(["A", "Reason", *REASON_HEADERS]) == 2
    assert source_width(["A", "Cell", "Reason"]) == 3


def test_only_an_unmodified_reject_workbook_may_be_replaced(tmp_path: Path) -> None:
    path = tmp_path / "r.xlsx"
    write_reject_workbook(path, ["A"], [reject(2, "a")])
    check_reject_path(path)
    openpyxl.load_workbook(path).save(path)  # as a spreadsheet program would, after some mending
    with pytest.raises(UsageError, match="no reject workbook as it was written"):
        check_reject_path(path)
