"""Database addresses as users write them: which backend they mean, and how to show them without a password."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote

from tui_importer.core.model.patterns import pattern
from tui_importer.errors import UsageError

#: The keywords with which a libpq connection string may begin (PostgreSQL manual, 34.1.2).
_LIBPQ_KEYWORDS = ("host", "hostaddr", "port", "dbname", "user", "password", "service", "passfile", "sslmode")

_URL = pattern(r"(?P<scheme>[a-zA-Z][a-zA-Z0-9+.-]*)://(?P<rest>.*)", re.DOTALL)
_KEYWORDS = pattern(rf"\s*(?:{'|'.join(_LIBPQ_KEYWORDS)})\s*=")
#: Also in an ODBC connection string within a URL, where = is written %3D and ; is written %3B.
_SECRET_KEYWORD = pattern(
    r"((?:\b|%3B)(?:password|sslpassword|passwd|pwd|passphrase|token)\s*(?:=|%3D)\s*)(?:'(?:\\.|[^'\\])*'|[^\s&#]*)",
    re.IGNORECASE,
)
#: ``user:password@``, which is more likely part of a mistyped URL than of a file's name.
_LOOKS_LIKE_A_LOGIN = pattern(r":[^@]*@")
#: What follows a host's name; there may be several hosts separated by commas, and an IPv6 address has brackets.
_PORT = pattern(r"(?<![\[:]):([^:,\]]+)(?=,|$)")
#: How names of files that are not UTF-8 are held in texts (PEP 383).
_NOT_UTF_8 = "surrogateescape"
_BAD_PERCENT = pattern(r"%(?![0-9a-fA-F]{2})")

_MALFORMED = (
    "malformed database URL: in the user name and the password, write @ as %40, : as %3A, / as %2F, "
    "? as %3F, # as %23 and % as %25 (or leave the password out and use ~/.pgpass or PGPASSWORD)"
)


@dataclass(frozen=True, slots=True)
class DatabaseAddress:
    """A database address. ``scheme`` determines the backend; ``text`` is the original text, including secrets.

    ``display`` is safe to show and to store.
    """

    scheme: str
    text: str
    display: str

    @property
    def file(self) -> str | None:
        """The path of an SQLite file; None for a database that is not a file."""
        return sqlite_path(self) if self.scheme == "sqlite" else None

    def __repr__(self) -> str:
        return f"DatabaseAddress({self.display!r})"


def parse_address(text: str) -> DatabaseAddress:
    """Parse a URL, a libpq keyword string (``host=db dbname=shop``) or a path (SQLite).

    Raises :class:`UsageError` for anything else. Its message never repeats the address: a malformed URL may contain its
    password anywhere.
    """
    text = text.strip()
    if not text:
        raise UsageError("the database address is empty: give a URL, or a path for SQLite")
    if match := _URL.fullmatch(text):
        scheme, rest = match.group("scheme").lower(), match.group("rest")
        if scheme.split("+")[0] == "sqlite":
            return DatabaseAddress(scheme, text, _as_text(_sqlite_path(rest)) if scheme == "sqlite" else text)
        return DatabaseAddress(scheme, text, f"{scheme}://{_without_password(rest)}")
    if _KEYWORDS.match(text):
        return DatabaseAddress("postgresql", text, _SECRET_KEYWORD.sub(r"\1***", text))
    if "://" in text or "\0" in text or _LOOKS_LIKE_A_LOGIN.search(text):
        raise UsageError("malformed database URL: it must look like postgresql://user@host/database or a path")
    return DatabaseAddress("sqlite", text, _as_text(_on_disk(text)))


def shown(text: str) -> str:
    """An address in a form that is safe to show; ``***`` if it is malformed, as its password may be anywhere."""
    try:
        return parse_address(text).display
    except UsageError:
        return "***"


def portable_address(text: str) -> str:
    """The address as another process can use it: without any password, and the path of an SQLite file absolute.

    A client finds a password that is missing as it would for any address (for PostgreSQL ``PGPASSWORD``, a service file
    or ``.pgpass``). Raises :class:`UsageError` as :func:`parse_address` does.
    """
    address = parse_address(text)
    if address.file is not None:
        return _sqlite_url(str(Path(address.file).absolute()))
    match = _URL.fullmatch(address.text)
    if match is None:
        return _SECRET_KEYWORD.sub("", address.text)
    host, mark, query = match.group("rest").partition("?")
    login, at, host = host.rpartition("@")
    parameters = [part for part in query.split("&") if not _SECRET_KEYWORD.match(part)]
    rest = f"{login.partition(':')[0]}{at}{host}" + (f"{mark}{'&'.join(parameters)}" if parameters else "")
    return f"{match.group('scheme')}://{_SECRET_KEYWORD.sub('', rest)}"


def may_hold_password(text: str) -> bool:
    """Whether a text is an address, well-formed or not, that may contain a password."""
    return "://" in text or bool(_KEYWORDS.match(text) or _LOOKS_LIKE_A_LOGIN.search(text))


def sqlite_path(address: DatabaseAddress) -> str:
    """The file of a ``sqlite`` address: ``sqlite:///relative``, ``sqlite:////absolute`` or the plain path."""
    match = _URL.fullmatch(address.text)
    return _sqlite_path(match.group("rest")) if match else _on_disk(address.text)


def _sqlite_path(rest: str) -> str:
    path = rest.partition("?")[0]
    if path and not path.startswith("/"):
        raise UsageError(f"malformed SQLite URL: write sqlite:///{path} for a file in this folder")
    return _on_disk(unquote(path[1:], errors=_NOT_UTF_8))


def _on_disk(path: str) -> str:
    if path in ("", ":memory:"):
        raise UsageError("an SQLite database in memory would be gone when the import ends: give a file")
    return path


def _as_text(path: str) -> str:
    """The path, or a URL if its bytes are not text."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return _sqlite_url(path)
    return path


def _sqlite_url(path: str) -> str:
    try:
        return f"sqlite:///{quote(path, errors=_NOT_UTF_8)}"
    except UnicodeEncodeError as error:
        raise UsageError("the address of the database has characters that no name of a file can have") from error


def _without_password(rest: str) -> str:
    """The part of a URL after ``scheme://``, without the password, wherever it is."""
    head, at, tail = rest.rpartition("@")
    if at:
        user, _, password = head.partition(":")
        if _BAD_PERCENT.search(head) or any(mark in head for mark in "@/?#") or ":" in password:
            raise UsageError(_MALFORMED)
        rest = f"{user}@{tail}"
    if any(not port.isdecimal() for port in _PORT.findall(re.split("[/?#]", tail, maxsplit=1)[0])):
        raise UsageError("malformed database URL: what follows the host's : must be the port's number")
    return _SECRET_KEYWORD.sub(r"\1***", rest)
