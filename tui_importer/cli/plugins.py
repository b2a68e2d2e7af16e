"""The command ``tui-importer plugins``."""

from __future__ import annotations

import click

from tui_importer.plugins.registry import load_registry


@click.command("plugins", context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def command(*, as_json: bool) -> None:
    """List readers, strategies, backends and executors, and what is wrong with broken ones."""
    found = load_registry().plugins()
    if as_json:
        import msgspec

        click.echo(msgspec.json.format(msgspec.json.encode(found), indent=2))
        return
    rows = [("KIND", "NAME", "STATE", "DISTRIBUTION", "VERSION", "")]
    rows += [(info.kind, info.name, str(info.state), info.distribution, info.version, info.detail) for info in found]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        click.echo("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())
