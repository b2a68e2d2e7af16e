"""Finding the sheet that has the table, if the user names none.

A clear table decides at once, so that a workbook whose first sheet has one costs nothing more. Otherwise further sheets
are opened: an empty sheet, a cover or a summary is not the table if another sheet has one.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from enum import IntEnum

from tui_importer.core.model.batch import Block
from tui_importer.core.model.cells import Cell
from tui_importer.core.source.header import LAYOUT_ROWS, find_layout
from tui_importer.core.source.reader import OpenSheet, SheetInfo, Workbook
from tui_importer.errors import SourceError

#: Names of sheets that describe others or sum them up.
_DESCRIPTIONS = """
cover, title, toc, contents, table of contents, index, readme, read me, read me first, start here, notes, note,
about, info, information, summary, overview, legend, instructions, help, metadata, changelog, change log, version,
versions, glossary, dashboard, deckblatt, titelblatt, titel, inhalt, inhaltsverzeichnis, übersicht,
zusammenfassung, hinweise, legende, anleitung, couverture, sommaire, résumé, resume, lisez-moi, page
de garde, portada, índice, indice, resumen, notas, copertina, riepilogo, sommario, capa, resumo, voorblad, inhoud,
samenvatting, omslag, okładka, spis treści, podsumowanie, обложка, содержание, сводка, примечания,
表紙, 目次, 概要, 封面, 目录, 目錄, 说明, 說明
"""
_WORD = re.compile(r"[^\W\d_]+")
#: What may stand beside such a word: quarters, half and fiscal years, and words for a sheet.
_BESIDE = frozenset({"q", "h", "fy", "page", "sheet", "tab", "blatt", "seite", "feuille", "hoja", "foglio"})
#: A list of names and values has no more rows than this.
_MAX_FACTS = 30
#: How many sheets a note names.
_SHOWN = 6


class Shape(IntEnum):
    """What the beginning of a sheet looks like; more is better."""

    EMPTY = 0
    UNCLEAR = 1
    TABLE = 2


_WORDS = {Shape.EMPTY: " (empty)", Shape.UNCLEAR: " (no clear table)", Shape.TABLE: ""}


def open_table(workbook: Workbook, first: OpenSheet, names: Sequence[str]) -> tuple[OpenSheet, str | None]:
    """The first of the sheets that has a clear table, or else the first with cells.

    ``first`` is open already, ``names`` are the sheets that may be opened. Returns the sheet with a note that names the
    others of the workbook; None if there are none.
    """
    best, known = first, {first.name: shape_of(first)}
    for name in names:
        if known[best.name] is Shape.TABLE:
            break
        if name in known:
            continue
        try:
            sheet = workbook.sheet(name)
            known[name] = shape_of(sheet)
        except SourceError:
            continue  # it is named among the others; whoever wants it is told what is wrong
        if known[name] > known[best.name]:
            best = sheet
    return best, _note(workbook.sheets, best.name, known)


def _note(sheets: Sequence[SheetInfo], chosen: str, known: dict[str, Shape]) -> str | None:
    others = [
        f"{info.name!r}{' (hidden)' if info.hidden else _WORDS[known.get(info.name, Shape.TABLE)]}"
        for info in sheets
        if info.name != chosen
    ]
    if not others:
        return None
    more = f" and {len(others) - _SHOWN} more" if len(others) > _SHOWN else ""
    return f"only sheet {chosen!r} is imported, not {', '.join(others[:_SHOWN])}{more} (--sheet names another)"


def shape_of(sheet: OpenSheet) -> Shape:
    """What the first rows of a sheet look like."""
    head = next((block for block in sheet.blocks(LAYOUT_ROWS) if _has_cells(block)), None)
    if head is None:
        return Shape.EMPTY
    layout = find_layout(head)
    rows = [
        [column.values()[offset] for column in head.columns]
        for offset in range(max(0, layout.first_row - head.first_row), len(head))
    ]
    rows = [row for row in rows if any(cell not in (None, "") for cell in row)]
    filled = Counter(index for row in rows for index, cell in enumerate(row) if cell not in (None, ""))
    columns = [index for index, cells in filled.items() if cells * 2 >= len(rows)]
    if len(columns) < 2 or len(rows) < 2 or _is_description(sheet.name):
        return Shape.UNCLEAR
    return Shape.UNCLEAR if len(filled) == 2 and _are_facts(rows, columns) else Shape.TABLE


def _is_description(name: str) -> bool:
    """Whether a sheet's name is one of those words, perhaps with a year, a number or a word like "page" beside it."""
    return _words(name) in frozenset(map(_words, _DESCRIPTIONS.split(",")))


def _words(name: str) -> str:
    return " ".join(word for word in _WORD.findall(name.casefold()) if word not in _BESIDE)


def _has_cells(block: Block) -> bool:
    return any(column.blanks < len(column) for column in block.columns)


def _are_facts(rows: Sequence[Sequence[Cell]], columns: Sequence[int]) -> bool:
    """Whether two columns are names and values: ``Author: | Ann``, ``Date: | 2024-01-01``."""
    if len(rows) > _MAX_FACTS:
        return False
    names, values = ([row[column] for row in rows if row[column] not in (None, "")] for column in sorted(columns))
    if sum(isinstance(name, str) and name.rstrip().endswith(":") for name in names) * 2 >= len(rows):
        return True
    return all(isinstance(name, str) for name in names) and len({type(value) for value in values}) > 2
