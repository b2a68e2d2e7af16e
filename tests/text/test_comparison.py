"""The comparison of ``bench``: what it recommends, and how it is shown."""

from __future__ import annotations

from tui_importer.text.comparison import Setting, Timing, chart, recommend, table


def timing(
    seconds: float, strategy: str = "batched", workers: int | None = None, batch_size: int | None = None
) -> Timing:
    return Timing(
        setting=Setting(strategy=strategy, workers=workers, batch_size=batch_size),
        workers=workers or 2,
        batch_size=batch_size or 2_000,
        rows=10_000,
        inserted=9_987,
        rejected=13,
        seconds=seconds,
        peak_memory=70_000_000 if workers else None,
    )


USUAL, SEQUENTIAL = timing(1.0), timing(14.6, "sequential")


def test_nothing_is_recommended_that_is_hardly_faster() -> None:
    advice = recommend([SEQUENTIAL, USUAL, timing(0.91, workers=4)], "batched")
    assert advice.options == ""
    assert advice.reason == "the program's own choice (batched, 2 workers, 2,000 rows a batch) is among the fastest"


def test_faster_setting_is_recommended_with_its_options() -> None:
    advice = recommend([SEQUENTIAL, USUAL, timing(0.5, "async", 4, 20_000)], "batched")
    assert advice.options == "--strategy async --workers 4 --batch-size 20000"
    assert advice.reason == "it takes 50 % less time than the program's own choice"


def test_fastest_is_recommended_where_the_own_choice_was_not_compared() -> None:
    advice = recommend([SEQUENTIAL, timing(2.0, batch_size=5_000)], "batched")
    assert advice.options == "--strategy batched --batch-size 5000"


def test_table_compares_with_the_first_line() -> None:
    head, first, second, third = (line.split() for line in table([SEQUENTIAL, USUAL, timing(1.0, workers=4)]))
    assert head[-2:] == ["PEAK", "MB"]
    assert first == ["sequential", "2", "2,000", "14.60", "s", "685", "1.0x", "9,987", "13", "-"]
    assert second == ["batched", "2", "2,000", "1.00", "s", "10,000", "14.6x", "9,987", "13", "-"]
    assert third[-1] == "70"
    assert max(map(len, table([SEQUENTIAL, USUAL]))) <= 80


def test_chart_has_the_fastest_first_and_no_empty_bar() -> None:
    lines = chart([SEQUENTIAL, timing(0.001, workers=4, batch_size=5_000)])
    assert lines == ["batched, 4 workers, 5,000 rows  ▏ 0.00 s", f"sequential                      {'█' * 40} 14.60 s"]
    lines = chart([SEQUENTIAL, timing(7.3)], ascii_only=True)
    assert lines == [f"batched     {'#' * 20} 7.30 s", f"sequential  {'#' * 40} 14.60 s"]
    assert chart([timing(0.0)]) == ["batched  ▏ 0.00 s"]
