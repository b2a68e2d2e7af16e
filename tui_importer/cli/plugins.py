"""The command ``tui-importer plugins``."""

from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Sequence
from pathlib import Path

import click

from tui_importer.cli.plugin_options import plugin_file_option
from tui_importer.core.model.suggest import closest
from tui_importer.errors import ExitCode, UsageError
from tui_importer.plugins.registry import PluginInfo, PluginState, Registry, load_registry
from tui_importer.text.safe import visible

#: How often an import is killed to check a strategy.
_KILLS = 8


@click.command("plugins", context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.option("--check", "checked", metavar="NAME", help="Check that a plugin keeps the contract of its kind.")
def command(*, as_json: bool, checked: str | None) -> int:
    """List readers, strategies, backends and executors with their options, and what is wrong with broken ones.

    --check runs the contract kit with a strategy or an executor: it imports into SQLite files, interrupts and
    kills imports (those of an installed strategy), and ends with 1 if a promise is broken.
    """
    registry = load_registry()
    found = registry.plugins()
    if checked is not None:
        return _check(checked, found, registry)
    if as_json:
        import msgspec

        click.echo(msgspec.json.format(msgspec.json.encode(found), indent=2))
        return ExitCode.OK
    rows: list[tuple[str, ...]] = [("KIND", "NAME", "STATE", "DISTRIBUTION", "VERSION", "")]
    rows += [(info.kind, info.name, str(info.state), info.distribution, info.version, info.detail) for info in found]
    _print_table(rows)
    options = [option for each in registry.options for option in each.options]
    if options:
        click.echo()
        rows = [("OPTION (-o)", "VALUE", "")]
        _print_table(rows + [(option.key, option.metavar, option.description) for option in options])
    return ExitCode.OK


def _check(name: str, found: Sequence[PluginInfo], registry: Registry) -> int:
    """Check the plugins of this name; the exit code."""
    named = [info for info in found if info.name == name]
    if not named:
        close = closest(name, [info.name for info in found])
        raise UsageError(f"there is no plugin {name!r}" + (f": did you mean {close!r}?" if close else ""))
    code = ExitCode.OK
    for info in named:
        problem = _problem(info, registry)
        click.echo(f"{info.kind} {visible(name)}: {'keeps the contract' if problem is None else visible(problem)}")
        if problem is not None:
            code = ExitCode.FAILED
    return code


def _importable(factory: object) -> bool:
    """Whether another process can import a plugin: not one that is a file."""
    module = factory if isinstance(factory, str) else getattr(factory, "__module__", "")
    try:
        return importlib.util.find_spec(module.partition(":")[0].partition(".")[0]) is not None
    except ValueError:
        return False


def _problem(info: PluginInfo, registry: Registry) -> str | None:
    """What is wrong with a plugin; None if nothing is. Raises :class:`UsageError` if the kit needs a test for it."""
    if info.state != PluginState.ACTIVE:
        return f"{info.state}: {info.detail}"
    from tui_importer.testing import ContractError, check_executor, check_strategy

    with tempfile.TemporaryDirectory(prefix="tui_importer-check-") as folder:
        try:
            if info.kind == "strategy":
                spec = registry.strategy(info.name)
                check_strategy(spec, Path(folder), kills=_KILLS if _importable(spec.factory) else 0)
            elif info.kind == "executor":
                check_executor(registry.executor(info.name), Path(folder))
            else:
                needed = "files" if info.kind == "reader" else "database"
                raise UsageError(
                    f"a {info.kind} is checked by a test that has its {needed} (tui_importer.testing.check_{info.kind})"
                )
        except ContractError as error:
            return f"breaks the contract: {error}"
    return None


def _print_table(rows: Sequence[tuple[str, ...]]) -> None:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        click.echo("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


command.params.append(plugin_file_option())
