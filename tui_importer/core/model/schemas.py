"""Built-in schemas: tables for sheets with a known header."""

from __future__ import annotations

import msgspec

from tui_importer.core.model.table import Index, Table, TableColumn
from tui_importer.core.model.types import INTEGER, TEXT, TIMESTAMPTZ
from tui_importer.errors import PlanError


class Schema(msgspec.Struct, frozen=True):
    """A table, and the headers of its columns as pairs of a header (as shown to people) and a target column."""

    name: str
    headers: tuple[tuple[str, str], ...]
    table: Table


_BUSINESS_HEADERS = (
    ("Name", "name"),
    ("Category", "category"),
    ("Phone", "phone"),
    ("Email", "email"),
    ("Address", "address"),
    ("City", "city"),
    ("Country", "country"),
    ("Website", "website"),
    ("Description", "description"),
)

#: The business directory: the table that this program was first written for.
BUSINESSES = Schema(
    name="businesses",
    headers=_BUSINESS_HEADERS,
    table=Table(
        name="businesses",
        columns=(
            TableColumn("id", INTEGER, nullable=False, default=True, writable=False),
            *(TableColumn(target, TEXT, nullable=target != "name") for _, target in _BUSINESS_HEADERS),
            TableColumn("created_at", TIMESTAMPTZ, nullable=False, default=True),
            TableColumn("updated_at", TIMESTAMPTZ, nullable=False, default=True),
            TableColumn("deleted_at", TIMESTAMPTZ),
        ),
        identity="id",
        timestamps=("created_at", "updated_at"),
        indexes=tuple(
            Index(f"idx_businesses_{column}", (column,))
            for column in ("name", "category", "email", "city", "country", "deleted_at")
        ),
    ),
)

#: All built-in schemas, by name.
SCHEMAS = {schema.name: schema for schema in (BUSINESSES,)}


def check_schema(name: str) -> None:
    """Raise :class:`PlanError` if there is no such schema."""
    if name not in ("auto", "infer", *SCHEMAS):
        raise PlanError(
            f"unknown schema {name!r}: use auto, infer, a plan file (plan.toml), or one of {', '.join(SCHEMAS)}"
        )
