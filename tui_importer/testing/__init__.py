"""The contract kit for plugin authors: checks, to be called from a test, of what every plugin of a kind must do.

::

    from tui_importer.testing import check_strategy

    def test_my_strategy(tmp_path):
        check_strategy(StrategySpec("mine", "", Mine), tmp_path)

A failed check raises :class:`ContractError` with the promise and what happened instead. The checks import for real,
interrupt, kill and break imports, and compare rows, rejects and counts with an :class:`Oracle`.
"""

from tui_importer.testing.backends import check_backend
from tui_importer.testing.columns import check_column, check_columns
from tui_importer.testing.databases import Database, SQLiteDatabase
from tui_importer.testing.executors import check_executor
from tui_importer.testing.failpoints import Failpoint, StageFailpoint, failing, failpoint_url
from tui_importer.testing.modes import MODES, ModeOracle
from tui_importer.testing.oracle import ContractError, Oracle
from tui_importer.testing.processes import KILLED, Import, registry_with
from tui_importer.testing.readers import WORKBOOK_KINDS, check_reader
from tui_importer.testing.strategies import check_strategy

__all__ = [
    "KILLED",
    "MODES",
    "WORKBOOK_KINDS",
    "ContractError",
    "Database",
    "Failpoint",
    "Import",
    "ModeOracle",
    "Oracle",
    "SQLiteDatabase",
    "StageFailpoint",
    "check_backend",
    "check_column",
    "check_columns",
    "check_executor",
    "check_reader",
    "check_strategy",
    "failing",
    "failpoint_url",
    "registry_with",
]
