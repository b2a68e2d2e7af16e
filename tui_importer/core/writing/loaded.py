"""What became of the rows that a session sent."""

from __future__ import annotations

import msgspec


class Loaded(msgspec.Struct, frozen=True):
    """What became of rows that the database took without an error.

    ``inserted`` rows are new in the table, ``updated`` ones replaced a row that was there, and ``skipped`` ones are not
    in it: their key is there already, or a trigger, rule or conflict clause of the table left them out.
    """

    inserted: int
    updated: int = 0
    skipped: int = 0

    @classmethod
    def reported(cls, sent: int, inserted: int) -> Loaded:
        """The result of a plain INSERT or COPY of ``sent`` rows, of which the database reports ``inserted``.

        A negative number means that the driver cannot tell (PEP 249): there was no error, so all rows were inserted.
        """
        return cls(sent) if inserted < 0 else cls(inserted, skipped=sent - inserted)

    def __add__(self, other: Loaded) -> Loaded:
        return Loaded(self.inserted + other.inserted, self.updated + other.updated, self.skipped + other.skipped)


#: No rows.
NOTHING_LOADED = Loaded(0)
