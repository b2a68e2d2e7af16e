"""Bars, charts and numbers of any width."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.content import Content

from tui_importer.tui.drawing import bar, between, chart, chart_columns, fitted, gauge, length, short, spark
from tui_importer.tui.terminal import ASCII, UNICODE, Glyphs, colours_of, glyphs_for, theme_for

GLYPHS = st.sampled_from([UNICODE, ASCII])


@given(st.one_of(st.none(), st.floats(-1, 2)), st.integers(0, 200), GLYPHS)
def test_bar_has_the_requested_width(share: float | None, width: int, glyphs: Glyphs) -> None:
    pieces = bar(share, width, glyphs, "$bar", "$bar-empty")
    assert length(pieces) == width
    if width and share is not None:
        assert pieces[0][0] == glyphs.full * width if share >= 1 else len(pieces[0][0]) <= width


@given(
    st.lists(st.floats(0, 1e9), max_size=200),
    st.floats(0, 1e6),
    st.integers(1, 200),
    st.integers(1, 60),
    GLYPHS,
)
def test_chart_fits_its_space(rates: list[float], seconds: float, width: int, height: int, glyphs: Glyphs) -> None:
    rates = (rates * 200)[: max(0, chart_columns(width))] if rates else []
    lines = chart(rates, seconds, (width, height), glyphs).plain.split("\n")
    assert len(lines) <= max(1, height)
    assert all(len(line) <= width for line in lines)


def test_chart_labels_its_peak_and_times() -> None:
    picture = chart([0, 5_000, 7_900] * 20, 125, (67, 6), UNICODE).plain.split("\n")
    assert picture[0].startswith(" 8.0k │")
    assert picture[2].startswith(" 4.0k │")
    assert picture[4].startswith("    0 └──")
    assert picture[5].strip().startswith("0:00")
    assert picture[5].endswith("02:05")
    assert "01:02" in picture[5]


@given(st.lists(st.floats(0, 1e9), max_size=50), st.integers(0, 40), GLYPHS)
def test_sparkline_shows_every_positive_value(values: list[float], width: int, glyphs: Glyphs) -> None:
    line = spark(values, width, glyphs)
    assert len(line) == width
    if width:
        shown = values[-width:]
        assert [sign == " " for sign in line[len(line) - len(shown) :]] == [value <= 0 for value in shown]


@given(st.floats(-1, 2), st.integers(0, 60), GLYPHS)
def test_gauge_has_the_requested_width(share: float, width: int, glyphs: Glyphs) -> None:
    assert len(gauge(share, width, glyphs)) == width


@given(st.floats(0, 1e12))
def test_short_number_is_short_and_accurate(number: float) -> None:
    said = short(number)
    assert len(said) <= 5
    factor = {"k": 1e3, "M": 1e6, "G": 1e9}.get(said[-1], 1.0)
    assert abs(float(said.rstrip("kMG")) * factor - number) <= max(0.5, 0.06 * number)


@given(st.text(max_size=60), st.integers(0, 60))
def test_fitted_text_has_at_most_the_given_width(text: str, width: int) -> None:
    assert Content(fitted(text, width, "…")).cell_length <= max(width, 0)


@given(st.text(max_size=30), st.text(max_size=30), st.integers(1, 80))
def test_padding_fills_the_line(left: str, right: str, width: int) -> None:
    pieces = between([(left, "")], [(right, "")], width)
    if len(pieces) > 1:
        assert length(pieces) == width


@pytest.mark.parametrize(
    ("environment", "utf8_mode", "glyphs"),
    [
        ({"LANG": "en_US.UTF-8"}, False, UNICODE),
        ({"LANG": "de_DE.utf8"}, False, UNICODE),
        ({"LANG": "C"}, False, ASCII),
        ({}, False, ASCII),
        ({"LANG": "C", "LC_CTYPE": "C.UTF-8"}, True, ASCII),  # set by the interpreter itself (PEP 538)
        ({"LC_CTYPE": "C.UTF-8"}, False, UNICODE),
        ({"LANG": "en_US.UTF-8", "LC_ALL": "POSIX"}, True, ASCII),
        ({"LANG": "en_US.ISO-8859-1"}, False, ASCII),
    ],
)
def test_unicode_glyphs_are_used_only_in_a_utf8_locale(
    environment: dict[str, str], utf8_mode: bool, glyphs: Glyphs
) -> None:
    assert glyphs_for(environment, utf8_mode=utf8_mode) is glyphs


@pytest.mark.parametrize(
    ("environment", "colours", "theme"),
    [
        ({"TERM": "xterm-256color", "COLORTERM": "truecolor"}, None, "importer-dark"),
        ({"TERM": "xterm-256color"}, 256, "importer-dark"),
        ({"TERM": "xterm-256color", "COLORFGBG": "0;15"}, 256, "importer-light"),
        ({"TERM": "linux"}, 16, "ansi-dark"),
        ({"TERM": "xterm", "COLORFGBG": "0;15"}, 16, "ansi-light"),
        ({"TERM": "xterm-256color", "NO_COLOR": "1"}, 256, "ansi-dark"),
    ],
)
def test_theme_follows_from_the_colours_of_the_terminal(
    environment: dict[str, str], colours: int | None, theme: str
) -> None:
    assert colours_of(environment) == colours
    assert theme_for(environment, colours) == theme


def test_external_text_is_escaped() -> None:
    assert UNICODE.text("a\x1b[2J") == r"a\x1b[2J"
    assert ASCII.text("Čapek → 漢") == r"\u010capek -> \u6f22"
