"""What a writer is made from: plain data that another process or machine can open."""

from __future__ import annotations

from dataclasses import dataclass

from tui_importer.core.conversion.mapping import ColumnMapping
from tui_importer.core.writing.backend import ConnectionSettings, Destination


@dataclass(frozen=True, slots=True, kw_only=True)
class WriterSpec:
    """Everything that a writer of an import has to know, as a value that can be pickled.

    ``backend`` is the name of a backend plugin. ``destination`` has the table and the claim under which the writer
    writes: once the claim has ended, the writer can commit nothing. ``mapping`` describes bad rows in terms of the
    sheet. A transient error is retried for up to ``retry_for`` seconds. The writer of a ``dry_run`` writes nothing.

    A spec never holds a password: it keeps the portable form of its ``settings``
    (:meth:`~tui_importer.core.writing.backend.ConnectionSettings.portable`). Whoever opens it elsewhere hands over the
    password on purpose (:func:`tui_importer.open_writer`).
    """

    backend: str
    settings: ConnectionSettings
    destination: Destination
    mapping: ColumnMapping
    retry_for: float = 0.0
    dry_run: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "settings", self.settings.portable())
