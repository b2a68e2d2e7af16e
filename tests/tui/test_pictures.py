"""The pictures in the documentation are those of the program as it is."""

from __future__ import annotations

import html
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.once

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All of them, made now."""
    folder = tmp_path_factory.mktemp("pictures")
    subprocess.run([sys.executable, str(DOCS / "make_pictures.py"), str(folder)], check=True)
    return folder


def said(picture: Path) -> list[str]:
    """The texts of a picture, line by line."""
    return [
        html.unescape(re.sub(r"<[^>]*>", "", line)).replace("\xa0", " ")
        for line in re.findall(r"<text .*?</text>", picture.read_text(encoding="utf-8"))
    ]


def test_each_picture_matches_the_program(made: Path) -> None:
    names = {picture.name for picture in (DOCS / "pictures").iterdir()}
    assert names == {picture.name for picture in made.iterdir()}
    for name in sorted(names):
        assert said(DOCS / "pictures" / name) == said(made / name), name


def test_each_picture_is_referenced_and_self_contained() -> None:
    pages = "".join(page.read_text(encoding="utf-8") for page in (DOCS / "dashboard.md", DOCS.parent / "README.md"))
    for picture in (DOCS / "pictures").iterdir():
        text = picture.read_text(encoding="utf-8")
        assert "url(http" not in text
        assert picture.name in pages
