"""Finds the bad rows of a batch on the server, in a fixed number of statements.

The batch is copied into a temporary table as text. A function that lives as long as the transaction inserts its rows
one by one, in sheet order, inside a subtransaction. A bad row ends the subtransaction: its error is recorded, the rows
before it are inserted again by one INSERT, and the next subtransaction begins after it. The server itself decides,
under all current constraints and triggers, and gives its own reasons. A row is inserted at most twice. There are as
many subtransactions as bad rows, each rolled back before the next begins, so they never fill the server's
subtransaction cache (manual, 67.3).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import Any

import msgspec
from psycopg import sql

from tui_importer.backends.postgresql.conflicts import ConflictClause
from tui_importer.backends.sql.faults import DATA_CLASSES, DATA_STATES
from tui_importer.core.model.batch import Batch
from tui_importer.core.writing.backend import Destination, IsolatedRows
from tui_importer.core.writing.defaults import kept_columns
from tui_importer.core.writing.loaded import Loaded
from tui_importer.core.writing.operation import Operation
from tui_importer.errors import DataFault

#: For these SQLSTATEs the detail names the key; for others it may repeat the whole row.
_KEY_STATES = frozenset({"23503", "23505", "23P01"})

#: Errors raised by functions: the place that raised them distinguishes one from another.
_RAISED = "P0"

#: The first version with ``pg_input_error_info``, which gives an input function's error for a text (manual, 9.28).
_INPUT_ERRORS_SINCE = 160_000

#: Maximum number of columns of a table (manual, appendix K); the temporary one has one more, for row numbers.
_MAX_COLUMNS = 1_600

# A temporary table hides others of the same name: this name must be unique.
_BATCH = sql.SQL("pg_temp.tui_importer_isolation")
_FUNCTION = sql.SQL("pg_temp.tui_importer_isolate()")

# COPY ignores rules and INSERT does not: a table with a rule on INSERT is left to COPY.
_QUERY_TABLE = sql.SQL("""
SELECT a.attname, format_type(a.atttypid, a.atttypmod), type.base, type.required
FROM pg_attribute a
CROSS JOIN LATERAL (
    WITH RECURSIVE chain AS (
        SELECT t.* FROM pg_type t WHERE t.oid = a.atttypid
        UNION ALL SELECT t.* FROM chain JOIN pg_type t ON t.oid = chain.typbasetype AND chain.typtype = 'd'
    )
    SELECT max(format_type(oid, -1)) FILTER (WHERE typtype <> 'd' AND typcategory <> 'S') AS base,
        coalesce(bool_or(typnotnull), false) AS required
    FROM chain
) AS type
WHERE a.attrelid = {table}::regclass AND a.attnum > 0 AND NOT a.attisdropped
    AND has_database_privilege(current_database(), 'TEMP')
    AND EXISTS (SELECT FROM pg_language l WHERE l.lanname = 'plpgsql' AND has_language_privilege(l.oid, 'USAGE'))
    AND NOT EXISTS (SELECT FROM pg_rewrite r WHERE r.ev_class = a.attrelid AND r.ev_type = '3')
""")

# Two batches that contain each other's keys would deadlock until the server ends one of them, after a second. The lock
# is released when the transaction ends.
_LOCK_TABLE = sql.SQL(
    "SELECT pg_advisory_xact_lock(hashtext('tui_importer isolation'), {table}::regclass::oid::integer)"
)

_CREATE = sql.SQL("""
CREATE TEMPORARY TABLE tui_importer_isolation (
    place integer GENERATED ALWAYS AS IDENTITY (MINVALUE 0 CACHE 1000) PRIMARY KEY, {cells}
) ON COMMIT DROP;
CREATE FUNCTION {function} RETURNS TABLE (
    refused integer, inserted bigint, updated bigint,
    state text, message text, detail text, context text, named text, violated text
) LANGUAGE plpgsql AS {body}
""")

_BODY = sql.SQL("""
#variable_conflict use_column
DECLARE
    given NO SCROLL CURSOR FOR SELECT * FROM {batch} b WHERE b.place BETWEEN {first} AND {last} ORDER BY b.place;
    pending integer := {first};
    failed integer;
    affected bigint;
    is_new boolean;
    inserted_before bigint;
    updated_before bigint;
    r record;
BEGIN
    inserted := 0;
    updated := 0;
    OPEN given;
    LOOP
        inserted_before := inserted;
        updated_before := updated;
        BEGIN
            LOOP
                FETCH given INTO r;
                EXIT WHEN NOT FOUND;
                {insert}
                {count}
            END LOOP;
            CLOSE given;
            refused := NULL;
            RETURN NEXT;
            RETURN;
        EXCEPTION WHEN OTHERS THEN
            GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL,
                context = PG_EXCEPTION_CONTEXT, named = COLUMN_NAME, violated = CONSTRAINT_NAME;
            IF left(state, 2) <> ALL ({classes}) AND state <> ALL ({states}) THEN
                RAISE;
            END IF;
        END;
        inserted := inserted_before;
        updated := updated_before;
        failed := r.place;
        IF failed > pending THEN
            {insert_again}
        END IF;
        refused := failed;
        pending := failed + 1;
        RETURN NEXT;
    END LOOP;
END
""")

# How the outcome of an INSERT is counted; with a conflict clause, it returns whether its row is new, or nothing.
_COUNT = sql.SQL("""
                GET DIAGNOSTICS affected = ROW_COUNT;
                inserted := inserted + affected;
""")
_COUNT_IS_NEW = sql.SQL("""
                inserted := inserted + (is_new IS TRUE)::integer;
                updated := updated + (is_new IS FALSE)::integer;
""")

# How the rows before a refused one are inserted again: by one statement, unless some of them omit columns, or their
# order matters.
_INSERT_ALL = sql.SQL("""
            INSERT INTO {table} ({columns})
                SELECT {values} FROM {batch} r WHERE r.place >= pending AND r.place < failed ORDER BY r.place;
            GET DIAGNOSTICS affected = ROW_COUNT;
            inserted := inserted + affected;
""")
_INSERT_EACH = sql.SQL("""
            FOR r IN SELECT * FROM {batch} b WHERE b.place >= pending AND b.place < failed ORDER BY b.place LOOP
                {insert}
                {count}
            END LOOP;
""")

# COPY parses all cells of a row first, in column order.
_CALL = sql.SQL("""
SELECT i.refused, i.inserted, i.updated,
    coalesce(e.state, i.state), coalesce(e.message, i.message), i.detail, i.context,
    coalesce(e.column_name, i.named), i.violated
FROM {function} i
LEFT JOIN LATERAL (
    SELECT v.column_name, error.message, error.sql_error_code AS state
    FROM {batch} b
    CROSS JOIN LATERAL (VALUES {inputs}) v (place, cell, type, required, column_name)
    LEFT JOIN LATERAL pg_input_error_info(v.cell, v.type) error ON true
    WHERE b.place = i.refused AND (error.message IS NOT NULL OR (v.cell IS NULL AND v.required AND i.state = '23502'))
    ORDER BY v.place LIMIT 1
) e ON true
""")
_PLAIN_CALL = sql.SQL(
    "SELECT refused, inserted, updated, state, message, detail, context, named, violated FROM {function}"
)


class _Column(msgspec.Struct, frozen=True):
    """A column as the server describes it: ``declared`` is its type, ``base`` the type that a text must be cast to
    before assignment, if any; ``required`` says that the type itself rejects NULL."""

    name: str
    declared: str
    base: str | None
    required: bool


class Isolation:
    """The statements with which one session finds the bad rows of its batches.

    Written once for plain sessions and asyncio, as the batch writer is (:mod:`tui_importer.core.writing.operation`):
    the operation ``fetch`` executes a statement and returns its rows, ``copy`` sends chunks or records by a COPY
    statement.
    """

    def __init__(self, destination: Destination, copy_options: sql.Composable) -> None:
        """``copy_options`` are the COPY options for encoded batches."""
        table = destination.table
        self._table = sql.Identifier(*((table.schema, table.name) if table.schema else (table.name,)))
        self._names = destination.columns
        self._cells = [sql.Identifier(f"c{number}") for number in range(len(destination.columns))]
        self._copy_options = copy_options
        self._destination = destination
        self._ordered = destination.mode.order_matters
        self._columns: list[_Column] | None = None

    def steps(
        self,
        fetch: Callable[[sql.Composed], Operation[list[Any]]],
        copy: Callable[[sql.Composed, Iterable[bytes], Iterable[Sequence[Any]]], Operation[int]],
        version: int,
        batch: Batch,
        chunks: Iterable[bytes] | None,
        start: int,
        stop: int,
        omitted: Iterable[tuple[int, ...]],
    ) -> Operation[IsolatedRows | None]:
        """Insert rows ``start`` to ``stop`` (exclusive) of the batch except the bad ones. Returns None if that is
        impossible here: temporary tables are not permitted, or INSERT differs from COPY for this table. ``version`` is
        the server's; ``chunks`` are the encoded batch, if it was encoded; ``omitted`` are the indexes of the columns
        that the rows omit (:func:`~tui_importer.core.writing.defaults.omitted_columns`)."""
        if self._columns is None:
            answer = yield from fetch(_QUERY_TABLE.format(table=sql.Literal(self._table.as_string(None))))
            known = {name: _Column(name, *facts) for name, *facts in answer}
            self._columns = [known[name] for name in self._names if name in known]
        if len(self._columns) < len(self._names) or len(self._names) >= _MAX_COLUMNS:
            return None
        yield from fetch(_LOCK_TABLE.format(table=sql.Literal(self._table.as_string(None))))
        yield from fetch(self._create(self._columns, version, start, stop, sorted(set(omitted))))
        options = sql.SQL("") if chunks is None else self._copy_options
        statement = sql.SQL("COPY {} ({}) FROM STDIN {}").format(_BATCH, _listed(self._cells), options)
        yield from copy(statement, chunks or (), batch.records() if chunks is None else ())
        rows = yield from fetch(self._call(self._columns, version))
        yield from fetch(sql.SQL("DROP FUNCTION {}; DROP TABLE {}").format(_FUNCTION, _BATCH))
        return _isolated(rows, start, stop)

    def _create(
        self, columns: Sequence[_Column], version: int, start: int, stop: int, omitted: Sequence[tuple[int, ...]]
    ) -> sql.Composed:
        insert = self._insert_row(columns, version, omitted)
        count = _COUNT_IS_NEW if self._ordered else _COUNT
        if any(omitted) or self._ordered:
            insert_again = _INSERT_EACH.format(batch=_BATCH, insert=insert, count=count)
        else:
            names, values = map(_listed, self._names_and_values(columns, ()))
            insert_again = _INSERT_ALL.format(table=self._table, columns=names, values=values, batch=_BATCH)
        body = _BODY.format(
            batch=_BATCH,
            first=sql.Literal(start),
            last=sql.Literal(stop - 1),
            insert=insert,
            count=count,
            insert_again=insert_again,
            classes=sql.Literal(sorted(DATA_CLASSES)),
            states=sql.Literal(sorted(DATA_STATES)),
        )
        return _CREATE.format(
            cells=_listed(sql.SQL("{} text").format(cell) for cell in self._cells),
            function=_FUNCTION,
            body=sql.Literal(body.as_string(None)),
        )

    def _insert_row(self, columns: Sequence[_Column], version: int, omitted: Sequence[tuple[int, ...]]) -> sql.Composed:
        """The statement that inserts the row ``r``: conditions find out which of the columns it omits."""
        places = sorted(set(chain.from_iterable(omitted)))
        parts: list[sql.Composable] = []
        todo: list[sql.Composable | tuple[Sequence[tuple[int, ...]], int]] = [(omitted, 0)]
        while todo:
            item = todo.pop()
            if isinstance(item, sql.Composable):
                parts.append(item)
                continue
            possible, depth = item
            if len(possible) == 1:
                parts.append(self._insert(columns, version, possible[0]))
                continue
            place = places[depth]
            blank = [each for each in possible if place in each]
            filled = [each for each in possible if place not in each]
            if blank and filled:
                condition = sql.SQL("IF r.{} IS NULL THEN").format(self._cells[place])
                todo += [sql.SQL("END IF;"), (filled, depth + 1), sql.SQL("ELSE"), (blank, depth + 1), condition]
            else:
                todo.append((possible, depth + 1))
        return sql.SQL("\n").join(parts)

    def _insert(self, columns: Sequence[_Column], version: int, omitted: tuple[int, ...]) -> sql.Composed:
        names, values = map(_listed, self._names_and_values(columns, omitted))
        row: sql.Composable = sql.SQL("DEFAULT VALUES")
        if len(omitted) < len(columns):
            row = sql.SQL("({}) VALUES ({})").format(names, values)
        end: sql.Composable = sql.SQL("")
        if self._ordered:
            conflict = ConflictClause(self._destination.part(kept_columns(len(columns), omitted)))
            end = sql.SQL(" {} RETURNING {} INTO is_new").format(conflict.clause, conflict.is_new(version))
        return sql.SQL("INSERT INTO {} AS target {}{};").format(self._table, row, end)

    def _names_and_values(
        self, columns: Sequence[_Column], omitted: tuple[int, ...]
    ) -> tuple[list[sql.Composable], list[sql.Composable]]:
        """The names of the columns that are not omitted, and their values in the row ``r``."""
        names: list[sql.Composable] = []
        values: list[sql.Composable] = []
        for place in kept_columns(len(columns), omitted):
            base = columns[place].base
            names.append(sql.Identifier(self._names[place]))
            values.append(sql.SQL("r.{}").format(self._cells[place]) + sql.SQL(f"::{base}" if base else ""))
        return names, values

    def _call(self, columns: Sequence[_Column], version: int) -> sql.Composed:
        inputs = [
            sql.SQL("({}, b.{}, {}, {}, {})").format(
                sql.Literal(place),
                cell,
                sql.Literal(column.declared),
                sql.Literal(column.required),
                sql.Literal(column.name),
            )
            for place, (cell, column) in enumerate(zip(self._cells, columns, strict=True))
            if column.declared != "text"
        ]
        if not inputs or version < _INPUT_ERRORS_SINCE:
            return _PLAIN_CALL.format(function=_FUNCTION)
        return _CALL.format(function=_FUNCTION, batch=_BATCH, inputs=_listed(inputs))


def _listed(parts: Iterable[sql.Composable]) -> sql.Composed:
    return sql.SQL(", ").join(parts)


def _isolated(rows: Iterable[Sequence[Any]], start: int, stop: int) -> IsolatedRows:
    """Read the function's result: a row for each bad row, and a last one without a number."""
    refused: list[tuple[int, DataFault]] = []
    for place, inserted, updated, state, message, detail, context, column, constraint in rows:
        if place is None:
            skipped = stop - start - len(refused) - inserted - updated
            return IsolatedRows(Loaded(inserted, updated, skipped), refused)
        names = {"column": column or None, "constraint": constraint or None}
        refused.append((place, data_fault(message, detail, state, context, **names)))
    raise AssertionError(f"rows from {start} on were not all tried")


def data_fault(
    message: str,
    detail: str | None,
    sqlstate: str,
    context: str | None,
    *,
    offset: int | None = None,
    column: str | None = None,
    constraint: str | None = None,
) -> DataFault:
    """The server's error for one row."""
    text = f"{message}: {detail}" if sqlstate in _KEY_STATES and detail else message
    kind = sqlstate
    if sqlstate.startswith(_RAISED) and context:
        kind = f"{sqlstate} {context.splitlines()[0]}"
    return DataFault(text, sqlstate=sqlstate, offset=offset, column=column, constraint=constraint, kind=kind)
