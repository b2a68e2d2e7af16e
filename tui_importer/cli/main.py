"""The command line: finds the command, and turns errors into messages and exit codes."""

from __future__ import annotations

import importlib
import os
import signal
import sys
from collections.abc import Sequence
from typing import NoReturn

import click

from tui_importer.cli.process_list import hide_passwords
from tui_importer.console.print_error import print_error
from tui_importer.console.terminals import on_a_terminal
from tui_importer.errors import ExitCode, ImporterError
from tui_importer.process.interpreter import no_collection

#: Command -> its module, and its name there unless it is ``command``. Modules are imported on demand: ``--version`` and
#: ``--help`` load no driver.
COMMANDS = {
    "import": "tui_importer.cli.import_files",
    "inspect": "tui_importer.cli.inspect",
    "diff": "tui_importer.cli.diff",
    "watch": "tui_importer.cli.watch",
    "undo": "tui_importer.cli.undo",
    "bench": "tui_importer.cli.bench",
    "runs": "tui_importer.cli.runs",
    "attach": "tui_importer.cli.attach:attach",
    "replay": "tui_importer.cli.attach:replay",
    "rejects": "tui_importer.cli.rejects",
    "serve": "tui_importer.cli.serve",
    "plugins": "tui_importer.cli.plugins",
}
DEFAULT_COMMAND = "import"

EXAMPLES = """\b
Examples:
  tui-importer sample_data.xlsx
  tui-importer orders.xlsx --db postgresql://shop@db/shop --table orders
  tui-importer inspect orders.xlsx --save plan.toml
"""


class LazyGroup(click.Group):
    """Commands by name, each imported on demand; a word that is not a command is a file to import."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        with no_collection():
            command = getattr(importlib.import_module(module), name or "command")
        assert isinstance(command, click.Command)
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args and on_a_terminal():
            args = [DEFAULT_COMMAND]  # which asks for a file
        if not args:
            click.echo(ctx.get_help(), err=True)
            ctx.exit(ExitCode.USAGE)
        if args and args[0] not in COMMANDS and args[0] not in ("--help", "-h", "--version"):
            if not args[0].startswith("-"):
                from tui_importer.cli.checks import check_command  # not for --version, which needs next to nothing

                check_command(args[0], COMMANDS)
            args = [DEFAULT_COMMAND, *args]
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        # Before the command imports any library. Not for --version, which needs none.
        from tui_importer.process.library_warnings import keep_libraries_quiet

        keep_libraries_quiet()
        name, command, rest = super().resolve_command(ctx, args)
        if command is not None:
            refuse_repeated(click.Context(command, info_name=name, parent=ctx), rest)
        return name, command, rest


def refuse_repeated(ctx: click.Context, args: Sequence[str]) -> None:
    """Refuse an option that takes one value and is given several times; click would use the last.

    A flag may be repeated. Raises :class:`click.UsageError`.
    """
    try:
        _, _, given = ctx.command.make_parser(ctx).parse_args(args=list(args))
    except click.UsageError:
        return  # reported when the command itself parses its words
    for option in given:
        if not isinstance(option, click.Option) or option.multiple or option.is_flag or option.count:
            continue
        if given.count(option) > 1:
            name = max(option.opts, key=len)
            raise click.UsageError(
                f"{name} takes one value and is given {given.count(option)} times: leave the others out", ctx
            )


@click.group(
    cls=LazyGroup,
    no_args_is_help=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80},
    epilog=EXAMPLES,
    subcommand_metavar="[import] FILE... | COMMAND",
    options_metavar="",
)
@click.version_option(package_name="tui-importer", prog_name="tui-importer")
def group() -> None:
    """Spreadsheets into SQL databases: every row, exactly once, and every row that
    could not go named by sheet, cell and reason.

    Without a command, the files are imported. "tui-importer import --help" lists the
    options.
    """


def main(args: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and end the process with the exit code that the README lists."""
    # For the whole life of the process: a run begins before anything listens to it, and its report comes after its end.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    _open_streams()
    hide_passwords()
    try:
        code = group.main(args=args, prog_name="tui-importer", standalone_mode=False)
    except click.exceptions.Exit as exit_:
        code = exit_.exit_code
    except click.ClickException as error:
        print_error(_sentence(error))
        code = ExitCode.USAGE
    except click.Abort:
        code = ExitCode.SIGINT
    except ImporterError as error:
        from tui_importer.core.model.standard_input import renamed_copy

        print_error(renamed_copy(str(error)))
        code = error.exit_code
    except BrokenPipeError:
        # The reader of our output is gone.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = ExitCode.FAILED
    _end_process(int(code or 0))


def _sentence(error: click.ClickException) -> str:
    """Return click's message as one line, like all other errors."""
    text = " ".join(error.format_message().split()).rstrip(".")
    ctx = error.ctx if isinstance(error, click.UsageError) else None
    return f"{text[:1].lower()}{text[1:]} ({ctx.command_path} --help)" if ctx is not None else text


def _open_streams() -> None:
    """Open /dev/null for each closed standard stream (``>&-``): the next opened file would take its place."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115  # for good


def _end_process(code: int) -> NoReturn:
    """End the process without freeing its memory: freeing a large workbook cell by cell would take a tenth of a run."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            # Output that was the result may be lost (a full disk); a closed stream has nothing more to write.
            code = code or ExitCode.FAILED
    if (standard_input := sys.modules.get("tui_importer.core.model.standard_input")) is not None:
        standard_input.remove_copy()
    os._exit(code)
