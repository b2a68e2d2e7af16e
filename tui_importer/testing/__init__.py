"""The contract kit for plugin authors: what every strategy and backend has to keep, as checks to be called from a test.

::

    from tui_importer.testing import check_strategy

    def test_my_strategy(tmp_path):
        check_strategy(StrategySpec("mine", "", Mine), tmp_path)

A check that fails raises :class:`ContractError`, which says what was promised and what came of it. The checks import
for real, interrupt, kill and break what they import, and compare rows, rejects and counts with an :class:`Oracle`.
"""

from tui_importer.testing.backends import check_backend
from tui_importer.testing.databases import Database, SQLiteDatabase
from tui_importer.testing.failpoints import Failpoint, failing, failpoint_url
from tui_importer.testing.oracle import ContractError, Oracle
from tui_importer.testing.processes import KILLED, Import, registry_with
from tui_importer.testing.strategies import check_strategy

__all__ = [
    "KILLED",
    "ContractError",
    "Database",
    "Failpoint",
    "Import",
    "Oracle",
    "SQLiteDatabase",
    "check_backend",
    "check_strategy",
    "failing",
    "failpoint_url",
    "registry_with",
]
