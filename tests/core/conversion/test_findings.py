"""Remarks on columns: one line for each kind."""

from __future__ import annotations

from tui_importer.core.conversion.findings import finding_notes
from tui_importer.core.conversion.traits import ColumnFinding


def test_finding_of_one_column_is_one_note() -> None:
    finding = ColumnFinding("mixed content: 1 number among 3 texts", 1, 7)
    assert finding_notes([("a", [finding]), ("b", [])]) == (
        "column 'a': mixed content: 1 number among 3 texts, in row 7",
    )


def test_findings_of_several_columns_are_one_note_per_kind() -> None:
    mixed = [ColumnFinding(f"mixed content: {number} numbers among 3 texts", number, 9 - number) for number in (2, 3)]
    errors = [ColumnFinding("error cells (#N/A)", 2, 5), ColumnFinding("error cells (#REF!)", 1, 4)]
    assert finding_notes([("a", [mixed[0], errors[0]]), ("b", [mixed[1]]), ("c", [errors[1]])]) == (
        "columns 'a' and 'b': mixed content, first in row 6 of column 'b'",
        "columns 'a' and 'c': error cells, first in row 4 of column 'c'",
    )


def test_note_about_many_columns_names_only_the_first() -> None:
    (note,) = finding_notes([(f"c{number}", [ColumnFinding("NUL characters", 1, 2)]) for number in range(12)])
    assert note.startswith(
        "columns 'c0', 'c1', 'c2', 'c3', 'c4', 'c5', 'c6', 'c7' and 4 more: NUL characters, first in"
    )
