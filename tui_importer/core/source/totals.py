"""Detection of the totals row below a table."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from tui_importer.core.model.cells import Cell
from tui_importer.core.model.patterns import pattern

#: The first cell of a totals row, in the languages of most spreadsheets; compared ignoring case.
TOTAL_WORDS = frozenset(
    word.casefold()
    for word in (
        # en, de
        *("Total", "Totals", "Grand total", "Subtotal", "Sub-total", "Sum", "Overall total"),
        *("Summe", "Gesamt", "Gesamtsumme", "Zwischensumme", "Total gesamt", "Insgesamt"),
        # fr, es, pt, it, ro, ca
        *("Totaux", "Total général", "Sous-total", "Somme", "Total general", "Suma", "Suma total", "Totales"),
        *("Totais", "Soma", "Total geral", "Totale", "Totali", "Totale generale", "Somma", "Subtotale"),
        # pivot tables of LibreOffice and Excel
        *("Total Result", "Gesamt Ergebnis", "Gesamtergebnis", "Ergebnis gesamt", "Total Résultat", "Résultat total"),
        *("Total Resultado", "Resultado total", "Totale Risultato", "Totale complessivo", "Totaal Resultaat"),
        *("Totaalresultaat", "Suma Wynik", "Wynik całkowity", "Итог Результат", "Общий результат", "Hovedtotal"),
        *(
            "Kaikki yhteensä",
            "Celkový součet",
            "Celkem Výsledek",
            "Összesen Eredmény",
            "合計 結果",
            "总计 结果",
            "總計 結果",
        ),
        # nl, sv, da, no, fi, et
        *("Totaal", "Eindtotaal", "Subtotaal", "Som", "Totalt", "Summa", "Totalsumma", "Delsumma", "I alt"),
        *("Sum total", "Totalsum", "Yhteensä", "Kokku"),
        # pl, cs, sk, hu, sl, hr, tr, el
        *("Razem", "Łącznie", "Suma końcowa", "Celkem", "Součet", "Spolu", "Súčet", "Összesen", "Végösszeg"),
        *("Skupaj", "Ukupno", "Toplam", "Genel toplam", "Σύνολο", "Γενικό σύνολο"),
        # ru, uk, bg, he, ar, hi, id, vi
        *("Итого", "Итог", "Всего", "Сумма", "Общий итог", "Разом", "Усього", "Підсумок", "Общо", "Всичко"),
        *("סך הכל", 'סה"כ', "المجموع", "الإجمالي", "कुल", "कुल योग", "Jumlah", "Tổng", "Tổng cộng"),
        # zh, ja, ko
        *("合计", "总计", "小计", "合計", "総計", "總計", "小計", "합계", "총계", "소계"),
    )
)

#: A number as text, with any separators, in a sheet that has only texts.
_NUMBER = pattern(r"[-+]?[0-9][0-9.,' \u00a0\u202f]*(?:[eE][-+]?[0-9]+)?")


def is_totals_row(cells: Sequence[Cell], *, typed: bool = True) -> bool:
    """Whether a row is a totals row; only the last filled row of a sheet can be one.

    Strict, because leaving out a data row is worse than importing a total: the first filled cell is exactly a word for
    "total", at least one number follows, and there are no other cells. In an untyped sheet, texts that are numbers
    count as numbers.
    """
    filled = [cell for cell in cells if cell is not None and cell != ""]
    if len(filled) < 2:
        return False
    label, *numbers = filled
    if not isinstance(label, str) or " ".join(label.rstrip(":： ").split()).casefold() not in TOTAL_WORDS:
        return False
    return all(type(cell) in (int, float, Decimal) or (not typed and _is_number(cell)) for cell in numbers)


def _is_number(cell: Cell) -> bool:
    return isinstance(cell, str) and _NUMBER.fullmatch(cell.strip()) is not None
