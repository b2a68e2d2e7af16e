"""What is taken for a totals row, and above all what is not."""

from __future__ import annotations

import datetime as dt
from concurrent.futures import Future
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_importer.core.model.cells import Cell
from tui_importer.core.model.completed_rows import CompletedRows
from tui_importer.core.model.counters import ReaderCounters
from tui_importer.core.model.plan import Plan, Source, Target
from tui_importer.core.planning.resolution import choose_target, resolve
from tui_importer.core.source.open_source import open_source
from tui_importer.core.source.totals import TOTAL_WORDS, is_totals_row
from tui_importer.readers.delimited.reader import DelimitedReader


@pytest.mark.parametrize("word", ["Total", "TOTAL:", " Grand  total ", "Summe", "Итого", "合计：", "Yhteensä"])
def test_totals_rows_are_recognised(word: str) -> None:
    assert is_totals_row([None, word, "", 12, 3.5])


@pytest.mark.parametrize(
    "cells",
    [
        [],
        ["Total"],
        ["Total", None, ""],
        ["Total", "Oil & Gas"],
        ["Total", 12, "Paris"],
        ["Total", dt.date(2024, 1, 1)],
        ["Total", True],
        ["Totaler Krieg", 12],
        [12, "Total"],
        ["Total", "12"],
    ],
    ids=repr,
)
def test_data_rows_are_not_totals_rows(cells: list[Cell]) -> None:
    assert not is_totals_row(cells)


@pytest.mark.parametrize("number", ["12", "-1,234.50", "1 234,5", "1e5"])
def test_numbers_as_text_count_only_in_untyped_sheets(number: str) -> None:
    assert is_totals_row(["Total", number], typed=False)
    assert not is_totals_row(["Total", number])


@given(st.text(max_size=12).filter(lambda text: " ".join(text.rstrip(":： ").split()).casefold() not in TOTAL_WORDS))
def test_other_words_are_not_totals_labels(text: str) -> None:
    assert not is_totals_row([text, 1])


@pytest.mark.parametrize(("last", "totals"), [("Total,3", 1), ("c,3", 0)])
def test_skipped_totals_row_is_counted(tmp_path: Path, last: str, totals: int) -> None:
    file = tmp_path / "sums.csv"
    file.write_text(f"item,amount\na,1\nb,2\n{last}\n")
    plan = Plan(source=Source(file=str(file)), target=Target(table="t"))
    claimed: Future[CompletedRows] = Future()
    claimed.set_result(CompletedRows())
    counters, notes = ReaderCounters(), list[str]()
    with open_source(file, DelimitedReader(), plan.source) as source:
        mapping = resolve(plan, source, choose_target(plan, source.layout, source), None).mapping
        rows = [row for batch in source.batches(mapping, 10, counters, notes.append, claimed) for row in batch.rows]
    assert rows == [2, 3, 4][: 3 - totals]
    assert (counters.rows_read, counters.skipped, counters.totals_rows) == (3, totals, totals)
    assert len(notes) == totals


def test_totals_row_is_kept_on_request(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("id,amount\n1,1.5\nTotal,15.5\n")
    plan = Plan(source=Source(file=path, totals="keep"), target=Target(table="t"))
    claimed: Future[CompletedRows] = Future()
    claimed.set_result(CompletedRows())
    notes = list[str]()
    with open_source(path, DelimitedReader(), plan.source) as source:
        resolved = resolve(plan, source, choose_target(plan, source.layout, source), None)
        batches = source.batches(resolved.mapping, 10, ReaderCounters(), notes.append, claimed)
        assert [record for batch in batches for record in batch.records()] == [("1", 1.5), ("Total", 15.5)]


@pytest.mark.parametrize("end", ["", ",,\n,,\n"])
@pytest.mark.parametrize("rows", [3, 10_000, 10_001])
def test_totals_row_does_not_affect_type_inference(tmp_path: Path, rows: int, end: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text(
        "id,customer,amount\n" + "".join(f"{row},c{row},1.5\n" for row in range(rows)) + "Total,,15.5\n" + end
    )
    with open_source(path, DelimitedReader(), Source(file=path)) as source:
        assert [str(found.type) for found in source.infer()] == ["integer", "text", "float"]


def test_totals_label_in_the_middle_affects_type_inference(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("id,amount\n1,1.5\nTotal,15.5\n2,3.5\n")
    with open_source(path, DelimitedReader(), Source(file=path)) as source:
        assert str(source.infer()[0].type) == "text"
