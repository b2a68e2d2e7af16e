"""Hides typed passwords from other users of the machine, who can see the command line (``ps``)."""

from __future__ import annotations

from pathlib import Path

from tui_importer.core.model.url import may_hold_password, parse_address
from tui_importer.errors import UsageError

_STAT = Path("/proc/self/stat")
_CMDLINE = Path("/proc/self/cmdline")
#: Index of arg_start after the program's name, which may hold any characters (proc_pid_stat(5), field 48).
_ARG_START = 45


def hide_passwords() -> None:
    """Overwrite passwords in the process's arguments, if the system keeps them in the process's memory (Linux).

    They are visible until then, while the interpreter starts.
    """
    if not (_STAT.exists() and _CMDLINE.exists()):
        return
    words = _CMDLINE.read_bytes().split(b"\0")
    shown = [_shown(word) for word in words]
    if shown == words:
        return
    import ctypes  # takes as long as the rest of this, and few command lines hold a password

    address = int(_STAT.read_text(errors="replace").rpartition(")")[2].split()[_ARG_START])
    line = b"\0".join(shown)
    ctypes.memmove(address, line, len(line))


def _shown(word: bytes) -> bytes:
    """Return the argument with the password blotted out, at the same length."""
    text = word.decode("utf-8", "surrogateescape")
    option, equals, value = text.partition("=") if text.startswith("--") else ("", "", text)
    if not may_hold_password(value):
        return word
    try:
        display = parse_address(value).display
    except UsageError:
        display = ""  # the password may be anywhere in it
    if display == value:
        return word
    shown = f"{option}{equals}{display}".encode("utf-8", "surrogateescape")
    return shown[: len(word)].ljust(len(word), b" ")
