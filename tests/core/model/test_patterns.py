"""Patterns are compiled when they are first used."""

from __future__ import annotations

import re

import pytest

from tui_importer.core.model.patterns import pattern


def test_it_matches_as_the_compiled_one_does() -> None:
    lazy, compiled = pattern(r"(?P<digits>\d+)", re.ASCII), re.compile(r"(?P<digits>\d+)", re.ASCII)
    for text in ("12 and 345", "", "٣"):
        assert lazy.findall(text) == compiled.findall(text)
    assert [match["digits"] for match in lazy.finditer("12 and 345")] == ["12", "345"]
    assert lazy.sub("#", "a1") == "a#"
    assert (lazy.pattern, lazy.flags) == (compiled.pattern, compiled.flags)
    assert pattern(rb"\d").fullmatch(b"1")


def test_it_is_compiled_when_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[str] = []
    compile_ = re.compile

    def noting(text: str, flags: int = 0) -> re.Pattern[str]:
        compiled.append(text)
        return compile_(text, flags)

    monkeypatch.setattr(re, "compile", noting)
    lazy = pattern("[a-z]+")
    assert compiled == []
    for word in ("one", "two"):
        assert lazy.fullmatch(word)
    assert compiled == ["[a-z]+"]


def test_an_error_in_it_is_raised_when_it_is_used() -> None:
    with pytest.raises(re.error):
        pattern("(").match("")
