"""What a backend makes of a batch ahead, and what becomes of a backend that fails at it."""

from __future__ import annotations

from typing import Any

import pytest

from tui_importer.core.model.batch import Batch
from tui_importer.core.model.list_column import ListColumn
from tui_importer.core.writing.encoding import encoded
from tui_importer.errors import ImporterError, PlanError

COLUMN = ListColumn(["a"])
BATCH = Batch(1, "S", 2, 2, [2], (COLUMN,), (COLUMN,))


def backend(answer: object) -> Any:
    class Encoding:
        def encode(self, batch: Batch) -> object:
            assert batch is BATCH
            if isinstance(answer, BaseException):
                raise answer
            return answer

    return Encoding()


def test_batch_gets_the_encoding_of_the_backend() -> None:
    rows: Any = object()
    made = encoded(BATCH, backend(rows), "x")
    assert made.encoded is rows
    assert (made.columns, made.rows, BATCH.encoded) == (BATCH.columns, BATCH.rows, None)


def test_batch_is_unchanged_if_the_backend_encodes_nothing() -> None:
    assert encoded(BATCH, backend(None), "x") == BATCH


@pytest.mark.parametrize("defect", [ValueError("no such\nthing"), BaseException("a panic")])
def test_unexpected_encoding_error_is_one_line(defect: BaseException) -> None:
    with pytest.raises(ImporterError, match=r"^backend 'x' failed: \w+: [^\n]+$"):
        encoded(BATCH, backend(defect), "x")


@pytest.mark.parametrize("error", [PlanError("ours"), KeyboardInterrupt()])
def test_own_errors_and_interrupts_propagate_unchanged(error: BaseException) -> None:
    with pytest.raises(type(error)) as caught:
        encoded(BATCH, backend(error), "x")
    assert caught.value is error
