"""Strangers' plugins, as real distributions on the path."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint, distributions
from pathlib import Path

import pytest

from tests.support.plugins import install_plugin

Install = Callable[[str, str], EntryPoint]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Install a distribution of one module and give its entry point."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))
    names: list[str] = []

    def one(name: str, code: str) -> EntryPoint:
        install_plugin(site, name, code)
        names.append(name)
        [entry_point] = [
            found
            for distribution in distributions(path=[str(site)])
            if distribution.name == name
            for found in distribution.entry_points
        ]
        return entry_point

    yield one
    for name in names:
        sys.modules.pop(name, None)
