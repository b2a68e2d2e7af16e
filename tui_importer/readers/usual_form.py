"""Copies of workbooks whose XML is right but unusual, in the form that python-calamine understands.

Some programs write workbooks that others read and python-calamine refuses: XML in UTF-16, references like ``$A$1``,
invalid dimensions, sheets without a part or of a kind without cells, and ods files with white space between their
cells. A copy is rewritten by an XML parser, in pieces, without changing any cell.

ECMA-376 part 1, 18.2.19 (``sheet``), 18.3.1.4 (``c``), 18.3.1.35 (``dimension``); OpenDocument 1.3 part 3, 1.5 (white
space).
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from tui_importer.core.model.patterns import pattern
from tui_importer.readers.package import XML_ERRORS, Package, damaged, local, xml_parser
from tui_importer.readers.utf_16 import is_utf_16, is_xml

_CONTENT = "content.xml"
#: The kinds of sheets that python-calamine knows, by the end of their relationship's type.
_KNOWN_SHEETS = ("/worksheet", "/chartsheet", "/dialogsheet")
_DIMENSION = pattern(r"[A-Z]{1,3}[0-9]{1,7}(?::[A-Z]{1,3}[0-9]{1,7})?")
#: Within these elements of an ods file, white space is text.
_TEXT_ELEMENTS = frozenset({"text:p", "text:h"})


def copy_in_usual_form(path: Path, copy: Path) -> tuple[str, ...]:
    """Write a copy of a workbook, and return what was unusual about it, in words; without anything, there is no copy.

    The file must be a ZIP archive. Raises :class:`~tui_importer.errors.SourceError` if it is damaged.
    """
    package = Package(path)
    rewriting = _Rewriting(package)
    with zipfile.ZipFile(copy, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for member in package.members():
            if not member.filename or member.is_dir():  # is_dir() fails for a member without a name
                continue
            with archive.open(member.filename, "w", force_zip64=True) as out:
                rewriting.write(member.filename, out)
    if not rewriting.found:
        copy.unlink()
    return tuple(rewriting.found)


class _Rewriting:
    """Rewrites the members of one archive; ``found`` is what was unusual, without repetitions, in order."""

    def __init__(self, package: Package) -> None:
        self.found: dict[str, None] = {}
        self._package = package
        workbook = package.workbook_part()
        self._workbook = None if workbook is None else workbook.lower()
        self._sheets = set() if workbook is None else {each.lower() for each in package.related(workbook, "/worksheet")}

    def write(self, name: str, out: IO[bytes]) -> None:
        """Write one member, in the usual form."""
        part = name.lstrip("/").lower()
        rewriter: _Rewriter | None = None
        if self._workbook is None and part == _CONTENT:
            rewriter = _ContentRewriter(self._package.path, out, self._note)
        elif part == self._workbook:
            rewriter = _WorkbookRewriter(self._package, name, out, self._note)
        elif part in self._sheets:
            rewriter = _SheetRewriter(self._package.path, out, self._note)
        elif is_xml(part) and is_utf_16(self._package, part):
            rewriter = _Rewriter(self._package.path, out, self._note)
        if rewriter is None:
            for piece in self._package.pieces(part):
                out.write(piece)
            return
        if is_utf_16(self._package, part):
            self._note("parts in UTF-16")
        rewriter.rewrite(self._package.pieces(part))

    def _note(self, what: str) -> None:
        self.found.setdefault(what)


class _Rewriter:
    """Writes the XML that it parses, in UTF-8. Subclasses leave out or change elements and attributes."""

    def __init__(self, path: Path, out: IO[bytes], note: Callable[[str], None]) -> None:
        self._path = path
        self._out = out
        self._note = note
        self._open = False  # whether the start tag written last can still become an empty element
        self._left_out = 0  # depth inside of an element that is left out
        self._parser = xml_parser(path)
        self._parser.ordered_attributes = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text

    def rewrite(self, pieces: Iterator[bytes]) -> None:
        """Write what these pieces of XML hold."""
        self._out.write(b'<?xml version="1.0" encoding="UTF-8"?>\n')
        try:
            for piece in pieces:
                self._parser.Parse(piece, False)
            self._parser.Parse(b"", True)
        except XML_ERRORS as error:
            raise damaged(self._path, error) from error

    def kept(self, name: str, attributes: dict[str, str]) -> bool:
        """Whether an element is written, with these attributes, which may be changed."""
        return True

    def kept_text(self, text: str) -> bool:
        """Whether a text between two tags is written."""
        return True

    def ended(self, name: str) -> None:
        """Called at the end of each element that is written."""

    def _start(self, name: str, listed: list[str]) -> None:
        attributes = dict(zip(listed[::2], listed[1::2], strict=True))
        if self._left_out or not self.kept(name, attributes):
            self._left_out += 1
            return
        self._close_tag()
        tag = "".join(f' {key}="{_escaped(value, quoted=True)}"' for key, value in attributes.items())
        self._out.write(f"<{name}{tag}".encode())
        self._open = True

    def _end(self, name: str) -> None:
        if self._left_out:
            self._left_out -= 1
            return
        self._out.write(b"/>" if self._open else f"</{name}>".encode())
        self._open = False
        self.ended(name)

    def _text(self, text: str) -> None:
        if not self._left_out and self.kept_text(text):
            self._close_tag()
            self._out.write(_escaped(text).encode())

    def _close_tag(self) -> None:
        if self._open:
            self._out.write(b">")
            self._open = False


class _ContentRewriter(_Rewriter):
    """The content of an ods file, without the white space between tags that is not text."""

    def __init__(self, path: Path, out: IO[bytes], note: Callable[[str], None]) -> None:
        super().__init__(path, out, note)
        self._texts = 0

    def kept(self, name: str, attributes: dict[str, str]) -> bool:
        self._texts += name in _TEXT_ELEMENTS
        return True

    def ended(self, name: str) -> None:
        self._texts -= name in _TEXT_ELEMENTS

    def kept_text(self, text: str) -> bool:
        if self._texts or text.strip():
            return True
        self._note("white space between its cells")
        return False


class _WorkbookRewriter(_Rewriter):
    """The workbook part, without sheets that have no part or that are of a kind without cells."""

    def __init__(self, package: Package, part: str, out: IO[bytes], note: Callable[[str], None]) -> None:
        super().__init__(package.path, out, note)
        self._targets = package.sheet_targets(part.lstrip("/"))

    def kept(self, name: str, attributes: dict[str, str]) -> bool:
        if local(name) != "sheet":
            return True
        identity = next((value for key, value in attributes.items() if key.endswith(":id")), "")
        kind, exists = self._targets.get(identity, ("", False))
        if exists and kind.endswith(_KNOWN_SHEETS):
            return True
        why = "without a part" if not exists else "of another kind than worksheets"
        self._note(f"sheet {attributes.get('name', '')!r}, which is {why}")
        return False


class _SheetRewriter(_Rewriter):
    """A worksheet, without its dimension and with references like ``A1``."""

    def kept(self, name: str, attributes: dict[str, str]) -> bool:
        match local(name):
            case "dimension":
                if not _DIMENSION.fullmatch(attributes.get("ref", "")):
                    self._note("an invalid dimension")
                return False
            case "c" if "$" in attributes.get("r", ""):
                attributes["r"] = attributes["r"].replace("$", "")
                self._note("references like $A$1")
        return True


def _escaped(text: str, *, quoted: bool = False) -> str:
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#13;")
    return text.replace('"', "&quot;").replace("\n", "&#10;").replace("\t", "&#9;") if quoted else text
