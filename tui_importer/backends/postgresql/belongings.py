"""What belongs to a PostgreSQL table and would be lost with it."""

from __future__ import annotations

from collections.abc import Sequence

from tui_importer.backends.sql.database import SqlDatabase
from tui_importer.core.model.table import Table

#: Indexes of constraints are left out: the constraints are named themselves.
_BELONGINGS = """
    WITH target AS (
        SELECT c.oid, c.relacl, c.relowner FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relname = %(table)s AND CASE WHEN CAST(%(schema)s AS text) IS NULL THEN pg_table_is_visible(c.oid)
            ELSE n.nspname = %(schema)s END
    )
    SELECT DISTINCT kind, name FROM (
        SELECT 'view' AS kind, v.relname::text AS name
        FROM target JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = target.oid
            AND d.classid = 'pg_rewrite'::regclass
        JOIN pg_rewrite r ON r.oid = d.objid JOIN pg_class v ON v.oid = r.ev_class AND v.oid <> target.oid
        UNION ALL
        SELECT 'index', i.indexrelid::regclass::text
        FROM target JOIN pg_index i ON i.indrelid = target.oid
        WHERE NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conindid = i.indexrelid)
        UNION ALL
        SELECT 'trigger', t.tgname::text FROM target JOIN pg_trigger t ON t.tgrelid = target.oid AND NOT t.tgisinternal
        UNION ALL
        SELECT 'policy', p.polname::text FROM target JOIN pg_policy p ON p.polrelid = target.oid
        UNION ALL
        SELECT 'rule', r.rulename::text
        FROM target JOIN pg_rewrite r ON r.ev_class = target.oid AND r.rulename <> '_RETURN'
        UNION ALL
        SELECT 'grant to', CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE pg_get_userbyid(a.grantee)::text END
        FROM target CROSS JOIN LATERAL aclexplode(target.relacl) a WHERE a.grantee <> target.relowner
        UNION ALL
        SELECT 'comment on', COALESCE((
            SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = target.oid AND a.attnum = d.objsubid
        ), %(table)s)
        FROM target JOIN pg_description d ON d.classoid = 'pg_class'::regclass AND d.objoid = target.oid
        UNION ALL
        SELECT 'child table', i.inhrelid::regclass::text FROM target JOIN pg_inherits i ON i.inhparent = target.oid
    ) AS found
    ORDER BY kind, name
"""


def belongings(database: SqlDatabase, table: Table) -> Sequence[str]:
    """What would be lost if the table was dropped, besides constraints and foreign keys of other tables."""
    with database.reading("look at what belongs to the table") as connection:
        found = connection.rows(_BELONGINGS, {"table": table.name, "schema": table.schema})
    return [f"{kind} {name!r}" for kind, name in found]
