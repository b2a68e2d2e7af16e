"""The command ``tui-importer serve``."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tui_importer.cli.option_types import CountOrAuto, Number
from tui_importer.cli.options import target_options
from tui_importer.cli.plan import build_plan
from tui_importer.cli.plugin_options import CommandWithPlugins
from tui_importer.cli.watch_options import watch_options, watch_options_of
from tui_importer.console.print_error import print_error
from tui_importer.core.scheduling.worker_count import MAX_WORKERS
from tui_importer.errors import UsageError
from tui_importer.plugins.registry import Registry, load_registry

if TYPE_CHECKING:
    from tui_importer.server.settings import Settings

#: Environment variable of the token if ``--token-file`` is not given. There is no option for it: everybody can see the
#: command line.
TOKEN_VARIABLE = "TUI_IMPORTER_SERVER_TOKEN"  # noqa: S105  # its name
#: Minimum length of a token: 128 bits in hexadecimal or base64.
_MIN_TOKEN = 16
_MEGABYTE, _DAY = 1 << 20, 86_400.0


@click.command(
    "serve", cls=CommandWithPlugins, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80}
)
@target_options
@click.option("--strategy", metavar="NAME", help="Strategy, unless the client names one (default: batched).")
@click.option("--workers", type=CountOrAuto(), help="Number of workers, unless the client gives one.")
@click.option("--retry-for", type=Number(0), metavar="S", help="See import (default: 300).")
@click.option("--stall-timeout", type=Number(0), metavar="S", help="See import (default: 60).")
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    metavar="ADDRESS",
    help="Address to listen on; any other needs a token.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8080,
    show_default=True,
    metavar="N",
    help="Port to listen on; 0: a free one.",
)
@click.option("--token-file", metavar="FILE", help=f"Holds the token (default: {TOKEN_VARIABLE}, else none).")
@click.option("--allow-host", multiple=True, metavar="NAME", help="Answer to this Host header, too (needs a token).")
@click.option("--uploads", metavar="FOLDER", help="Where uploads are kept (default: below the state directory).")
@click.option(
    "--max-upload",
    type=Number(0, min_open=True),
    default=256,
    show_default=True,
    metavar="MB",
    help="Size of an upload, at most.",
)
@click.option(
    "--max-runs", type=click.IntRange(1, 64), default=2, show_default=True, help="Runs at the same time, at most."
)
@click.option(
    "--max-waiting",
    type=click.IntRange(1, 10_000),
    default=50,
    show_default=True,
    help="Uploads in the queue, at most.",
)
@click.option(
    "--max-workers",
    type=click.IntRange(1, MAX_WORKERS),
    default=8,
    show_default=True,
    help="Workers of a run, at most.",
)
@click.option("--run-timeout", type=Number(0, min_open=True), metavar="S", help="Abort a run after this long.")
@click.option(
    "--idle-timeout",
    type=Number(0, min_open=True),
    default=30,
    show_default=True,
    metavar="S",
    help="Give up an upload that sends nothing for this long.",
)
@click.option(
    "--answer-within",
    type=Number(0, min_open=True),
    default=900,
    show_default=True,
    metavar="S",
    help="POST /upload answers 202 if the run takes longer.",
)
@click.option(
    "--grace",
    type=Number(0),
    default=30,
    show_default=True,
    metavar="S",
    help="How long a shutdown waits for batches in flight.",
)
@click.option(
    "--keep", type=Number(0), default=7, show_default=True, metavar="DAYS", help="Forget a run this long after its end."
)
@click.option("--allow-undo", is_flag=True, help="Clients may take back what a run has put in (needs --lineage).")
@click.option(
    "--watch", multiple=True, metavar="FOLDER", help="Import the files that appear in a folder, too (repeatable)."
)
@watch_options("watch-", " (below the watched one, if relative)")
def command(**given: Any) -> None:
    """Take uploads over HTTP, and files from folders.

    The target is the server's: --db, --table and so on. Without --table, only sheets
    of a known schema are taken (business directories, into "businesses").
    """
    registry = load_registry()
    for warning in registry.warnings:
        print_error(warning)
    try:
        from tui_importer.server.running import serve
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "tui_importer":
            raise
        raise UsageError(
            f"serving needs {error.name}, which is not installed: pip install 'tui-importer[server]'"
        ) from error
    serve(_settings(given, registry), registry)


def _settings(given: dict[str, Any], registry: Registry) -> Settings:
    from platformdirs import user_state_path

    from tui_importer.server.settings import Settings, validated, watch_settings

    if not given["watch"] and (given["watch_patterns"] or given["watch_done"] or given["watch_failed"]):
        raise UsageError("--watch-pattern, --watch-done and --watch-failed are for a folder: name it with --watch")
    plan = build_plan(["upload.xlsx"], given, registry)
    registry.strategy(plan.options.strategy)
    registry.options.check(plan.options.plugin_options)
    return validated(
        Settings(
            plan=plan,
            folder=Path(given["uploads"]) if given["uploads"] else user_state_path("tui-importer") / "uploads",
            host=given["host"],
            port=given["port"],
            token=_token(given["token_file"]),
            allowed_hosts=frozenset(name.lower() for name in given["allow_host"]),
            max_upload=int(given["max_upload"] * _MEGABYTE),
            max_runs=given["max_runs"],
            max_waiting=given["max_waiting"],
            max_workers=given["max_workers"],
            run_timeout=given["run_timeout"],
            idle_timeout=given["idle_timeout"],
            answer_within=given["answer_within"],
            grace=given["grace"],
            keep=given["keep"] * _DAY,
            allow_undo=given["allow_undo"],
            watches=watch_settings(given["watch"], watch_options_of(given)),
        )
    )


def _token(file: str | None) -> str | None:
    """Return the token and remove it from the environment, so that no run inherits it. Raises :class:`UsageError`."""
    token = os.environ.pop(TOKEN_VARIABLE, None)
    if file is not None:
        try:
            if os.stat(file).st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise UsageError(f"{file}: others than its owner can read the token: chmod 600 it")
            token = Path(file).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"{file}: cannot read the token: {error}") from error
    token = token.strip() if token is not None else None
    if token is not None and not (len(token) >= _MIN_TOKEN and token.isascii() and token.isprintable()):
        raise UsageError(
            f"the token has to be {_MIN_TOKEN} or more visible ASCII characters, like: openssl rand -hex 32"
        )
    return token
