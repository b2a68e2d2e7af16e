"""The command ``tui-importer plugins``."""

from __future__ import annotations

from collections.abc import Sequence

import click

from tui_importer.cli.options import plugin_file_option
from tui_importer.plugins.registry import load_registry


@click.command("plugins", context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def command(*, as_json: bool) -> None:
    """List readers, strategies, backends and executors with their options, and what is wrong with broken ones."""
    registry = load_registry()
    found = registry.plugins()
    if as_json:
        import msgspec

        click.echo(msgspec.json.format(msgspec.json.encode(found), indent=2))
        return
    rows: list[tuple[str, ...]] = [("KIND", "NAME", "STATE", "DISTRIBUTION", "VERSION", "")]
    rows += [(info.kind, info.name, str(info.state), info.distribution, info.version, info.detail) for info in found]
    _print_table(rows)
    options = [option for each in registry.options for option in each.options]
    if options:
        click.echo()
        rows = [("OPTION (-o)", "VALUE", "")]
        _print_table(rows + [(option.key, option.metavar, option.description) for option in options])


def _print_table(rows: Sequence[tuple[str, ...]]) -> None:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        click.echo("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


command.params.append(plugin_file_option())
