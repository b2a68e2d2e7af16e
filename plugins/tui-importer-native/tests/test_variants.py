"""Workbooks in the many ways in which XML and programs can write them: the compiled reader gives the same cells as the
built-in one, or leaves them to it."""

from __future__ import annotations

import zipfile
from pathlib import Path
from xml.sax.saxutils import quoteattr

import pytest
from workbooks import DECLARATION, MAIN, ONE, SHARED, STRINGS, STYLES, check_same, parts, sheet_xml, strings_xml, write

#: Rows that are read natively.
READ = {
    "cells without references": (
        '<row r="2"><c><v>1</v></c><c r="D2"><v>2</v></c><c><v>3</v></c></row><row><c><v>4</v></c></row>'
    ),
    "rows without numbers": "<row><c><v>1</v></c></row><row/><row><c><v>2</v></c></row>",
    "attributes in another order": '<row spans="1:2" r="3" ht="12"><c t="b" s="0" r="B3"><v>1</v></c></row>',
    "other quotes and spaces": "<row r = '3' ><c  r='B3'\n t = 'b' ><v >1</v ></c ></row >",
    "white space between elements": '\n <row r="1">\n <c r="A1">\n <v>1</v>\n </c>\n </row>\n ',
    "cells without a value": (
        '<row r="1"><c r="A1"/><c r="B1" s="1"></c><c r="C1"><v/></c><c r="D1"><v></v></c><c r="E1"><v>1</v></c></row>'
    ),
    "inline texts": (
        '<row r="1"><c r="A1" t="inlineStr"><is><t> a </t></is></c><c r="B1" t="inlineStr"><is>'
        '<t xml:space="preserve"> b '
        '</t></is></c><c r="C1" t="inlineStr"><is><r><t>c</t></r><r><t>d</t></r></is></c>'
        '<c r="D1" t="inlineStr"><is/></c>'
        '<c r="E1" t="inlineStr"><is><t>x<!---->y</t></is></c></row>'
    ).replace("<!---->", "&amp;"),
    "texts of formulas": (
        '<row r="1"><c r="A1" t="str"><f>A2&amp;"x"</f><v> a&lt;_x0041_\r\n </v></c>'
        '<c r="B1" t="str"><f>""</f><v></v></c>'
        '<c r="C1" t="str"><v>plain</v></c><c r="D1" t="str"><f>1</f></c></row>'
    ),
    "formulas": (
        '<row r="1"><c r="A1"><f>1+1</f><v>2</v></c><c r="B1"><f t="shared" si="0" ref="B1:B2">A1</f><v>3</v></c>'
        '<c r="C1" s="1"><f>TODAY()</f><v>45000</v></c><c r="D1" t="b"><f>TRUE()</f><v>1</v></c>'
        '<c r="E1" t="e"><f>1/0</f><v>#DIV/0!</v></c><c r="F1" t="s"><f>A1</f><v>3</v></c></row>'
    ),
    "formulas that were never calculated": (
        '<row r="1"><c r="A1"><f>A2&lt;1</f></c><c r="B1"><f>1+1</f><v></v></c><c r="C1"><f t="shared" si="0"/></c>'
        '<c r="D1" t="n"><f>2</f><v/></c></row>'
    ),
    "errors": (
        '<row r="1"><c r="A1" t="e"><v>#N/A</v></c><c r="B1" t="e"><v>#REF!</v></c>'
        '<c r="C1" t="e"/><c r="D1" t="e"><v/></c>'
        '<c r="E1" t="e"><f>A1</f></c></row>'
    ),
    "numbers": "<row>"
    + "".join(
        f"<c><v>{text}</v></c>"
        for text in (
            *("0", "-0", "1", "-1", "0.1", "1e5", "1E-7", "1.5E+300", "123456789012345", "1234567890123456789"),
            *("57.699999999999996", "0.30000000000000004", "5e-324", ".5", "5.", "00042", "-12.50", "9007199254740993"),
        )
    )
    + "</row>",
    "dates": "<row>"
    + "".join(
        f'<c s="{style}"><v>{number}</v></c>'
        for style in range(10)
        for number in (
            "1",
            "1.5",
            "59",
            "60",
            "61",
            "45000",
            "45000.5",
            "45000.123456789",
            "44999.999999999",
            "2958465",
        )
    )
    + "</row>",
    "numbers that are no dates any more": (
        '<row><c s="1"><v>2958466</v></c><c s="3"><v>1e10</v></c><c s="1"><v>1e300</v></c></row>'
    ),
    "times": (
        '<row><c s="2"><v>0.5</v></c><c s="2"><v>0</v></c><c s="3"><v>0.25</v></c><c s="9"><v>0.999999999</v></c></row>'
    ),
    "spans": (
        '<row><c s="4"><v>1.5</v></c><c s="4"><v>-0.25</v></c><c s="4"><v>0</v></c><c s="2"><v>1.25</v></c>'
        '<c s="2"><v>1023.9999999</v></c><c s="2"><v>1024.5</v></c><c s="7"><v>2.5</v></c></row>'
    ),
    "styles that there are not": '<row><c s="99"><v>45000</v></c></row>',
    "a far cell": (
        '<row r="3"><c r="ZZ3"><v>1</v></c></row><row r="9"><c r="B9" t="inlineStr"><is><t>x</t></is></c></row>'
    ),
    "lower case references": '<row r="1"><c r="b1"><v>1</v></c></row>',
    "further attributes": '<row r="1" x14ac:dyDescent="0.25"><c r="A1" s="0" cm="1" ph="1"><v>1</v></c></row>',
    "no rows": "",
    "rows without cells": '<row r="5"/><row r="7"></row>',
    "blank texts after the last cell": '<row r="1"><c><v>1</v></c></row><row r="4"><c r="C4" t="str"><v></v></c></row>',
    "a number in a style with zeros": '<row><c s="5"><v>7</v></c></row>',
}
#: Rows that are left to the built-in reader.
LEFT = {
    "a row twice": '<row r="1"><c r="A1"><v>1</v></c></row><row r="1"><c r="B1"><v>2</v></c></row>',
    "rows in another order": '<row r="2"><c r="A2"><v>1</v></c></row><row r="1"><c r="A1"><v>2</v></c></row>',
    "cells in another order": '<row r="1"><c r="B1"><v>1</v></c><c r="A1"><v>2</v></c></row>',
    "a cell twice": '<row r="1"><c r="A1"><v>1</v></c><c r="A1"><v>2</v></c></row>',
    "a cell in another row": '<row r="1"><c r="A2"><v>1</v></c></row>',
    "a comment": '<row r="1"><!-- x --><c r="A1"><v>1</v></c></row>',
    "CDATA": '<row r="1"><c r="A1" t="str"><v><![CDATA[x]]></v></c></row>',
    "CDATA in an inline text": '<row r="1"><c r="A1" t="inlineStr"><is><t><![CDATA[x]]></t></is></c></row>',
    "absolute references": '<row r="1"><c r="$A$1"><v>1</v></c></row>',
    "a negative date": '<row r="1"><c r="A1" s="1"><v>-1</v></c></row>',
    "a date of zero": '<row r="1"><c r="A1" s="1"><v>0</v></c></row>',
    "a picture": '<row r="1"><c r="A1" t="e" vm="1"><v>#VALUE!</v></c></row>',
    "an ISO date": '<row r="1"><c r="A1" t="d"><v>2024-02-29</v></c></row>',
    "a newer error": '<row r="1"><c r="A1" t="e"><v>#SPILL!</v></c></row>',
    "an unknown type": '<row r="1"><c r="A1" t="z"><v>1</v></c></row>',
    "a number that is none": '<row r="1"><c r="A1"><v>twelve</v></c></row>',
    "a number with spaces": '<row r="1"><c r="A1"><v> 1 </v></c></row>',
    "a truth in words": '<row r="1"><c r="A1" t="b"><v>true</v></c></row>',
    "no such string": '<row r="1"><c r="A1" t="s"><v>99</v></c></row>',
    "a string without a number": '<row r="1"><c r="A1" t="s"><v>x</v></c></row>',
    "a formula after its value": '<row r="1"><c r="A1"><v>1</v><f>1</f></c></row>',
    "two values": '<row r="1"><c r="A1"><v>1</v><v>2</v></c></row>',
    "unknown elements": '<row r="1"><c r="A1"><x/><v>1</v></c></row>',
    "rows that are wrapped": '<x:alternative><row r="1"><c r="A1"><v>1</v></c></row></x:alternative>',
    "a tag that does not end": '<row r="1"><c r="A1"><v>1</v></c',
    "beyond the last column": '<row r="1"><c r="XFE1"><v>1</v></c></row>',
    "beyond the last row": '<row r="1048577"><c><v>1</v></c></row>',
    "an entity that is none": '<row r="1"><c r="A1" t="str"><v>&nothing;</v></c></row>',
    "a reference to no character": '<row r="1"><c r="A1" t="str"><v>&#0;</v></c></row>',
    "a control character": '<row r="1"><c r="A1" t="str"><v>\x01</v></c></row>',
    "a value with elements": '<row r="1"><c r="A1"><v>1<b/>2</v></c></row>',
    "text between cells": '<row r="1">x<c r="A1"><v>1</v></c></row>',
}


@pytest.mark.parametrize("name", READ)
def test_what_is_read(name: str, tmp_path: Path) -> None:
    check_same(write(tmp_path / "w.xlsx", parts(sheet_xml(READ[name]), strings=STRINGS)))


@pytest.mark.parametrize("name", LEFT)
def test_what_is_left_to_the_built_in_reader(name: str, tmp_path: Path) -> None:
    check_same(write(tmp_path / "w.xlsx", parts(sheet_xml(LEFT[name]), strings=STRINGS)), native=False)


@pytest.mark.parametrize("name", READ)
def test_what_is_read_of_1904(name: str, tmp_path: Path) -> None:
    members = parts(sheet_xml(READ[name]), strings=STRINGS, workbook='<workbookPr date1904="1"/>')
    check_same(write(tmp_path / "w.xlsx", members), native=None)


def test_shared_strings(tmp_path: Path) -> None:
    check_same(write(tmp_path / "w.xlsx", parts(sheet_xml(SHARED), strings=STRINGS)))


@pytest.mark.parametrize(
    ("strings", "native"),
    [
        (STRINGS.replace("<si>", "\r\n  <si>").replace("</si>", "</si>\n"), True),
        (f"\ufeff{DECLARATION}{STRINGS}\n", True),
        (f'<?xml version="1.0" encoding="utf-8"?>{STRINGS}', True),
        (f'<?xml version="1.0" encoding="ISO-8859-1"?>{STRINGS}', False),
        (f"<!DOCTYPE sst>{STRINGS}", False),
        (STRINGS.encode("utf-16"), False),
        (STRINGS.replace("plain", "<!-- x -->"), False),
        (STRINGS.replace("plain", "<![CDATA[x]]>"), False),
        (STRINGS.replace("plain", "a\x02b"), False),
        (STRINGS.replace("</sst>", ""), False),
        (STRINGS.replace('uniqueCount="21"', 'uniqueCount="999999999"'), False),
        (STRINGS.replace('uniqueCount="21"', ""), True),
        (STRINGS.replace("plain", "\udc80plain").encode("utf-8", "surrogateescape"), False),
        (f"<x:sst xmlns:x='{MAIN}'>{'<x:si><x:t>a</x:t></x:si>' * 21}</x:sst>", True),
        (f'<sst xmlns="{MAIN}"/>', False),  # there is no such string
    ],
)  # fmt: skip
def test_other_ways_to_write_shared_strings(strings: str | bytes, native: bool, tmp_path: Path) -> None:
    check_same(write(tmp_path / "w.xlsx", parts(sheet_xml(SHARED), strings=strings)), native=native)


@pytest.mark.parametrize(
    ("sheet", "native"),
    [
        (f"\ufeff{DECLARATION}{sheet_xml(ONE)}\n", True),
        (sheet_xml(ONE, head='<dimension ref="A1:XFD1048576"/>'), True),
        (sheet_xml(ONE, head='<dimension ref="C7"/>'), True),
        (sheet_xml(ONE, head='<dimension ref="nothing"/>'), False),
        (sheet_xml(ONE, head="<dimension/>"), False),
        (sheet_xml(ONE, head='<sheetViews><sheetView workbookViewId="0" x="a &gt; b > c"/></sheetViews>'), True),
        (sheet_xml(ONE, head="<!-- x -->"), False),
        (sheet_xml(ONE, tail="<!-- x -->"), True),
        (sheet_xml(ONE, tail='<mergeCells><mergeCell ref="A1:B2"/><mergeCell ref="C3:C9"/></mergeCells>'), True),
        (sheet_xml(ONE, tail='<mergeCells><mergeCell ref="x"/></mergeCells>'), False),
        (sheet_xml(ONE, tail='<mergeCells><mergeCell ref="a1:b2"/></mergeCells>'), False),
        (f'<worksheet xmlns="{MAIN}"><sheetData/></worksheet>', True),
        (f'<worksheet xmlns="{MAIN}"/>', False),
        (f'<chartsheet xmlns="{MAIN}"/>', False),
        (
            f'<x:worksheet xmlns:x="{MAIN}"><x:sheetData><x:row r="1"><x:c r="A1" t="inlineStr"><x:is>'
            '<x:t>a</x:t></x:is></x:c>'
            '<x:c r="B1" t="e"><x:v>#N/A</x:v></x:c><x:c r="C1"><x:f>1</x:f></x:c></x:row></x:sheetData></x:worksheet>',
            True,
        ),
        (f'<!DOCTYPE x [<!ENTITY e "x">]>{sheet_xml(ONE)}', False),
        (sheet_xml(ONE).encode("utf-16"), False),
        (f'<?xml version="1.0" encoding="windows-1252"?>{sheet_xml(ONE)}', False),
        (sheet_xml(ONE)[:-30], False),
        (b"", False),
    ],
)  # fmt: skip
def test_other_ways_to_write_a_sheet(sheet: str | bytes, native: bool, tmp_path: Path) -> None:
    check_same(write(tmp_path / "w.xlsx", parts(sheet)), native=native)


@pytest.mark.parametrize(
    ("styles", "native"),
    [
        (None, True),
        (STYLES.replace("&quot; Uhr&quot;", "\\h"), True),
        (STYLES.replace('numFmtId="164" formatCode="00000"', 'numFmtId="14" formatCode="0.00"'), True),
        (STYLES.replace("<cellXfs>", "<!-- x --><cellXfs>"), False),
        (STYLES.replace('numFmtId="14"', 'numFmtId="014"'), False),
        (STYLES.replace("<cellXfs>", '<cellStyleXfs><xf numFmtId="14"/></cellStyleXfs><cellXfs>'), True),
        (STYLES.replace("<cellXfs>", '<dxfs><dxf><numFmt numFmtId="164" formatCode="d"/></dxf></dxfs><cellXfs>'), True),
        (STYLES.replace('<xf numFmtId="0" ', "<xf "), True),
        (STYLES.replace('<xf numFmtId="0" ', '<xf numFmtId="14" '), False),
    ],
)
def test_styles(styles: str | None, native: bool, tmp_path: Path) -> None:
    rows = "".join(f'<row><c><v>45000.25</v></c><c s="{n}"><v>45000.25</v></c></row>' for n in range(12))
    check_same(write(tmp_path / "w.xlsx", parts(sheet_xml(rows), styles=styles)), native=native)


#: Codes of number formats.
CODES = [
    *(
        "dd.mm.yyyy",
        "yyyy\\-mm\\-dd",
        "[$-F800]dddd",
        "mmm",
        "h:mm AM/PM",
        "[h]:mm",
        "[mm]:ss",
        "[s]",
        "mm:ss.0",
        "e",
        "b",
    ),
    *(
        '"day" 0',
        "#,##0.00 [$€-407]",
        "[Red]0;[Blue]-0",
        "General",
        "@",
        "0 \\d",
        "_d0",
        "*d0",
        "d",
        "[>100]d",
        "h",
        "s",
    ),
    *(
        'm"m"',
        "[hh]",
        "A/P",
        "[$-409]h:mm",
        "yyyy",
        "0;d",
        "",
        "[",
        '"',
        "\\",
        "m/d/yy h:mm",
        "ｄ",
        "[h",
        "[h]d;@",
        "a/p",
    ),
    "0.00E+00",
]


@pytest.mark.parametrize("code", CODES)
def test_number_formats(code: str, tmp_path: Path) -> None:
    styles = (
        f'<styleSheet xmlns="{MAIN}"><numFmts><numFmt numFmtId="170" formatCode={quoteattr(code)}/></numFmts>'
        '<cellXfs><xf numFmtId="0"/><xf numFmtId="170"/></cellXfs></styleSheet>'
    )
    rows = '<row><c s="1"><v>45000.25</v></c><c s="1"><v>1.5</v></c><c s="1"><v>45000</v></c></row>'
    check_same(write(tmp_path / "w.xlsx", parts(sheet_xml(rows), styles=styles)))
    zero = '<row><c s="1"><v>0.5</v></c><c s="1"><v>-0.5</v></c><c s="1"><v>0</v></c></row>'
    check_same(write(tmp_path / "w.xlsx", parts(sheet_xml(zero), styles=styles)), native=None)


def test_stored_parts_and_hidden_sheets(tmp_path: Path) -> None:
    members = parts(sheet_xml(SHARED), strings=STRINGS, attributes=' state="veryHidden"')
    check_same(write(tmp_path / "w.xlsx", members, zipfile.ZIP_STORED))


@pytest.mark.parametrize("state", ["hidden", "visible"])
def test_states_of_sheets(state: str, tmp_path: Path) -> None:
    check_same(write(tmp_path / "w.xlsx", parts(sheet_xml(ONE), attributes=f' state="{state}"')))


@pytest.mark.parametrize("date1904", ["0", "1", "true", "false"])
def test_date_systems(date1904: str, tmp_path: Path) -> None:
    members = parts(sheet_xml('<row><c s="1"><v>1000</v></c></row>'), workbook=f'<workbookPr date1904="{date1904}"/>')
    check_same(write(tmp_path / "w.xlsx", members))


def changed(part: str, old: str, new: str) -> dict[str, str | bytes]:
    members = parts(sheet_xml(SHARED), strings=STRINGS)
    text = members[part]
    assert isinstance(text, str)
    assert old in text
    return {**members, part: text.replace(old, new)}


@pytest.mark.parametrize(
    ("part", "old", "new", "native"),
    [
        ("xl/_rels/workbook.xml.rels", 'Target="sharedStrings.xml"', 'Target="/xl/sharedStrings.xml"', True),
        ("xl/_rels/workbook.xml.rels", 'Target="worksheets/', 'Target="/xl/worksheets/', True),
        ("xl/_rels/workbook.xml.rels", 'Target="sharedStrings.xml"', 'Target="other.xml"', False),
        ("xl/_rels/workbook.xml.rels", 'Id="rId2"', 'Id="rId1"', False),
        ("xl/_rels/workbook.xml.rels", "/worksheet", "/elsewhere", False),
        ("xl/workbook.xml", 'r:id="rId1"', 'r:id="rId7"', False),
        ("xl/workbook.xml", 'name="Data"', 'name="A &amp; B &#228;"', True),
        ("xl/workbook.xml", 'name="Data"', 'name=""', False),
        ("xl/workbook.xml", "<sheets>", "<bookViews><workbookView/></bookViews><sheets>", True),
        ("_rels/.rels", "xl/workbook.xml", "xl/book.xml", False),
        ("_rels/.rels", "</Relationships>", "", False),
    ],
)
def test_other_packages(part: str, old: str, new: str, native: bool, tmp_path: Path) -> None:
    check_same(write(tmp_path / "w.xlsx", changed(part, old, new)), native=native)


def test_names_of_parts_in_another_case(tmp_path: Path) -> None:
    members = {
        name.replace("sharedStrings", "SharedStrings"): text
        for name, text in parts(sheet_xml(SHARED), strings=STRINGS).items()
    }
    check_same(write(tmp_path / "w.xlsx", members))


def test_rows_over_several_pieces(tmp_path: Path) -> None:
    """Pieces end anywhere: in tags, in texts and in the middle of characters."""
    strings = strings_xml(*(f"<si><t>{'äö€😀'[n % 4] * (n % 97)} {n}</t></si>" for n in range(9_000)))
    rows = "".join(
        f'<row r="{n + 1}"><c r="A{n + 1}" t="s"><v>{n}</v></c><c r="C{n + 1}" t="inlineStr"><is>'
        f"<t>{'€' * (n % 50)}</t></is></c>"
        f'<c r="D{n + 1}" s="{n % 10}"><f>A{n}+1</f><v>{n + 1.25}</v></c></row>'
        for n in range(9_000)
    )
    check_same(write(tmp_path / "w.xlsx", parts(sheet_xml(rows), strings=strings)))


@pytest.mark.parametrize(
    ("strings", "native"), [("<sst/>", True), ("<sst></sst>", True), ("<sst/>\n", True), ("<sst/><sst/>", False)]
)
def test_no_shared_strings(strings: str, native: bool, tmp_path: Path) -> None:
    check_same(write(tmp_path / "w.xlsx", parts(sheet_xml(ONE), strings=strings)), native=native)


def test_a_part_in_utf_16_that_is_not_read(tmp_path: Path) -> None:
    """The built-in reader has a note about it."""
    members = {**parts(sheet_xml(ONE)), "customXml/item1.xml": "<x/>".encode("utf-16")}
    check_same(write(tmp_path / "w.xlsx", members), native=False)
