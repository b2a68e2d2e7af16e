"""Checks of files and folders before anything is read or written."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from tui_importer.core.model.files import cannot_be_written, check_new_file, check_source_file, claim_free_name
from tui_importer.errors import SourceError, UsageError


def test_regular_file_is_accepted(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("a\n1\n")
    check_source_file(path)


def test_invalid_sources_are_refused_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="is a folder, not a file"):
        check_source_file(tmp_path)
    with pytest.raises(SourceError, match="no such file"):
        check_source_file(tmp_path / "missing.csv")
    with pytest.raises(SourceError, match="cannot be read"):
        check_source_file(tmp_path / "a\0b.csv")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
def test_pipe_is_refused_without_opening_it(tmp_path: Path) -> None:
    """Nothing writes to the pipe, so opening it would block for ever."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SourceError, match="is a pipe or a device"):
        check_source_file(tmp_path / "pipe")


def test_output_file_may_replace_an_existing_file(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    check_new_file(path, "the report")
    path.write_text("kept")
    check_new_file(path, "the report")
    assert path.read_text() == "kept"


def test_invalid_output_files_are_refused_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is a folder; name a file for the report"):
        check_new_file(tmp_path, "the report")
    with pytest.raises(UsageError, match=r"there is no folder .* for the report"):
        check_new_file(tmp_path / "missing" / "report.json", "the report")


def test_write_check_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cannot_be_written(tmp_path) is None
    monkeypatch.delattr(os, "O_TMPFILE", raising=False)  # as where files without a name are not known
    assert cannot_be_written(tmp_path) is None
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "write", full)
    assert cannot_be_written(tmp_path) == os.strerror(errno.ENOSPC)
    with pytest.raises(UsageError, match="no file for the report can be created in"):
        check_new_file(tmp_path / "report.json", "the report")


def test_first_free_name_is_claimed(tmp_path: Path) -> None:
    (tmp_path / "a-2.csv").symlink_to("gone")
    names = [claim_free_name(tmp_path, "a", ".csv").name for _ in range(3)]
    assert names == ["a.csv", "a-3.csv", "a-4.csv"]
    assert (tmp_path / "a.csv").stat().st_mode & 0o777 == 0o600
    with pytest.raises(FileNotFoundError):
        claim_free_name(tmp_path / "gone", "a", ".csv")
