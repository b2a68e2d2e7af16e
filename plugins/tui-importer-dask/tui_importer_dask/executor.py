"""The imports of a run, spread over the places that a dask cluster has for them."""

from __future__ import annotations

import logging
import math
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, NoReturn

from tui_importer import ImporterError, ImportQueue, ImportSpec, PendingImport, UsageError
from tui_importer_dask import DaskOptions
from tui_importer_dask.remote import LostError, Place, RemoteImport, UnbegunError, innermost, known_workers

#: How often dask workers that have come are looked for while there is no place, in seconds.
_LOOK_SECONDS = 1.0
#: How long the cluster is waited for at the end, in seconds.
_CLOSE_SECONDS = 5.0


class Dask:
    """Carries each import out on a dask worker that has a place for it."""

    def __init__(self, *, options: DaskOptions) -> None:
        self._options = options

    def run(self, queue: ImportQueue) -> None:
        with ExitStack() as opened:
            try:
                client = opened.enter_context(_connected(self._options))
            except ImporterError as error:
                for each in queue.imports():
                    _fail(each, error)
                return
            self._spread(queue, _Places(client, self._options))

    def _spread(self, queue: ImportQueue, places: _Places) -> None:
        threads: list[threading.Thread] = []
        try:
            for each in queue.imports():
                try:
                    place = places.take(queue)
                except ImporterError as error:
                    _fail(each, error)
                    continue
                if place is None:
                    return  # the run is being stopped
                thread = threading.Thread(target=self._carry_out, args=(each, place, places, queue), name="import")
                threads.append(thread)
                thread.start()
        finally:
            for thread in threads:
                thread.join()
            places.close()

    def _carry_out(self, each: PendingImport, place: Place, places: _Places, queue: ImportQueue) -> None:
        taken = place

        def begin(spec: ImportSpec) -> RemoteImport:
            nonlocal taken
            while True:
                try:
                    return RemoteImport(spec, taken, send_password=self._options.send_password)
                except UnbegunError:
                    # Not for long: the others may all be waiting for this very import to end.
                    other = places.take(queue, within=self._options.timeout)
                    if other is None:
                        raise
                    places.give_back(taken)
                    taken = other

        try:
            each.carry_out_elsewhere(begin)
        finally:
            places.give_back(taken)


class _Places:
    """The places of all dask workers, as they come and go. Threads take them and give them back."""

    def __init__(self, client: Any, options: DaskOptions) -> None:
        self._client = client
        self._options = options
        self._idle: list[Place] = []
        self._busy = Counter[str]()
        self._given_back = threading.Condition()
        self._last_seen = time.monotonic()

    def take(self, queue: ImportQueue, within: float = math.inf) -> Place | None:
        """A place on the dask worker with the fewest imports; waits for one. None if there is none ``within`` so many
        seconds, and once the run is being stopped.

        Raises :class:`~tui_importer.ImporterError` if the cluster is gone or has no dask worker.
        """
        ends = time.monotonic() + within
        while not queue.stopping and time.monotonic() < ends:
            capacities = self._capacities()
            with self._given_back:
                free = [worker for worker, capacity in capacities.items() if self._busy[worker] < capacity]
                if free:
                    return self._place_on(min(free, key=lambda worker: self._busy[worker]))
                waited = time.monotonic() - self._last_seen
                if not (capacities or self._busy.total()) and waited > self._options.timeout:
                    raise ImporterError("the dask cluster has no worker")
                self._given_back.wait(_LOOK_SECONDS)
        return None

    def give_back(self, place: Place) -> None:
        """Take a place back, for the next import unless it is lost."""
        with self._given_back:
            self._busy[place.worker] -= 1
            self._last_seen = time.monotonic()
            if place.lost:
                place.close()
            else:
                self._idle.append(place)
            self._given_back.notify_all()

    def close(self) -> None:
        """Let go of all places; none may be busy."""
        for place in self._idle:
            place.close()

    def _place_on(self, worker: str) -> Place:
        self._busy[worker] += 1
        for place in self._idle:
            if place.worker == worker and not place.lost:
                self._idle.remove(place)
                return place
        return Place(self._client, worker, self._options.timeout)

    def _capacities(self) -> dict[str, int]:
        """The number of places of each dask worker that is there."""
        workers = known_workers(self._client, self._options.timeout)
        running = {address: each for address, each in workers.items() if each["status"] == "running"}
        if running:
            self._last_seen = time.monotonic()
        return {address: self._options.jobs or each["nthreads"] for address, each in running.items()}


@contextmanager
def _connected(options: DaskOptions) -> Iterator[Any]:
    """A client of the cluster. Raises :class:`~tui_importer.ImporterError` if there is none."""
    with _quiet():
        import dask
        from distributed import Client

    address = options.scheduler or dask.config.get("scheduler-address", None)
    if not address:
        raise UsageError("which dask cluster? -o dask.scheduler=tcp://HOST:8786")
    client = Client.__new__(Client)
    try:
        client.__init__(
            address,
            security=_security(options),
            timeout=options.timeout,
            set_as_default=False,
            direct_to_workers=options.direct,
            name="tui-importer",
        )
    except Exception as error:  # of dask, its transports and TLS
        _close(client)
        raise LostError(f"dask scheduler {address} cannot be reached: {innermost(error)}") from error
    try:
        yield client
    finally:
        _close(client)


def _close(client: Any) -> None:
    """Close the client and end its thread, which a client leaves that could not connect, or has closed by itself after
    it had lost the scheduler."""
    with suppress(Exception):  # whatever is wrong with a connection that is given up
        client.close(timeout=_CLOSE_SECONDS)
    with suppress(Exception):
        client._loop_runner.stop()


def _security(options: DaskOptions) -> Any:
    """What dask takes to show who one is; None for what it is set up with."""
    if not (options.tls_ca or options.tls_cert or options.tls_key):
        return None
    from distributed.security import Security

    return Security(
        require_encryption=True,
        tls_ca_file=options.tls_ca,
        tls_client_cert=options.tls_cert,
        tls_client_key=options.tls_key,
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Leave the log records of dask to whoever logs in this process: at its import, dask sets up a log of its own on
    standard error, which is the screen of a run. A process that has imported dask itself has made its choice."""
    theirs = "distributed" in sys.modules
    yield
    if theirs:
        return
    for name in ("distributed", "tornado", "tornado.application", "distributed.client", "distributed.gc"):
        logger = logging.getLogger(name)
        for handler in list(logger.handlers):
            logger.removeHandler(handler)
        logger.propagate = True


def _fail(each: PendingImport, error: ImporterError) -> None:
    def begin(spec: ImportSpec) -> NoReturn:
        raise error

    each.carry_out_elsewhere(begin)
