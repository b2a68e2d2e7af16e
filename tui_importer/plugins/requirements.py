"""What a plugin must have, taken from the protocols, so that the check cannot differ from the contract."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterable, Iterator
from typing import Any, Protocol

#: The protocols of what a factory makes, by kind, and of the attributes of it that have one of their own. Imported when
#: the first plugin of the kind is made.
_PROTOCOLS = {
    "reader": {"": "tui_importer.core.source.reader:Reader"},
    "strategy": {"": "tui_importer.core.scheduling.strategy:Strategy"},
    "backend": {
        "": "tui_importer.core.writing.backend:Backend",
        "catalog": "tui_importer.core.writing.catalog:Catalog",
    },
    "executor": {"": "tui_importer.core.scheduling.executor:Executor"},
}


def missing(kind: str, made: object) -> list[str]:
    """The attributes that the object made for this kind of plugin lacks, such as ``catalog.reflect``."""
    lacking = []
    for attribute, name in _PROTOCOLS[kind].items():
        part = getattr(made, attribute, None) if attribute else made
        if part is not None:
            needed = (member for member in members(pkgutil.resolve_name(name)) if not hasattr(part, member))
            lacking += [f"{attribute}.{member}" if attribute else member for member in needed]
    return lacking


def members(protocol: type[Any]) -> Iterable[str]:
    """The methods, properties and attributes of a protocol, including those it inherits."""
    return dict.fromkeys(name for base in protocol.__mro__ if _is_protocol(base) for name in _declared(base))


def _is_protocol(class_: type[Any]) -> bool:
    return class_ is not Protocol and getattr(class_, "_is_protocol", False)


def _declared(protocol: type[Any]) -> Iterator[str]:
    for name in (*vars(protocol), *protocol.__annotations__):
        if not name.startswith("_"):
            yield name
