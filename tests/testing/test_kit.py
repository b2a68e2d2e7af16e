"""The contract kit: it passes what is built in, and finds out what is faulty."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.testing.own_backend import SPEC
from tui_importer import BackendSpec, StrategySpec
from tui_importer.plugins.registry import load_registry
from tui_importer.testing import ContractError, SQLiteDatabase, check_backend, check_strategy
from tui_importer.testing.faulty import FAULTY_BACKENDS, FAULTY_STRATEGIES, faulty_url

if TYPE_CHECKING:
    from tests.conftest import Database

pytestmark = pytest.mark.once

BUILT_IN = load_registry(found=[])


@pytest.mark.parametrize("name", BUILT_IN.strategy_names())
def test_built_in_strategies_fulfil_the_contract(name: str, tmp_path: Path) -> None:
    check_strategy(BUILT_IN.strategy(name), tmp_path)


@pytest.mark.parametrize("spec", FAULTY_STRATEGIES, ids=lambda spec: spec.summary)
def test_faulty_strategy_fails_the_contract(spec: StrategySpec, tmp_path: Path) -> None:
    with pytest.raises(ContractError):
        check_strategy(spec, tmp_path)


def test_built_in_backends_fulfil_the_contract(database: Database, tmp_path: Path) -> None:
    check_backend(database, tmp_path)


def test_backend_of_public_classes_fulfils_the_contract(tmp_path: Path) -> None:
    inner = SQLiteDatabase(tmp_path / "own.db")

    class OwnDatabase:
        url = f"own:///{inner.path}"
        execute, fetch = inner.execute, inner.fetch

    check_backend(OwnDatabase(), tmp_path, SPEC, kills=2)


@pytest.mark.parametrize("spec", FAULTY_BACKENDS, ids=lambda spec: spec.summary)
def test_faulty_backend_fails_the_contract(spec: BackendSpec, tmp_path: Path) -> None:
    inner = SQLiteDatabase(tmp_path / "faulty.db")

    class Faulty:
        url = faulty_url(inner.url)
        execute, fetch = inner.execute, inner.fetch

    with pytest.raises(ContractError):
        check_backend(Faulty(), tmp_path, spec, kills=0)
