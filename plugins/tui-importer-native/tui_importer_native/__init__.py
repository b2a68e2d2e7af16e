"""A reader of xlsx and xlsm workbooks in compiled code.

Without it, or with ``--reader calamine``, the same files give the same rows and the same rejects.
"""

from __future__ import annotations

from tui_importer import PLUGIN_API_VERSION, ReaderSpec, hookimpl
from tui_importer_native import _native

if _native.API_VERSION != PLUGIN_API_VERSION:
    raise ImportError(
        f"it is made for version {_native.API_VERSION} of the plugin interface, and this tui-importer has version "
        f"{PLUGIN_API_VERSION}: install the tui-importer-native that belongs to it"
    )


@hookimpl
def tui_importer_readers() -> list[ReaderSpec]:
    """The reader of this plugin, which takes precedence over the built-in one."""
    return [
        ReaderSpec(
            "native",
            "fastest; compiled, leaves unusual files to calamine",
            "tui_importer_native.reader:NativeReader",
            extensions=(".xlsx", ".xlsm"),
            priority=10,
        )
    ]
