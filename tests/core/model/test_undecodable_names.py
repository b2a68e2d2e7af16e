r"""Names of files that are no text, such as b"caf\xe9.csv"."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tui_importer.core.model import undecodable_names
from tui_importer.core.model.plan import Source
from tui_importer.core.model.undecodable_names import escaped, existing_path, remove_links, renamed_links

NAME = os.fsdecode(b"caf\xe9 \xff.csv")


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / NAME
    try:
        path.write_text("id\n1\n")
    except OSError:
        pytest.skip("this file system takes names in UTF-8 only")
    return path


@pytest.mark.parametrize(
    ("name", "text"),
    [("a.csv", "a.csv"), ("é.csv", "é.csv"), (NAME, r"caf\xe9 \xff.csv"), (r"a\xe9.csv", r"a\xe9.csv")],
)
def test_undecodable_bytes_are_escaped(name: str, text: str) -> None:
    assert escaped(name) == text
    assert Source(file=name).file == text
    assert escaped(text) == text


@pytest.mark.parametrize("folder", ["", "."])
def test_escaped_name_resolves_to_the_file(file: Path, folder: str) -> None:
    shown = os.path.join(folder, escaped(NAME))
    link = existing_path(shown)
    assert link.name == escaped(NAME)
    assert link.read_text() == "id\n1\n"
    assert link == existing_path(shown)
    assert link.parent.stat().st_mode & 0o777 == 0o700
    assert renamed_links(f"{link}: cannot be read") == f"{escaped(NAME)}: cannot be read"
    remove_links()
    assert not link.parent.exists()
    assert file.exists()
    undecodable_names._link.cache_clear()


def test_file_literally_named_like_the_escaped_name_takes_precedence(file: Path) -> None:
    Path(escaped(NAME)).write_text("other")
    assert existing_path(escaped(NAME)) == Path(escaped(NAME))


@pytest.mark.parametrize("name", ["a.csv", r"gone\xe9.csv", r"a\x41.csv", "é.csv"])
def test_decodable_names_are_unchanged(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert existing_path(name) == Path(name)
