"""SQL scripts that are executed with an import: before its rows and after them."""

from __future__ import annotations

import re
from enum import IntEnum
from pathlib import Path

import msgspec

from tui_importer.core.model.patterns import pattern
from tui_importer.errors import PlanError

#: A script is executed in a transaction, which it must not end itself.
_TRANSACTION_CONTROL = pattern(
    r"^\s*(BEGIN|COMMIT|ROLLBACK|START\s+TRANSACTION)(\s+(TRANSACTION|WORK))?\s*;", re.IGNORECASE | re.MULTILINE
)


class ScriptMoment(IntEnum):
    """When a script is executed. The value is the row under which the ledger records it: no row of a sheet."""

    BEFORE = -2
    AFTER = -4  # not beside the other: adjacent entries of the ledger are merged

    @property
    def option(self) -> str:
        """The option that names the script."""
        return f"--{self.name.lower()}"


class Scripts(msgspec.Struct, frozen=True):
    """The texts of the scripts of an import; None where there is none."""

    before: str | None = None
    after: str | None = None

    def at(self, moment: ScriptMoment) -> str | None:
        """The script of this moment."""
        return self.before if moment is ScriptMoment.BEFORE else self.after


NO_SCRIPTS = Scripts()


def read_scripts(before: str | None, after: str | None) -> Scripts:
    """Read the scripts in these files. Raises :class:`PlanError` if one cannot be read, or ends its transaction."""
    return Scripts(_read(before, ScriptMoment.BEFORE), _read(after, ScriptMoment.AFTER))


def _read(file: str | None, moment: ScriptMoment) -> str | None:
    if file is None:
        return None
    try:
        text = Path(file).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise PlanError(f"{moment.option} {file}: cannot read the script: {error.strerror}") from error
    except ValueError as error:
        raise PlanError(f"{moment.option} {file}: the script is not UTF-8 text") from error
    if found := _TRANSACTION_CONTROL.search(text):
        line = text.count("\n", 0, found.start(1)) + 1
        raise PlanError(
            f"{moment.option} {file}: line {line} is {found[1].upper()}, but a script is executed in one transaction: "
            "leave it out"
        )
    return text
