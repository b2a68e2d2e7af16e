"""Settings of the server, decided by whoever starts it; a client can change none of them."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec

from tui_importer.core.model.plan import Plan, checked
from tui_importer.core.model.schemas import BUSINESSES
from tui_importer.core.model.undecodable_names import escaped
from tui_importer.core.model.url import parse_address
from tui_importer.errors import UsageError
from tui_importer.plugins.choice import target_address
from tui_importer.process.watched_folder import WatchOptions
from tui_importer.text.safe import visible

#: Host names under which programs on this machine reach the server.
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchSettings:
    """A folder that is watched. Clients know it by its ``name`` alone."""

    name: str
    folder: Path
    options: WatchOptions

    @property
    def key(self) -> str:
        """What identifies the folder in stored uploads: its path as text."""
        return escaped(str(self.folder))


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """``plan`` holds the target and defaults of every run, ``folder`` the uploads. Sizes are in bytes, times in
    seconds.

    An upload that sends nothing for ``idle_timeout``, or takes longer than ``upload_timeout``, is given up.
    ``answer_within`` is how long ``POST /upload`` waits for the run's end; ``grace`` how long a shutdown waits for the
    batches in flight; ``keep`` how long ended runs are listed. ``allow_undo``: clients may take runs back.
    The files of the folders in ``watches`` are imported like uploads.
    """

    plan: Plan = field(repr=False)  # its database may hold a password
    folder: Path
    host: str = "127.0.0.1"
    port: int = 8080
    token: str | None = field(default=None, repr=False)
    allowed_hosts: frozenset[str] = frozenset()
    max_upload: int = 256 << 20
    max_runs: int = 2
    max_waiting: int = 50
    max_workers: int = 8
    run_timeout: float | None = None
    idle_timeout: float = 30.0
    upload_timeout: float = 3600.0
    answer_within: float = 900.0
    grace: float = 30.0
    keep: float = 7 * 86_400.0
    allow_undo: bool = False
    watches: tuple[WatchSettings, ...] = ()

    @property
    def database(self) -> str:
        """The target's address, with its password."""
        return target_address(self.plan).text

    @property
    def checks_host(self) -> bool:
        """Whether only known ``Host`` headers are answered: always without a token, because nothing else then protects
        the server from pages in a browser."""
        return bool(self.allowed_hosts) or self.token is None


def validated(settings: Settings) -> Settings:
    """Return the settings after checking that they are safe, with addresses that hold in any working directory.

    Raises :class:`UsageError` for an address beyond this machine without a token, and for settings with which a client
    could choose the table: without ``--table``, only sheets of a known schema are accepted, whose table is known too.
    """
    beyond = not is_loopback(settings.host) or bool(settings.allowed_hosts - LOOPBACK_NAMES)
    if beyond and settings.token is None:
        raise UsageError(
            f"{settings.host} can be reached by others than this machine, so a token is required: set "
            "TUI_IMPORTER_SERVER_TOKEN or give --token-file"
            if not is_loopback(settings.host)
            else "--allow-host lets others than this machine in, so a token is required: set "
            "TUI_IMPORTER_SERVER_TOKEN or give --token-file"
        )
    plan = settings.plan
    if plan.target.table is None:
        if plan.columns is not None or plan.options.schema not in ("auto", BUSINESSES.name):
            raise UsageError("name the table that uploads go to with --table: it is not the client's to choose")
        plan = msgspec.structs.replace(plan, options=msgspec.structs.replace(plan.options, schema=BUSINESSES.name))
    if "{" in (plan.target.table or ""):
        raise UsageError(f"--table {plan.target.table}: the table of an upload is not the client's to choose")
    database = _absolute(plan.target.database or f"{plan.target.table or BUSINESSES.name}.db")
    plan = msgspec.structs.replace(plan, target=msgspec.structs.replace(plan.target, database=database))
    return replace(settings, plan=checked(plan), folder=settings.folder.absolute())


def watch_settings(folders: Sequence[str], options: WatchOptions) -> tuple[WatchSettings, ...]:
    """The settings of folders that are watched alike. Each is named after its last part; of several that are named the
    same, the second gets the number 2. Folders for files that are done or failed are relative to the watched one.

    Raises :class:`UsageError` for a folder that is watched twice, or that files are moved into that is watched, too.
    """
    found: dict[str, WatchSettings] = {}
    paths = [Path(folder).resolve() for folder in folders]
    for path, given in zip(paths, folders, strict=True):
        if paths.count(path) > 1:
            raise UsageError(f"--watch {given}: is watched twice")
        targets = {
            name: None if target is None else path / target
            for name, target in (("done", options.done), ("failed", options.failed))
        }
        for name, target in targets.items():
            if target is not None and target.resolve() in paths:
                raise UsageError(f"--watch-{name} {getattr(options, name)}: is watched: its files would come back")
        last = Path(given).name  # of a link, its own
        word, number = visible(escaped(path.name if last in ("", "..") else last)) or "root", 1
        while (name := word if number == 1 else f"{word}-{number}") in found:
            number += 1
        found[name] = WatchSettings(name=name, folder=path, options=msgspec.structs.replace(options, **targets))
    return tuple(found.values())


def is_loopback(host: str) -> bool:
    """Return whether a listening address can only be reached from this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _absolute(database: str) -> str:
    """Return the address in a form that holds in any folder: each run works in its own."""
    address = parse_address(database)
    if address.file is not None:
        return str(Path(address.file).absolute())
    scheme, slashes, path = address.text.partition(":///")
    if address.scheme.startswith("sqlite+") and path and not path.startswith("/"):
        return f"{scheme}{slashes}/{(Path.cwd() / path)}"
    return address.text
