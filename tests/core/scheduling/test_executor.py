"""An import as a value, for a process that carries it out elsewhere."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest

from tui_importer.core.model.plan import Plan, Source, Target
from tui_importer.core.scheduling.executor import ImportSpec


def spec(file: str, database: str | None = None) -> ImportSpec:
    return ImportSpec(plan=Plan(source=Source(file=file), target=Target(database=database)), run_id="r.2", source=2)


def test_paths_of_a_portable_spec_are_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    portable = spec("in/a b.csv").portable()
    assert portable.plan.source.file == str(tmp_path / "in" / "a b.csv")
    assert portable.plan.target.database == f"sqlite:///{tmp_path}/a%20b.db"
    assert (portable.run_id, portable.source) == ("r.2", 2)
    assert portable.portable() == portable


def test_a_file_whose_name_is_no_text_is_found_from_another_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(os.fsdecode(b"caf\xe9.csv")).write_text("n\n1\n")
    portable = spec(os.fsdecode(b"caf\xe9.csv")).portable()
    monkeypatch.chdir("/")
    assert portable.plan.source.file == str(tmp_path / r"caf\xe9.csv")
    assert portable.path.read_text() == "n\n1\n"


def test_a_portable_spec_holds_no_password() -> None:
    portable = spec("/a.csv", "postgresql://shop:s3cret@db.example/shop?password=s3cret&sslmode=require").portable()
    assert portable.plan.target.database == "postgresql://shop@db.example/shop?sslmode=require"
    assert b"s3cret" not in pickle.dumps(portable)


def test_a_spec_can_be_pickled_and_does_not_show_its_password() -> None:
    full = spec("/a.csv", "postgresql://shop:s3cret@db.example/shop")
    assert pickle.loads(pickle.dumps(full)) == full
    assert "s3cret" not in repr(full)
