"""Options for plugins: files that are plugins, and the options that plugins declare."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import click

from tui_importer.plugins.files import add_plugin_file
from tui_importer.plugins.registry import load_registry


class PluginOptionText(click.ParamType):  # type: ignore[type-arg]
    """``PLUGIN.OPTION=VALUE``; which plugins and options there are is checked with the plan."""

    name = "PLUGIN.OPTION=VALUE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str, str]:
        key, equals, text = str(value).partition("=")
        plugin, dot, option = key.rpartition(".")
        if not (equals and dot and plugin and option):
            self.fail(f"{value!r} is not PLUGIN.OPTION=VALUE", param, ctx)
        return plugin, option, text


def plugin_file_option() -> click.Option:
    """The option for plugins that are files, which are known before all other options are read."""

    def add(ctx: click.Context, param: click.Parameter, files: Sequence[str]) -> Sequence[str]:
        for file in files:
            add_plugin_file(file, os.environ)
        return files

    return click.Option(
        ["--plugin", "plugin_files"],
        multiple=True,
        metavar="FILE.py",
        is_eager=True,
        expose_value=False,
        callback=add,
        help="Use the plugin in this file (repeatable).",
    )


class CommandWithPlugins(click.Command):
    """A command that takes options of plugins, and lists those of all installed plugins in its help."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.params.append(plugin_file_option())
        self.params.append(
            click.Option(
                ["-o", "plugin_options"],
                type=PluginOptionText(),
                multiple=True,
                help='Set an option of a plugin; "tui-importer plugins" lists them all.',
            )
        )

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        super().format_options(ctx, formatter)
        rows = [
            (f"-o {option.key}={option.metavar}", option.description)
            for options in load_registry().options
            for option in options.options
        ]
        if rows:
            with formatter.section("Plugin options"):
                formatter.write_dl(rows)
