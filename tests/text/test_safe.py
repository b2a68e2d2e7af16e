from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tui_importer.text.safe import encodable, shortened, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain é 中 עברית", "plain é 中 עברית"),
        ("\x1b[2J\x07", r"\x1b[2J\x07"),
        ("a\nb\r\tc", r"a\nb\r\tc"),
        ("\x9b31m\x7f", r"\x9b31m\x7f"),
        ("abc\u202etxt.exe", r"abc\u202etxt.exe"),
        ("\u2066x\u2069\u2028\ufeff", r"\u2066x\u2069\u2028\ufeff"),
        ("\U000e0041\ud800", r"\U000e0041\ud800"),
        ("caf\udce9.csv", r"caf\xe9.csv"),
        ("می\u200cخواهم 👩\u200d👩", "می\u200cخواهم 👩\u200d👩"),
    ],
)
def test_control_characters_are_escaped(text: str, shown: str) -> None:
    assert visible(text) == shown


@given(st.text(st.characters()))
@example("\ud800\u202e")
def test_visible_text_has_no_control_characters(text: str) -> None:
    shown = visible(text)
    assert not {unicodedata.category(character) for character in shown} & {"Cc", "Cs", "Zl", "Zp"}
    assert not set(shown) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f")
    shown.encode()
    assert visible(shown) == shown


@given(st.text(st.characters()), st.sampled_from(["ascii", "latin-1", "cp1252", "utf-8", None, "no-such-codec"]))
def test_any_line_can_be_encoded_in_any_encoding(text: str, encoding: str | None) -> None:
    line = encodable(visible(text), encoding)
    line.encode(encoding if encoding not in {None, "no-such-codec"} else "ascii")


def test_unencodable_punctuation_is_replaced_by_ascii() -> None:
    assert encodable("a › b → c · d …", "ascii") == "a > b -> c / d ..."
    assert encodable("Zoë → 1", "latin-1") == "Zoë -> 1"
    assert encodable("Zoë", "ascii") == r"Zo\xeb"
    assert encodable("a › b", "utf-8") == "a › b"


def test_long_text_is_truncated_for_display() -> None:
    assert shortened("\x1b" * 10, 3) == r"\x1b\x1b\x1b…"
    assert shortened("abc", 3) == "abc"
