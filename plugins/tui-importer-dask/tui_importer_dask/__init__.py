"""An executor that spreads the imports of a run over the workers of a dask cluster."""

from __future__ import annotations

from typing import Annotated

import msgspec

from tui_importer import ExecutorSpec, hookimpl


class DaskOptions(msgspec.Struct, frozen=True):
    """The options of the executor."""

    scheduler: Annotated[
        str | None,
        msgspec.Meta(
            description="Address of the scheduler, tcp://HOST:8786; by default the one that dask is set up with"
        ),
    ] = None
    jobs: Annotated[
        int,
        msgspec.Meta(ge=0, description="Imports at the same time on each dask worker; 0: as many as it has threads"),
    ] = 1
    timeout: Annotated[
        float,
        msgspec.Meta(ge=1, le=3600, description="Seconds without an answer after which an import is given up"),
    ] = 30.0
    direct: Annotated[
        bool, msgspec.Meta(description="Connect to the dask workers, instead of reaching them through the scheduler")
    ] = False
    send_password: Annotated[
        bool, msgspec.Meta(description="Send the database's password to the dask workers, through the cluster")
    ] = False
    tls_ca: Annotated[
        str | None, msgspec.Meta(description="File of the certificate authority of a cluster that uses TLS")
    ] = None
    tls_cert: Annotated[str | None, msgspec.Meta(description="File of the certificate to show to the cluster")] = None
    tls_key: Annotated[str | None, msgspec.Meta(description="File of that certificate's private key")] = None


@hookimpl
def tui_importer_executors() -> list[ExecutorSpec]:
    """The executor of this plugin."""
    return [
        ExecutorSpec(
            "dask",
            "imports spread over the workers of a dask cluster",
            "tui_importer_dask.executor:Dask",
            options=DaskOptions,
        )
    ]
