"""Names of tables as users write them, with the schema before a dot, and parts in double quotes where they need it.

``"Mixed"."Case"`` is the same as ``Mixed.Case``: names are always taken literally. Quotes are needed for a dot inside a
name, and a quote inside of quotes is written twice (SQL:2023, part 2, 5.2, delimited identifier).
"""

from __future__ import annotations

import re

from tui_importer.core.model.patterns import pattern

_QUOTED = r'"(?:[^"]|"")+"'
_NAME = pattern(rf'(?:(?P<schema>{_QUOTED}|[^"]+)\.)?(?P<table>{_QUOTED}|[^".]+)', re.DOTALL)


def split_table_name(text: str) -> tuple[str | None, str]:
    """The schema, if there is one, and the table. A text with quotes in other places is a name by itself, as far as the
    last dot."""
    found = _NAME.fullmatch(text)
    if found is None:
        schema, _, table = text.rpartition(".")
        return schema or None, table
    return None if found["schema"] is None else _unquoted(found["schema"]), _unquoted(found["table"])


def joined_table_name(schema: str | None, table: str) -> str:
    """The inverse of :func:`split_table_name`, in one form: with quotes only around a table's name that has a dot, and
    its schema."""
    if "." not in table:
        return table if schema is None else f"{schema}.{table}"
    return _quoted(table) if schema is None else f"{_quoted(schema)}.{_quoted(table)}"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _unquoted(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name
