"""Finding the sheet that has the table, if the user names none.

A clear table decides at once, so that a workbook whose first sheet has one costs nothing more. Otherwise further sheets
are opened: an empty sheet, a cover or a summary is not the table if another sheet has one.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence
from enum import IntEnum
from functools import cache, partial

from tui_importer.core.model.batch import Block
from tui_importer.core.model.cells import Cell
from tui_importer.core.model.patterns import pattern
from tui_importer.core.source.header import LAYOUT_ROWS, find_layout
from tui_importer.core.source.layout import Layout
from tui_importer.core.source.reader import OpenSheet, SheetInfo, Workbook, merged_ranges
from tui_importer.errors import SourceError

#: Names of sheets that describe others or sum them up.
_DESCRIPTIONS = """
cover, title, front, toc, contents, table of contents, index, list of tables, introduction, readme, read me,
read me first, start here, notes, note, about, info, information, summary, executive summary, management summary,
overview, legend, instructions, guide, user guide, how to use, help, disclaimer, definitions, data dictionary, metadata,
changelog, change log, change history, revision history, version, versions, glossary, dashboard,
deckblatt, titelblatt, titel, inhalt, inhaltsverzeichnis, übersicht, zusammenfassung, einleitung, hinweise, legende,
erläuterungen, anleitung, glossar, couverture, sommaire, table des matières, résumé, synthèse, lisez-moi, page
de garde, légende, mode d'emploi, portada, carátula, índice, contenido, resumen, leyenda, instrucciones, léeme,
notas, copertina, frontespizio, riepilogo, sommario, legenda, istruzioni, capa, sumário, resumo, instruções, leia-me,
voorblad, inhoud, inhoudsopgave, samenvatting, toelichting, omslag, forside, indhold, innhold, oversigt, oversikt,
försättsblad, innehåll, sammanfattning, kansilehti, sisällys, yhteenveto, okładka, spis treści, podsumowanie, obsah,
souhrn, úvod, tartalom, összefoglaló, kapak, özet, içindekiler, обложка, титул, оглавление, содержание, сводка,
инструкция, примечания, зміст, 表紙, 目次, 概要, 説明, はじめに, 封面, 目录, 目錄, 说明, 說明, 摘要, 표지, 목차,
요약, 설명
"""
_WORD = pattern(r"[^\W\d_]+")
#: What may stand beside such a word: quarters, half and fiscal years, versions, and words for a sheet.
_BESIDE = frozenset({"q", "h", "fy", "v", "rev", "page", "sheet", "tab", "blatt", "seite", "feuille", "hoja", "foglio"})
#: A list of facts has no more rows than this.
_MAX_FACTS = 30
#: How many sheets a note names.
_SHOWN = 6


class SheetKind(IntEnum):
    """What the beginning of a sheet looks like; more is better."""

    EMPTY = 0
    UNCLEAR = 1
    #: A table, in a sheet whose name says that it describes others.
    DESCRIPTION = 2
    TABLE = 3


_WORDS = {
    SheetKind.EMPTY: "empty",
    SheetKind.UNCLEAR: "no clear table",
    SheetKind.DESCRIPTION: "a summary or description by its name",
    SheetKind.TABLE: "",
}


def open_table(workbook: Workbook, first: OpenSheet, names: Sequence[str]) -> tuple[OpenSheet, str | None]:
    """The first sheet with a clear table, or else the first whose name says that it describes others, or else the first
    with cells.

    ``first`` is open already, ``names`` are the sheets that may be opened. Returns the sheet with a note that names the
    others of the workbook; None if there are none.
    """
    best, known = first, {first.name: (sheet_kind(first), first.row_hint)}
    for name in names:
        if known[best.name][0] is SheetKind.TABLE:
            break
        if name in known:
            continue
        try:
            sheet = workbook.sheet(name)
            known[name] = sheet_kind(sheet), sheet.row_hint
        except SourceError:
            continue  # it is named among the others; whoever wants it is told what is wrong
        if known[name][0] > known[best.name][0]:
            best = sheet
    return best, _note(workbook.sheets, best.name, known)


def _note(sheets: Sequence[SheetInfo], chosen: str, known: dict[str, tuple[SheetKind, int | None]]) -> str | None:
    """A sentence that names the other sheets, with what is ``known`` of them: their kinds and numbers of rows."""
    others = [f"{info.name!r}{_facts(info, *known.get(info.name, _UNKNOWN))}" for info in sheets if info.name != chosen]
    if not others:
        return None
    more = f" and {len(others) - _SHOWN} more" if len(others) > _SHOWN else ""
    return f"only sheet {chosen!r} is imported, not {', '.join(others[:_SHOWN])}{more} (--sheet names another)"


#: Of a sheet that was not opened, nothing is known.
_UNKNOWN = (SheetKind.TABLE, None)


def _facts(info: SheetInfo, kind: SheetKind, rows: int | None) -> str:
    """What a note says of a sheet that is not imported, in parentheses."""
    known = [
        "hidden" if info.hidden else "",
        f"{rows:,} {'row' if rows == 1 else 'rows'}" if rows else "",
        _WORDS[kind],
    ]
    words = ", ".join(filter(None, known))
    return f" ({words})" if words else ""


def sheet_kind(sheet: OpenSheet) -> SheetKind:
    """What the first rows of a sheet look like."""
    head = next((block for block in sheet.blocks(LAYOUT_ROWS) if _has_cells(block)), None)
    if head is None:
        return SheetKind.EMPTY
    layout = find_layout(head, merged=partial(merged_ranges, sheet, head.first_row + len(head) - 1))
    rows = [
        [column.values()[offset] for column in head.columns]
        for offset in range(max(0, layout.first_row - head.first_row), len(head))
    ]
    rows = [row for row in rows if any(cell not in (None, "") for cell in row)]
    filled = Counter(index for row in rows for index, cell in enumerate(row) if cell not in (None, ""))
    columns = [index for index, cells in filled.items() if cells * 2 >= len(rows)]
    if len(columns) < 2 or len(rows) < 2 or _is_list_of_facts(rows, sorted(filled), layout):
        return SheetKind.UNCLEAR
    return SheetKind.DESCRIPTION if _is_description(sheet.name) else SheetKind.TABLE


def _is_description(name: str) -> bool:
    """Whether a sheet's name is one of those words, perhaps with a year, a number or a word like "page" beside it."""
    return _words(name) in _description_words()


@cache
def _description_words() -> frozenset[str]:
    return frozenset(map(_words, _DESCRIPTIONS.split(",")))


def _words(name: str) -> str:
    """The words of a name without case and accents, and without those that may stand beside others."""
    plain = "".join(letter for letter in unicodedata.normalize("NFKD", name) if not unicodedata.combining(letter))
    return " ".join(word for word in _WORD.findall(plain.casefold()) if word not in _BESIDE)


def _has_cells(block: Block) -> bool:
    return any(column.blanks < len(column) for column in block.columns)


def _is_list_of_facts(rows: Sequence[Sequence[Cell]], columns: Sequence[int], layout: Layout) -> bool:
    """Whether two or three columns are names, values, and perhaps units or remarks: ``Author: | Ann``, ``Area | 12.5 |
    km²``.

    ``rows`` are those below the ``layout``'s header, which may be the first of the facts itself.
    """
    if len(columns) > 3 or len(rows) > _MAX_FACTS:
        return False
    names, values, *remarks = ([row[column] for row in rows] for column in columns)
    if sum(isinstance(name, str) and name.rstrip().endswith(":") for name in names) * 2 >= len(rows):
        return True
    if not all(name in (None, "") or isinstance(name, str) for name in names):
        return False
    kinds = {type(value) for value in values if value not in (None, "")}
    return len(kinds) > 2 or (len(kinds) == 2 and bool(remarks) and _are_units(remarks[0], values, layout))


def _are_units(units: Sequence[Cell], values: Sequence[Cell], layout: Layout) -> bool:
    """Whether the cells of a third column are texts that stand beside numbers only: a header has another beside a
    name."""
    with_units = [value for unit, value in zip(units, values, strict=True) if unit not in (None, "")]
    return (
        (len(layout.headers) < 3 or layout.headers[-1] is None)
        and all(unit in (None, "") or isinstance(unit, str) for unit in units)
        and not any(isinstance(value, str) for value in with_units)
    )
