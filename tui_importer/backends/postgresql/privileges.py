"""Permissions that a PostgreSQL user lacks for an import, and the statements that grant them (manual, 5.8 and
9.27.2)."""

from __future__ import annotations

from collections.abc import Sequence

from psycopg import sql

from tui_importer.backends.sql.database import SqlConnection, SqlDatabase
from tui_importer.backends.sql.ledger_tables import BATCH_TABLE, REJECT_TABLE, RUN_TABLE
from tui_importer.core.writing.access import Access
from tui_importer.errors import DatabaseError

#: The SQLSTATE of a missing permission (manual, appendix A).
NOT_ALLOWED = "42501"
_NO_SCHEMA = "3F000"

#: What a run does with the ledger's tables. SELECT ... FOR SHARE and FOR UPDATE need UPDATE (manual, "SELECT").
_LEDGER_RIGHTS = {
    RUN_TABLE: ("SELECT", "INSERT", "UPDATE"),
    BATCH_TABLE: ("SELECT", "INSERT", "UPDATE", "DELETE"),
    REJECT_TABLE: ("SELECT", "INSERT"),
}

_CURRENT_USER = (
    "SELECT quote_ident(current_user), has_database_privilege(current_database(), 'CREATE'), current_schema()"
)
_SCHEMA = (
    "SELECT quote_ident(nspname), has_schema_privilege(oid, 'USAGE'), has_schema_privilege(oid, 'CREATE') "
    "FROM pg_namespace WHERE nspname = %(schema)s"
)
#: A schema without USAGE hides its tables from the search path, but not from the catalogs.
_TABLES = """
    SELECT c.relname, quote_ident(n.nspname) || '.' || quote_ident(c.relname),
        ARRAY(SELECT p FROM unnest(CAST(%(rights)s AS text[])) AS p WHERE has_table_privilege(c.oid, p)) AS rights
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = %(schema)s AND c.relname = ANY(%(names)s) AND c.relkind IN ('r', 'p')
"""
_VISIBLE_LEDGER = (
    "SELECT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass(%(name)s)"
)
_TARGET = """
    SELECT quote_ident(n.nspname), has_schema_privilege(n.oid, 'USAGE'),
        quote_ident(n.nspname) || '.' || quote_ident(c.relname),
        has_table_privilege(c.oid, 'SELECT'),
        has_table_privilege(c.oid, 'UPDATE'),
        has_table_privilege(c.oid, 'TRUNCATE'),
        has_table_privilege(c.oid, 'INSERT') OR NOT EXISTS (
            SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = ANY(%(columns)s)
            AND NOT has_column_privilege(c.oid, a.attnum, 'INSERT')
        ),
        ARRAY(
            SELECT quote_ident(m.nspname) || '.' || quote_ident(s.relname)
            FROM pg_attrdef e
            JOIN pg_attribute a ON a.attrelid = e.adrelid AND a.attnum = e.adnum AND a.attname <> ALL(%(columns)s)
            JOIN pg_depend d ON d.classid = 'pg_attrdef'::regclass AND d.objid = e.oid
                AND d.refclassid = 'pg_class'::regclass
            JOIN pg_class s ON s.oid = d.refobjid
            JOIN pg_namespace m ON m.oid = s.relnamespace
            -- CASE, because conditions are checked in any order, and the function takes nothing but sequences.
            WHERE e.adrelid = c.oid AND CASE WHEN s.relkind = 'S' THEN
                NOT has_sequence_privilege(s.oid, 'USAGE') AND NOT has_sequence_privilege(s.oid, 'UPDATE') END
        )
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relname = %(table)s AND CASE WHEN CAST(%(schema)s AS text) IS NULL THEN pg_table_is_visible(c.oid)
        ELSE n.nspname = %(schema)s END
"""


def check_target(database: SqlDatabase, access: Access) -> None:
    """Raise :class:`DatabaseError` with the statements that grant the permissions an import needs for its
    table."""
    table = access.table
    with database.reading(f"look at the rights to table {table.qualified_name!r}") as connection:
        statements = _target_grants(connection, access)
    if statements:
        raise _lacking(f"table {table.qualified_name!r}", statements, "")


def check_ledger(database: SqlDatabase, schema: str | None) -> None:
    """Raise :class:`DatabaseError` with the statements that grant the permissions a run needs to keep its ledger in a
    schema, whether or not its tables exist."""
    with database.reading("look at the rights to the ledger") as connection:
        statements = _ledger_grants(connection, schema)
    if statements:
        raise _lacking("the ledger", statements, ", or name another schema for the ledger with --ledger-schema")


def _lacking(what: str, statements: Sequence[str], otherwise: str) -> DatabaseError:
    return DatabaseError(f"permission denied: {what} needs {'; '.join(statements)}{otherwise}", sqlstate=NOT_ALLOWED)


def _ledger_grants(connection: SqlConnection, schema: str | None) -> list[str]:
    user, may_create_schemas, current = connection.rows(_CURRENT_USER)[0]
    if schema is None:
        schema = connection.value(_VISIBLE_LEDGER, {"name": RUN_TABLE}) or current
    if schema is None:
        return _schema_grants("public", user, use=True, create=True)
    found = connection.row(_SCHEMA, {"schema": schema})
    if found is None:
        statement = f"CREATE SCHEMA {sql.Identifier(schema).as_string()} AUTHORIZATION {user}"
        return [] if may_create_schemas else [statement]
    name, may_use, may_create = found
    every = sorted({right for rights in _LEDGER_RIGHTS.values() for right in rights})
    parameters = {"schema": schema, "names": list(_LEDGER_RIGHTS), "rights": every}
    there = {row[0]: (row[1], set(row[2])) for row in connection.rows(_TABLES, parameters)}
    statements = _schema_grants(name, user, use=not may_use, create=not there and not may_create)
    by_rights: dict[tuple[str, ...], list[str]] = {}
    for table, (quoted, rights) in there.items():
        if lacking := tuple(right for right in _LEDGER_RIGHTS[table] if right not in rights):
            by_rights.setdefault(lacking, []).append(quoted)
    statements += [
        f"GRANT {', '.join(rights)} ON {', '.join(sorted(names))} TO {user}" for rights, names in by_rights.items()
    ]
    return statements


def _target_grants(connection: SqlConnection, access: Access) -> list[str]:
    user, may_create_schemas, current = connection.rows(_CURRENT_USER)[0]
    table, statements = access.table, list[str]()
    if access.creates_table or access.stages:
        found = connection.row(_SCHEMA, {"schema": table.schema or current})
        if found is not None:
            name, may_use, may_create = found
            statements += _schema_grants(name, user, use=not may_use, create=not may_create)
        elif table.schema is not None and not access.creates_schema:
            raise DatabaseError(f"there is no schema {table.schema!r}: --create-schema makes it", sqlstate=_NO_SCHEMA)
        elif table.schema is not None and not may_create_schemas:
            statements.append(f"CREATE SCHEMA {sql.Identifier(table.schema).as_string()} AUTHORIZATION {user}")
        elif table.schema is None:  # the user has USAGE on no schema of the search path
            statements += _schema_grants("public", user, use=True, create=True)
    if access.creates_table:
        return statements
    parameters = {"table": table.name, "schema": table.schema, "columns": list(access.columns)}
    found = connection.row(_TARGET, parameters)
    if found is None:
        return statements
    schema, may_use, name, may_read, may_update, may_empty, may_insert, sequences = found
    if not may_use and not statements:
        statements += _schema_grants(schema, user, use=True, create=False)
    needed = (
        ("INSERT", may_insert),
        ("SELECT", may_read or not access.reads),
        ("UPDATE", may_update or not access.updates),
        ("TRUNCATE", may_empty or not access.empties),
    )
    rights = [right for right, has in needed if not has]
    if rights:
        statements.append(f"GRANT {', '.join(rights)} ON {name} TO {user}")
    if sequences and access.columns:
        statements.append(f"GRANT USAGE ON SEQUENCE {', '.join(sequences)} TO {user}")
    return statements


def _schema_grants(schema: str, user: str, *, use: bool, create: bool) -> list[str]:
    rights = [right for right, lacking in (("USAGE", use), ("CREATE", create)) if lacking]
    return [f"GRANT {', '.join(rights)} ON SCHEMA {schema} TO {user}"] if rights else []
