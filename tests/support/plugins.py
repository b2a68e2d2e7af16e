"""Plugins of strangers, for tests."""

from __future__ import annotations

from pathlib import Path

#: What the code of an installed plugin begins with.
HEAD = "from tui_importer import *\n"


def install_plugin(site: Path, name: str, code: str) -> None:
    """Install a distribution of one module, as an installer would lay it out in a folder of the path."""
    info = site / f"{name}-1.2.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text(f"[tui_importer]\n{name}_plugin = {name}\n")
    (site / f"{name}.py").write_text(HEAD + code)


#: A strategy and a reader with options of every kind. The strategy writes what it was given into its run's table.
WITH_OPTIONS = '''
import enum
from pathlib import Path
from typing import Annotated, Literal

import msgspec


class Order(enum.StrEnum):
    FIRST = "first"
    LAST = "last"


class SlowOptions(msgspec.Struct, frozen=True):
    pause: Annotated[float, msgspec.Meta(ge=0, le=9, description="Seconds to rest after each batch.")] = 0.5
    order: Annotated[Order, msgspec.Meta(description="Which batch is written first.")] = Order.FIRST
    depth: Annotated[int, msgspec.Meta(ge=1)] | None = None
    careful: bool = False
    note: Annotated[str, msgspec.Meta(description="A note.", max_length=9)] = ""

    def __post_init__(self):
        if self.careful and self.pause == 0:
            raise ValueError("careful needs a pause")


class Slow:
    max_workers = 1

    def __init__(self, options):
        self.options = options

    def run(self, job):
        with job.writer() as writer:
            for batch in job.batches():
                writer.write(batch)
        if self.options.note:
            Path(self.options.note).write_text(repr(self.options))


class LinesOptions(msgspec.Struct, frozen=True):
    """Options of a reader."""

    upper: Annotated[bool, msgspec.Meta(description="In capitals.")] = False
    comment: str | None = None


class Lines:
    typed = False

    def __init__(self, options):
        self.options = options

    def limits(self, path):
        return ()

    def open(self, path):
        return OpenLines(path, self.options)


class OpenLines:
    row_hint = None

    def __init__(self, path, options):
        self.path, self.options, self.name, self.sheets = path, options, "lines", [SheetInfo("lines")]

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def close(self):
        pass

    def sheet(self, name):
        return self

    def blocks(self, rows):
        lines = self.path.read_text().splitlines()
        if self.options.comment:
            lines = [line for line in lines if not line.startswith(self.options.comment)]
        if self.options.upper:
            lines = [line.upper() for line in lines]
        for start in range(0, len(lines), rows):
            yield Block(first_row=start + 1, columns=(ListColumn(lines[start : start + rows]),))


@hookimpl
def tui_importer_strategies():
    return [StrategySpec("slow", "rests a lot", Slow, aliases=("idle",), options=SlowOptions)]


@hookimpl
def tui_importer_readers():
    return [ReaderSpec("lines", "a line is a row", Lines, extensions=(".lines",), options=LinesOptions)]
'''
