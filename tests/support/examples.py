"""How many examples a property is tried with."""

from __future__ import annotations

import os

#: The share of them that is enough where another Python tries them all; all of them by default.
SHARE = float(os.environ.get("TUI_IMPORTER_TEST_EXAMPLES", "1"))


def examples(number: int) -> int:
    """So many examples, or the share of them that this run of the suite is content with."""
    return max(1, round(number * SHARE))
