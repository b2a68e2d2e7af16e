"""Readers of xlsx and xlsm workbooks and of delimited text in compiled code.

Without them, or with ``--reader calamine`` or ``--reader csv``, the same files give the same rows and the same
rejects.
"""

from __future__ import annotations

from tui_importer import PLUGIN_API_VERSION, ReaderSpec, hookimpl
from tui_importer_native import _native

if _native.API_VERSION != PLUGIN_API_VERSION:
    raise ImportError(
        f"it is made for version {_native.API_VERSION} of the plugin interface, and this tui-importer has version "
        f"{PLUGIN_API_VERSION}: install the tui-importer-native that belongs to it"
    )

_BACKEND_SETUP = {"sqlite": "tui_importer_native.sqlite:register_rows_table"}


@hookimpl
def tui_importer_readers() -> list[ReaderSpec]:
    """The readers of this plugin, which take precedence over the built-in ones."""
    return [
        ReaderSpec(
            "native",
            "fastest; compiled, leaves unusual files to calamine",
            "tui_importer_native.reader:NativeReader",
            extensions=(".xlsx", ".xlsm"),
            priority=10,
            backend_setup=_BACKEND_SETUP,
        ),
        ReaderSpec(
            "native-csv",
            "delimited text, compiled",
            "tui_importer_native.delimited:NativeDelimitedReader",
            extensions=(".csv", ".tsv", ".tab", ".txt"),
            priority=10,
            backend_setup=_BACKEND_SETUP,
        ),
    ]
