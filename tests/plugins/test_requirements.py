"""What a plugin must have is what its protocol has."""

from __future__ import annotations

from typing import Any, Protocol

import pytest

from tui_importer.core.scheduling.executor import Executor
from tui_importer.core.scheduling.strategy import Strategy
from tui_importer.core.source.reader import Reader
from tui_importer.core.writing.backend import Backend
from tui_importer.core.writing.catalog import Catalog
from tui_importer.plugins import requirements
from tui_importer.plugins.requirements import members, missing

PROTOCOLS = {"reader": Reader, "strategy": Strategy, "backend": Backend, "executor": Executor}


class Inherited(Protocol):
    def below(self) -> None: ...


class Contract(Inherited, Protocol):
    value: int

    def method(self) -> None: ...

    @property
    def shown(self) -> int: ...

    def _private(self) -> None: ...


class WithoutMembers:
    """Has no member of any protocol."""


def test_protocol_members_include_inherited_methods_properties_and_attributes() -> None:
    assert set(members(Contract)) == {"below", "value", "method", "shown"}


@pytest.mark.parametrize("kind", PROTOCOLS)
def test_every_protocol_member_is_required(kind: str) -> None:
    lacking = missing(kind, WithoutMembers())
    assert lacking == [*members(PROTOCOLS[kind])]
    assert lacking


@pytest.mark.parametrize("kind", PROTOCOLS)
def test_member_added_to_a_protocol_is_required(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Complete:
        def __getattr__(self, name: str) -> Any:
            if name == "added_later":
                raise AttributeError(name)
            return self

    assert missing(kind, Complete()) == []
    monkeypatch.setattr(PROTOCOLS[kind], "added_later", lambda self: None, raising=False)
    assert missing(kind, Complete()) == ["added_later"]


def test_catalog_of_a_backend_is_checked() -> None:
    class WithCatalog(WithoutMembers):
        catalog = WithoutMembers()

    lacking = missing("backend", WithCatalog())
    assert [name for name in lacking if "." in name] == [f"catalog.{name}" for name in members(Catalog)]
    assert "catalog" not in lacking


def test_each_protocol_is_found_by_its_name() -> None:
    assert set(requirements._PROTOCOLS) == set(PROTOCOLS)
