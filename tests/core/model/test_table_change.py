"""What has to be confirmed before an import begins."""

from __future__ import annotations

import pytest

from tui_importer.core.model.table_change import TableChange
from tui_importer.core.model.write_mode import OnConflict, WriteKind, WriteMode


@pytest.mark.parametrize(
    ("mode", "question"),
    [
        (WriteMode(), None),
        (WriteMode(WriteKind.APPEND, ("id",)), None),
        (WriteMode(WriteKind.UPSERT), "Of 1 row of table t, update those whose key is in the sheet?"),
        (WriteMode(WriteKind.UPSERT, (), OnConflict.SKIP), None),
        (WriteMode(WriteKind.TRUNCATE), "Remove 1 row of table t once the sheet's are loaded?"),
        (WriteMode(WriteKind.REPLACE), "Remove 1 row of table t once the sheet's are loaded?"),
    ],
)
def test_only_changes_to_existing_rows_are_confirmed(mode: WriteMode, question: str | None) -> None:
    assert TableChange("t", 1, mode).question == question
    assert TableChange("t", 0, mode).question is None


def test_doubled_rows_are_confirmed() -> None:
    question = "Add the sheet to 1,000 rows of table t, though an earlier version of it is among them?"
    assert TableChange("t", 1_000, WriteMode(), doubles=True).question == question
