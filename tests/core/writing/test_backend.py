"""Values that a backend gets: where a session writes, and how it connects."""

from __future__ import annotations

import pytest

from tui_importer.core.model.table import Table, TableColumn
from tui_importer.core.model.types import ColumnType, Kind
from tui_importer.core.model.write_mode import WriteKind, WriteMode
from tui_importer.core.writing.backend import ConnectionSettings, Destination
from tui_importer.core.writing.ledger import Claim

TYPES = (ColumnType(Kind.INTEGER), ColumnType(Kind.TEXT))
TABLE = Table("t", (TableColumn("id", TYPES[0]), TableColumn("name", TYPES[1])))


@pytest.mark.parametrize("mode", [WriteMode(), WriteMode(WriteKind.UPSERT, ("id",))], ids=str)
def test_part_of_a_destination_keeps_the_mode_but_not_the_claim(mode: WriteMode) -> None:
    whole = Destination(TABLE, ("id", "name"), TYPES, Claim("i", 1, "r"), (1,), mode)
    assert whole.part((0,)) == Destination(TABLE, ("id",), TYPES[:1], mode=mode)


def test_rows_are_appended_by_default() -> None:
    assert Destination(TABLE, ("id", "name"), TYPES).mode == WriteMode()


def test_settings_do_not_show_the_password() -> None:
    settings = ConnectionSettings("postgresql://u:canary@h/d", "tui_importer/x", 10.0)
    assert "canary" not in repr(settings)
