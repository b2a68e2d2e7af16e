"""What an INSERT does with a row whose key is in the table already, and how a batch of such rows is written at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from psycopg import sql

from tui_importer.core.model.table import UNIQUE_KINDS
from tui_importer.core.model.types import Kind
from tui_importer.core.model.write_mode import OnConflict
from tui_importer.core.writing.backend import Destination
from tui_importer.core.writing.loaded import Loaded
from tui_importer.core.writing.operation import Operation

#: The first version whose RETURNING can tell the row that was there before (manual, 6.4).
_OLD_ROWS_SINCE = 180_000

# A temporary table hides others of the same name: this name must be unique.
ROWS = sql.SQL("pg_temp.tui_importer_rows")

# With the types, domains and collations of the target, so that keys are equal here exactly if they are equal there.
_CREATE = sql.SQL("""
CREATE TEMPORARY TABLE tui_importer_rows ON COMMIT DROP AS SELECT {columns} FROM {table} WITH NO DATA
""")
_REPEATED_KEY = sql.SQL("SELECT 1 FROM {rows} GROUP BY {key} HAVING count(*) > 1 LIMIT 1")
_UPSERT = sql.SQL("""
WITH written AS (
    INSERT INTO {table} AS target ({columns}) SELECT {columns} FROM {rows} ORDER BY {order}
    {clause} RETURNING {is_new} AS is_new
)
SELECT count(*) FILTER (WHERE is_new), count(*) FILTER (WHERE NOT is_new) FROM written
""")
_INSERT_NEW = sql.SQL("""
WITH written AS (
    INSERT INTO {table} AS target ({columns}) SELECT {columns} FROM {rows} ORDER BY {order}
    {clause} RETURNING 1
)
SELECT count(*), 0 FROM written
""")
# The order of the sheet: the place of a row in a table that was only copied into.
_SHEET_ORDER = sql.SQL("ctid")


class ConflictClause:
    """The ON CONFLICT clause of a destination, as part of an INSERT into the table under the alias ``target``."""

    def __init__(self, destination: Destination) -> None:
        mode = destination.mode
        self.key = tuple(map(sql.Identifier, mode.key))
        arbiter = sql.SQL("({})").format(_listed(self.key)) if self.key else sql.SQL("")
        updated = mode.update or tuple(name for name in destination.columns if name not in mode.key)
        kinds = dict(zip(destination.columns, destination.types, strict=True))
        present = [name for name in updated if name in kinds]
        self.updates = mode.on_conflict is OnConflict.UPDATE and bool(present)
        if self.updates:
            # A row that would not change is not written again.
            self.clause: sql.Composable = sql.SQL("ON CONFLICT {} DO UPDATE SET {} WHERE {}").format(
                arbiter,
                _listed(sql.SQL("{0} = EXCLUDED.{0}").format(sql.Identifier(name)) for name in present),
                sql.SQL(" OR ").join(_differs(name, kinds[name].kind) for name in present),
            )
        else:
            self.clause = sql.SQL("ON CONFLICT {} DO NOTHING").format(arbiter)

    def is_new(self, version: int) -> sql.Composable:
        """What a RETURNING clause returns to tell inserted rows from updated ones."""
        if not self.updates:
            return sql.SQL("true")
        if version >= _OLD_ROWS_SINCE:
            return sql.SQL("(old.{} IS NULL)").format(self.key[0])  # a key is never NULL
        # A row version that an INSERT made was locked by nobody, one that ON CONFLICT made by this transaction.
        return sql.SQL("(target.xmax = 0)")


class ConflictLoad:
    """The statements that write a batch whose rows may be in the table already, in a fixed number of statements.

    The batch is copied into a temporary table, and from there inserted by one statement.
    """

    def __init__(self, destination: Destination, table: sql.Identifier) -> None:
        self._table = table
        self._columns = _listed(map(sql.Identifier, destination.columns))
        self._conflict = ConflictClause(destination)
        # In the order of the key, two imports lock the same rows in the same order. Where the rows of different keys
        # can be in each other's way, or the first row of a key wins, only the order of the sheet is right.
        unique = [each for each in destination.table.constraints if each.kind in UNIQUE_KINDS]
        in_key_order = self._conflict.updates and len(unique) == 1
        self._order = _listed(self._conflict.key) if in_key_order else _SHEET_ORDER
        self._create = _CREATE.format(columns=self._columns, table=table)

    def steps(
        self,
        fetch: Callable[[sql.Composed], Operation[list[Any]]],
        copy: Callable[[], Operation[int]],
        version: int,
    ) -> Operation[Loaded | None]:
        """Write the rows that ``copy`` copies into :data:`ROWS`; ``fetch`` executes a statement and returns its rows.

        Returns None, and writes nothing, if a key occurs more than once and rows are updated: the outcome then depends
        on every one of its rows, and one statement cannot update a row twice.
        """
        conflict = self._conflict
        yield from fetch(self._create)
        sent = yield from copy()
        if conflict.updates and (yield from fetch(_REPEATED_KEY.format(rows=ROWS, key=_listed(conflict.key)))):
            yield from self._drop(fetch)
            return None
        statement = (_UPSERT if conflict.updates else _INSERT_NEW).format(
            table=self._table,
            columns=self._columns,
            rows=ROWS,
            order=self._order,
            clause=conflict.clause,
            is_new=conflict.is_new(version),
        )
        [(inserted, updated)] = yield from fetch(statement)
        yield from self._drop(fetch)
        return Loaded(inserted, updated, sent - inserted - updated)

    def _drop(self, fetch: Callable[[sql.Composed], Operation[list[Any]]]) -> Operation[None]:
        yield from fetch(sql.SQL("DROP TABLE {}").format(ROWS))


def row_outcome(sent: int, fresh: Sequence[Sequence[bool]]) -> Loaded:
    """The outcome of an INSERT with a conflict clause that returns whether the row is new, or nothing."""
    inserted = sum(1 for [is_new] in fresh if is_new)
    return Loaded(inserted, len(fresh) - inserted, sent - len(fresh))


def _differs(name: str, kind: Kind) -> sql.Composable:
    """The condition that a column's value changes. Not every type of the database's own has an equality operator."""
    cast = sql.SQL("::text" if kind is Kind.OTHER else "")
    return sql.SQL("target.{0}{1} IS DISTINCT FROM EXCLUDED.{0}{1}").format(sql.Identifier(name), cast)


def _listed(parts: Iterable[sql.Composable]) -> sql.Composed:
    return sql.SQL(", ").join(parts)
