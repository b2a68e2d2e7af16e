"""Regular expressions that are compiled when they are first used.

The program has about a hundred, and an import uses few of them: compiling them all takes a good part of the time that a
small one takes.
"""

from __future__ import annotations

import re
from typing import Any, AnyStr, Generic, cast


def pattern(text: AnyStr, flags: int = 0) -> re.Pattern[AnyStr]:
    """The same as :func:`re.compile`, but for errors in the text, which are raised when the pattern is used."""
    return cast("re.Pattern[AnyStr]", _Uncompiled(text, flags))


class _Uncompiled(Generic[AnyStr]):
    """Compiles the pattern when one of its methods is asked for, and keeps that method."""

    def __init__(self, text: AnyStr, flags: int) -> None:
        self._text: AnyStr = text
        self._flags = flags

    def __getattr__(self, name: str) -> Any:
        found = getattr(re.compile(self._text, self._flags), name)
        setattr(self, name, found)
        return found
