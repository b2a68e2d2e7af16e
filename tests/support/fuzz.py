"""A mutation fuzzer of the whole program: files that are a little broken are imported, or refused with one line.

``python -m tests.support.fuzz --seconds 3600`` runs it for an hour. A finding is printed with the seed that repeats it,
and its file is kept.
"""

from __future__ import annotations

import argparse
import gzip
import html
import io
import os
import re
import sqlite3
import subprocess
import sys
import tempfile
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from random import Random
from xml.etree import ElementTree

from tests.support import forked

#: Seconds after which a file of some kilobytes hangs the program.
_PATIENCE = 60.0
_EXIT_CODES = {0: "imported", 2: "refused", 3: "imported but for rejects"}
#: Characters that cutting, quoting and trimming may take from a text.
_LOOSE = re.compile(r"""[\s"'\\\0\ufeff]""")
#: A date or a time, which a column of texts holds in the form that the program gives it.
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d)?[ T]?(-?\d+:\d\d(:\d\d(\.\d+)?)?)?")
#: The texts of a workbook's strings: between them there may be others that belong to no cell.
_STRING = re.compile(r"<(?:\w+:)?t(?:\s[^<>]*)?>([^<]*)<")
#: A number in each of the ways in which one is written: a mark that separates decimals may separate cells too.
_NUMBERS = tuple(map(re.compile, (r"\d+(?:\.\d+)?", r"\d+(?:,\d+)?", r"\d(?:[\d.,'\u00a0\u202f ]*\d)?")))
_ENCODINGS = ("utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")


@dataclass(frozen=True)
class Seed:
    """A good file from which broken ones are made."""

    suffix: str
    data: bytes
    mutate: Callable[[bytes, Random], bytes]


@dataclass(frozen=True)
class Finding:
    """What should not have happened to a file."""

    number: int
    what: str
    file: Path

    def __str__(self) -> str:
        return f"mutation {self.number} ({self.file.name}): {self.what}"


def fuzz(seeds: list[Seed], folder: Path, numbers: Iterator[int]) -> Iterator[Finding | None]:
    """Import one broken file for each of the numbers, which are the seeds of chance; None if all was well."""
    for number in numbers:
        random = Random(number)  # the same number gives the same file
        seed = random.choice(seeds)
        path = folder / f"mutation-{number}{seed.suffix}"
        path.write_bytes(seed.mutate(seed.data, random))
        what = _import(path, numbers=seed.suffix != ".xls")
        if what is None:
            path.unlink()
        yield None if what is None else Finding(number, what, path)


def _import(path: Path, *, numbers: bool) -> str | None:
    """Import a file; gives what is wrong with how that went. Its ``numbers`` are looked for if they are texts."""
    with tempfile.TemporaryDirectory(prefix="tui_importer-fuzz-") as place:
        folder = Path(place)
        out, err, database = folder / "out", folder / "err", folder / "t.db"
        environment = {**os.environ, "XDG_STATE_HOME": str(folder), "PYTHONUTF8": "1"}
        arguments = [str(path), "--db", str(database), "--table", "t", "--no-ui", "-q", "--error-cells", "text"]
        try:
            code = forked.run(arguments, folder, environment, out, err, _PATIENCE)
        except subprocess.TimeoutExpired:
            return "hangs"
        said = err.read_text(encoding="utf-8", errors="backslashreplace")
        if code not in _EXIT_CODES:
            return f"exit code {code}: {said[-2_000:]}"
        if "Traceback" in said or "panicked" in said:
            return f"a traceback: {said[-2_000:]}"
        if code == 2 and len(said.strip().splitlines()) != 1:
            return f"a refusal of several lines: {said[-2_000:]}"
        return altered_value(path.read_bytes(), database, numbers=numbers) if database.exists() else None


def altered_value(data: bytes, database: Path, *, numbers: bool) -> str | None:
    """A value in the table that is nowhere in the file; dates and times, whose form changes, are left out."""
    parts = _parts(data)
    if parts is None:
        return None
    texts = [*_texts_of(parts), "TRUE", "FALSE"]
    loose = [_LOOSE.sub("", text) for text in texts]
    known: set[str] = set()
    with closing(sqlite3.connect(database)) as connection:
        try:
            columns = [name for _, name, kind, *_ in connection.execute("PRAGMA table_info(t)") if _is_plain(kind)]
            names = ", ".join('"' + name.replace('"', '""') + '"' for name in columns)
            rows = connection.execute(f"SELECT {names} FROM t").fetchall() if columns else []
        except sqlite3.Error as error:
            return f"the table cannot be read: {error}"
    for value in {value for row in rows for value in row if value is not None}:
        if isinstance(value, str):
            left_out = _MOMENT.fullmatch(value) or (not numbers and _NUMBERS[0].fullmatch(value.lstrip("-")))
            if not (left_out or any(_LOOSE.sub("", value) in text for text in loose)):
                return f"{value!r} is in the table, and not in the file"
        elif numbers:
            known = known or {_digits(found) for text in texts for form in _NUMBERS for found in form.findall(text)}
            if value and _digits(f"{abs(value):.15g}".partition("e")[0]) not in known:
                return f"the number {value!r} is in the table, and not in the file"
    return None


def _digits(number: str) -> str:
    """What writing a number in another way leaves of it: its digits, without zeros at either end."""
    return re.sub("[^0-9]", "", number).strip("0")[:15].rstrip("0")


def _is_plain(kind: str) -> bool:
    """Whether a column's type leaves the form of its values as it is in a file."""
    return not re.search("DATE|TIME|INTERVAL|BOOL", kind, re.IGNORECASE)


def _parts(data: bytes) -> list[bytes] | None:
    """The parts of a package, or a file that is none; None if the package is damaged, so that it says nothing for sure:
    a reader may find a part that another does not, and text between tags that are none."""
    try:
        if data.startswith(b"\x1f\x8b"):
            return [gzip.decompress(data)]
        if not data.startswith(b"PK"):
            return [data, data[1:]]  # UTF-16 may begin at an odd byte of a binary file
        with zipfile.ZipFile(io.BytesIO(data)) as package:
            parts = [package.read(name) for name in package.namelist()]
            for name, part in zip(package.namelist(), parts, strict=True):
                if name.endswith((".xml", ".rels")):
                    ElementTree.fromstring(part)
    except (zipfile.BadZipFile, zlib.error, OSError, ValueError, NotImplementedError, EOFError):
        return None
    except (ElementTree.ParseError, LookupError):  # no XML, or in no encoding that there is
        return None
    return parts


def _texts_of(parts: list[bytes]) -> Iterator[str]:
    """The parts as texts in every likely encoding, with and without tags."""
    for part in parts:
        for encoding in (*_ENCODINGS, "latin-1"):
            text = part.decode(encoding, "ignore")
            yield text
            if "<" in text:
                yield html.unescape(re.sub(r"<[^>]*>", "", text))
                yield html.unescape("".join(_STRING.findall(text)))


def main() -> None:
    """Run from the command line."""
    from tests.support.fuzz_seeds import seeds

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3600)
    parser.add_argument("--first", type=int, default=0, help="the number of the first mutation")
    parser.add_argument("--folder", type=Path, default=Path("fuzz"), help="where the files of findings are kept")
    arguments = parser.parse_args()
    arguments.folder.mkdir(exist_ok=True)
    ends = time.monotonic() + arguments.seconds
    files, found = 0, 0
    for finding in fuzz(seeds(), arguments.folder, count(arguments.first)):
        files += 1
        if finding is not None:
            found += 1
            print(finding, flush=True)
        if time.monotonic() > ends:
            break
    print(f"{files} files, {found} findings")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
