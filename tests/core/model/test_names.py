"""Names of columns and tables."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_importer.core.model.cells import column_letters
from tui_importer.core.model.names import (
    MAX_NAME_BYTES,
    SYSTEM_COLUMNS,
    SYSTEM_TABLES,
    normalized,
    snake_case,
    table_name,
    target_names,
)

# Surrogates cannot stand in a workbook, nor be encoded.
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=90)
WORDS = st.sampled_from(["Name", "name", "NAME", "name 2", "Name_2", "name_3", "id", "oid", "column a", "42", "€", ""])
HEADERS = st.lists(st.none() | TEXT | WORDS, max_size=12)


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("Name", "name"),
        ("Unit Price (€)", "unit_price"),
        ("firstName", "first_name"),
        ("E-Mail", "e_mail"),
        ("Straße", "straße"),
        ("Größe\n(cm)", "größe_cm"),
        ("ＦＵＬＬ　ｗｉｄｔｈ", "full_width"),
        ("電話番号", "電話番号"),
        ("Имя клиента", "имя_клиента"),
        ("नाम", "नाम"),
        ("HTTPServer", "http_server"),
        ("customerID", "customer_id"),
        ("IDs", "ids"),
        ("B2B", "b2b"),
        ("Q1Sales", "q1_sales"),
        ("Owner's name", "owners_name"),
        ("co\u00adoperation", "cooperation"),
        ("  a -- b__c  ", "a_b_c"),
        ("select", "select"),
    ],
)
def test_snake_case_conversion_adds_no_note(header: str, name: str) -> None:
    result = target_names([header])
    assert result.names == (name,)
    assert result.notes == ()


def test_other_changes_of_a_header_are_noted_with_the_column_letter() -> None:
    result = target_names(["Name", None, "NAME", "2019", "xmin", " ", "%", "ID"], taken=["id"])
    assert result.names == ("name", "column_b", "name_2", "_2019", "xmin_", "column_f", "column_g", "id_2")
    assert result.notes == (
        "columns B and F: header is blank, become column_b and column_f",
        "column C: header 'NAME' repeats, becomes name_2",
        "column D: header '2019' starts with a digit, becomes _2019",
        "column E: header 'xmin' is a system column of a database, becomes xmin_",
        "column G: header '%' has no letter or digit, becomes column_g",
        "column H: header 'ID' is a name the table has by itself, becomes id_2",
    )


def test_changes_of_one_kind_share_one_note() -> None:
    assert target_names(["a", "a", "A", "b"]).notes == ("columns B 'a' and C 'A': header repeats, become a_2 and a_3",)
    (note,) = target_names([None] * 20).notes
    assert note.startswith("columns A, B, C, D, E, F, G, H and 12 more: header is blank, become column_a, ")


def test_notes_use_the_column_letters_of_the_sheet() -> None:
    result = target_names(["a", None], positions=[2, 27])
    assert result.names == ("a", "column_ab")
    assert result.notes == ("column AB: header is blank, becomes column_ab",)


def test_generated_names_do_not_displace_given_names() -> None:
    assert target_names(["a", "a", "a_2"]).names == ("a", "a_3", "a_2")
    assert target_names([None, "column a"]).names == ("column_a_2", "column_a")


@pytest.mark.parametrize("name", sorted(SYSTEM_COLUMNS | {"_rowid_", "OID", "ctid_"}))
def test_system_columns_are_avoided(name: str) -> None:
    assert target_names([name]).names[0] not in SYSTEM_COLUMNS | {"_rowid_"}


def test_long_names_are_cut_between_characters_and_stay_apart() -> None:
    header = "ä" * 40
    result = target_names([header, header, "x" * 63])
    assert result.names == ("ä" * 31, "ä" * 30 + "_2", "x" * 63)
    assert result.notes[0] == f"column A: header '{'ä' * 40}' is longer than 63 bytes, becomes {'ä' * 31}"
    assert "is longer than 63 bytes and repeats" in result.notes[1]
    assert len(result.notes) == 2


def test_table_names_are_derived_from_sheet_names() -> None:
    assert table_name("Sheet1") == "sheet1"
    assert table_name("2024 Sales (EU)") == "_2024_sales_eu"
    assert table_name("***") == "imported"
    assert table_name("sqlite_master") == "_sqlite_master"
    assert table_name("tui_importer_run") == "_tui_importer_run"


@pytest.mark.parametrize(
    ("one", "other"),
    [("E-Mail", "email"), ("First Name", "firstName"), ("STRASSE", "Straße"), ("unit_price", " Unit  Price: ")],
)
def test_headers_match_without_case_space_and_punctuation(one: str, other: str) -> None:
    assert normalized(one) == normalized(other)


def test_headers_of_different_symbols_do_not_match() -> None:
    assert normalized("%") != normalized("#")
    assert normalized(None) == normalized("  ") == ""


@given(HEADERS, st.lists(WORDS, max_size=3))
def test_names_are_valid_unique_and_within_the_limit(headers: list[str | None], taken: list[str]) -> None:
    result = target_names(headers, taken)
    assert len(result.names) == len(headers)
    folded = [name.casefold() for name in result.names]
    assert len(set(folded)) == len(folded)
    assert not set(folded) & {name.casefold() for name in taken}
    for name in result.names:
        assert 0 < len(name.encode()) <= MAX_NAME_BYTES
        assert name not in SYSTEM_COLUMNS
        assert not name[0].isdecimal()
        assert "\0" not in name
        assert not any(map(str.isspace, name))


@given(HEADERS)
def test_target_names_is_idempotent(headers: list[str | None]) -> None:
    names = target_names(headers).names
    assert target_names(names).names == names


@given(HEADERS)
def test_names_without_notes_are_plain_snake_case(headers: list[str | None]) -> None:
    result = target_names(headers)
    told = " ".join(result.notes)
    for place, (header, name) in enumerate(zip(headers, result.names, strict=True)):
        assert snake_case(header or "") == name or f" {column_letters(place)}" in told or " more: " in told


@given(TEXT)
def test_table_names_are_valid(text: str) -> None:
    name = table_name(text)
    assert 0 < len(name.encode()) <= MAX_NAME_BYTES
    assert not name[0].isdecimal()
    assert not name.startswith(SYSTEM_TABLES)
    assert table_name(name) == name


@given(TEXT)
def test_header_matches_its_own_snake_case_name(text: str) -> None:
    if snake_case(text):
        assert normalized(snake_case(text)) == normalized(text)
