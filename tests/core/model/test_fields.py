"""Checking the values of a struct against its annotations."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import pytest

from tui_importer.core.model.fields import check_encodable, convert_fields
from tui_importer.errors import PlanError

Share = Annotated[float, msgspec.Meta(ge=0, le=1, description="a share from 0 to 1")]


class Sample(msgspec.Struct, frozen=True):
    """One field of each sort of annotation that plans use."""

    name: str = "a"
    count: int | None = None
    share: Share = 0.0
    flag: bool = False
    mode: Literal["append", "replace"] = "append"
    columns: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        convert_fields(self)


def test_values_of_the_right_type_are_kept() -> None:
    sample = Sample(count=3, share=0.5, flag=True, mode="replace", columns=("x",))
    assert (sample.count, sample.share, sample.flag, sample.mode, sample.columns) == (3, 0.5, True, "replace", ("x",))


def test_paths_become_text_and_lists_become_tuples() -> None:
    path: Any = Path("folder") / "a.csv"
    columns: Any = ["x", "y"]
    assert Sample(name=path).name == os.fspath(path)
    assert Sample(columns=columns).columns == ("x", "y")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"count": "3"}, "count must be a whole number, not '3'"),
        ({"count": True}, "count must be a whole number, not True"),
        ({"share": 2}, "share must be a share from 0 to 1, not 2"),
        ({"share": float("nan")}, "share must be a share from 0 to 1, not nan"),
        ({"flag": 1}, "flag must be True or False, not 1"),
        ({"mode": "apend"}, "mode must be one of append, replace, not 'apend': did you mean 'append'?"),
        ({"columns": object()}, "columns must be a list, not an object of type object"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_error_names_the_field_and_the_expected_value(values: dict[str, Any], message: str) -> None:
    with pytest.raises(PlanError) as error:
        Sample(**values)
    assert str(error.value) == message


def test_long_value_is_truncated_in_the_error() -> None:
    too_long: Any = "x" * 1000
    with pytest.raises(PlanError) as error:
        Sample(count=too_long)
    assert len(str(error.value)) < 120
    too_large: Any = 10**5000
    with pytest.raises(PlanError, match="so large a number"):
        Sample(flag=too_large)


@pytest.mark.parametrize("values", [{"name": "t\udce9"}, {"columns": ("a", "t\ud800")}])
def test_unstorable_text_is_refused_without_showing_it(values: dict[str, Any]) -> None:
    check_encodable(Sample(name="té", columns=("中",)))
    with pytest.raises(PlanError, match=f"^{next(iter(values))} has characters that are not UTF-8") as error:
        check_encodable(Sample(**values))
    assert error.value.__cause__ is None
