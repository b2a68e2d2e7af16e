"""What every executor promises: the built-in one keeps it, and one that does not is found out."""

from __future__ import annotations

from pathlib import Path

import pytest

from tui_importer import ExecutorSpec, ImportQueue
from tui_importer.core.scheduling.executor import Executor
from tui_importer.executors.sequential import Sequential
from tui_importer.plugins.registry import load_registry
from tui_importer.testing import ContractError, check_executor

BUILT_IN = load_registry(found=[])


@pytest.mark.parametrize("name", BUILT_IN.executor_names())
def test_built_in_executors_fulfil_the_contract(name: str, tmp_path: Path) -> None:
    check_executor(BUILT_IN.executor(name), tmp_path)


def test_sequential_executor_is_built_in() -> None:
    executor: Executor = BUILT_IN.make_executor("sequential")
    assert isinstance(executor, Sequential)


class RunsNothing:
    def run(self, queue: ImportQueue) -> None:
        for each in queue.imports():
            if each.number != 2:
                each.carry_out()


class TakesAllFirst:
    """Takes all imports before it begins with the first, as a pool does."""

    def run(self, queue: ImportQueue) -> None:
        for each in list(queue.imports()):
            each.carry_out()


def test_executor_that_omits_an_import_fails_the_contract(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="has not come to its end"):
        check_executor(ExecutorSpec("forgetful", "", RunsNothing), tmp_path)


def test_executor_may_take_all_imports_first(tmp_path: Path) -> None:
    check_executor(ExecutorSpec("eager", "", TakesAllFirst), tmp_path)
