"""What users may say about delimited text."""

from __future__ import annotations

import pytest

from tui_importer import PlanError
from tui_importer.core.model.plan import Source
from tui_importer.core.model.text_format import TextFormat, parse_delimiter, parse_encoding, parse_quote


@pytest.mark.parametrize(
    ("text", "delimiter"), [(",", ","), ("tab", "\t"), ("\\t", "\t"), ("\t", "\t"), ("Semicolon", ";"), (" ", " ")]
)
def test_delimiters_may_be_given_as_words(text: str, delimiter: str) -> None:
    assert parse_delimiter(text) == delimiter


@pytest.mark.parametrize(("text", "quote"), [('"', '"'), ("single", "'"), ("none", "none"), ("%", "%")])
def test_quotes_may_be_given_as_words(text: str, quote: str) -> None:
    assert parse_quote(text) == quote


@pytest.mark.parametrize("text", ["", "ab", '"', "\n"])
def test_invalid_delimiters_are_refused(text: str) -> None:
    with pytest.raises(PlanError, match="delimiter must be"):
        parse_delimiter(text)


@pytest.mark.parametrize("text", ["", "ab", "a", " ", "\n"])
def test_invalid_quotes_are_refused(text: str) -> None:
    with pytest.raises(PlanError, match="quote must be"):
        parse_quote(text)


@pytest.mark.parametrize("text", ["klingon", "", "rot13", "base64", "a\0b"])
def test_non_text_encodings_are_refused(text: str) -> None:
    with pytest.raises(PlanError, match="encoding must be"):
        parse_encoding(text)


def test_source_options_give_its_text_format() -> None:
    source = Source(file="a.csv", encoding="windows-1251", delimiter="tab", quote="single")
    assert source.text_format == TextFormat("windows-1251", "\t", "'")
    assert Source(file="a.csv").text_format == TextFormat()
    with pytest.raises(PlanError, match="delimiter must be"):
        Source(file="a.csv", delimiter="ab")
