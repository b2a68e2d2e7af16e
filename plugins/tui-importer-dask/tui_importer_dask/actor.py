"""The end on a dask worker: an actor that has imports carried out by a process beside the dask worker.

The process does the work, so a workbook that crashes its reader takes no dask worker along, and the GIL of the dask
worker is free. It ends when its standard input does, so it does not outlive a dask worker that is killed.

An actor is created by dask, but an import is begun by the run alone, once, by calling :meth:`ImportActor.begin`: should
dask create the actor again after a failure, nothing is carried out twice. The run then asks repeatedly what has
happened since (:meth:`ImportActor.exchange`). What is told is numbered and kept until the run says that it has it, and
the run's orders are a state that each question repeats, so a question or an answer that is lost costs nothing but time.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TypeAlias

import msgspec

from tui_importer import (
    AnyEvent,
    ExitCode,
    ImporterError,
    ImportProcess,
    ImportSpec,
    Report,
    Snapshot,
    TableChange,
    UsageError,
    portable_address,
)
from tui_importer_dask.machine import Sight, look

#: How long a question is kept waiting for something to tell, in seconds.
POLL_SECONDS = 2.0
#: How long an answer is held back once there is something to tell, in seconds, so that many events are one answer.
_GATHER_SECONDS = 0.1
#: How many events and counters one answer holds.
_MAX_ANSWER = 2_000
#: How many may wait for the run until the import is held.
_MAX_WAITING = 20_000

#: The environment variables of a dask worker that may hold the database's whole address.
ADDRESS_VARIABLES = ("TUI_IMPORTER_DB", "DATABASE_URL")


class HiddenSpec:
    """An import on its way to a dask worker. It is never shown, whatever logs or dashboards do with arguments."""

    def __init__(self, spec: ImportSpec) -> None:
        self.spec = spec

    def __repr__(self) -> str:
        return "<an import>"


@dataclass(frozen=True, slots=True)
class RunOrders:
    """The run's orders to an import. ``number`` grows with each change; ``stop`` is a reason, an exit code, and whether
    the import is aborted; ``approved`` is the answer to what the import has asked, None until there is one."""

    number: int = 0
    paused: bool = False
    stop: tuple[str, int, bool] | None = None
    approved: bool | None = None

    def with_stop(self, reason: str, exit_code: int, *, aborting: bool) -> RunOrders:
        """The same, to be stopped or aborted."""
        return replace(self, number=self.number + 1, stop=(reason, exit_code, aborting))

    def with_pause(self, *, paused: bool) -> RunOrders:
        """The same, paused or unpaused."""
        return replace(self, number=self.number + 1, paused=paused)

    def with_answer(self, *, approved: bool) -> RunOrders:
        """The same, with the answer to what the import has asked."""
        return replace(self, number=self.number + 1, approved=approved)


@dataclass(frozen=True, slots=True)
class Failed:
    """The import ended without a report, for this reason."""

    error: str
    exit_code: int


Told: TypeAlias = AnyEvent | Snapshot | Report | TableChange | Failed


class ImportActor:
    """Carries out imports on a dask worker, one after another. All methods are called through dask, in its event loop;
    each may be called again with the same arguments if its answer is lost."""

    def __init__(self) -> None:
        self._process: ImportProcess | None = None
        self._session: _Session | None = None
        self._beginning = asyncio.Lock()

    async def look(self, hidden: HiddenSpec, folder: str | None) -> Sight:
        """What is seen from here (:func:`tui_importer_dask.machine.look`)."""
        return await asyncio.to_thread(look, hidden.spec, folder)

    async def begin(self, name: str, hidden: HiddenSpec, timeout: float) -> None:
        """Begin an import, to which the run gives a ``name``; it is aborted once the run has not asked for ``timeout``
        seconds. Raises :class:`~tui_importer.ImporterError` if it cannot be begun."""
        async with self._beginning:
            if self._session is None or self._session.name != name:
                loop = asyncio.get_running_loop()
                self._session = await asyncio.to_thread(self._begun, name, hidden.spec, timeout, loop)

    async def exchange(self, name: str, received: int, orders: RunOrders) -> tuple[int, list[Told]]:
        """Tell what has happened after the first ``received`` things, at least one unless that takes too long.

        Returns the number of things that were told before these.
        """
        session = self._known(name)
        await asyncio.to_thread(session.obey, orders)
        return await session.since(received)

    async def obey(self, name: str, orders: RunOrders) -> None:
        """Carry the orders out at once."""
        await asyncio.to_thread(self._known(name).obey, orders)

    async def change_workers(self, name: str, workers: int) -> str | None:
        """Change the number of workers of the import; returns why that is not possible."""
        return await asyncio.to_thread(self._known(name).change_workers, workers)

    def __del__(self) -> None:
        # The run is gone, or has come to its end: dask has forgotten the actor.
        if self._session is not None:
            self._session.give_up("the run of this import is gone")

    def _known(self, name: str) -> _Session:
        session = self._session
        if session is None or session.name != name:
            raise ImporterError("it does not know this import: the dask worker was restarted")
        return session

    def _begun(self, name: str, spec: ImportSpec, timeout: float, loop: asyncio.AbstractEventLoop) -> _Session:
        if self._session is not None and not self._session.ended:
            self._session.give_up("its run has begun another import")
            self._process = None
        if self._process is None or not self._process.alive:
            self._process = ImportProcess()
        return _Session(name, self._process, _with_own_password(spec), timeout, loop)


class _Session:
    """One import: what it tells, until the run has it, and what the run wants of it."""

    def __init__(
        self, name: str, process: ImportProcess, spec: ImportSpec, timeout: float, loop: asyncio.AbstractEventLoop
    ) -> None:
        self.name = name
        self._process = process
        self._import = process.begin(spec, self._wait_until_taken)
        self._timeout = timeout
        self._loop = loop
        self._arrived = asyncio.Event()
        self._told: deque[Told] = deque()
        self._before = 0  # how many were told before the first of these
        self._ended = self._given_up = False
        self._asked = time.monotonic()
        self._orders = RunOrders()
        self._orders_lock = threading.Lock()
        self._changed = threading.Condition()
        # No dask worker waits for them when it ends: then the import's process ends by itself.
        threading.Thread(target=self._listen, name="import", daemon=True).start()
        threading.Thread(target=self._watch, name="import's run", daemon=True).start()

    @property
    def ended(self) -> bool:
        """Whether the import has ended."""
        return self._ended

    def obey(self, orders: RunOrders) -> None:
        """Carry the orders out, unless the run has given other orders since."""
        self._asked = time.monotonic()
        with self._orders_lock:
            if orders.number <= self._orders.number:
                return
            before, self._orders = self._orders, orders
            if orders.paused != before.paused:
                self._import.pause(paused=orders.paused)
            if orders.approved is not None and orders.approved != before.approved:
                self._import.answer(approved=orders.approved)
            if orders.stop is not None and orders.stop != before.stop:
                reason, exit_code, aborting = orders.stop
                self._import.stop(reason, ExitCode(exit_code), aborting=aborting)

    def change_workers(self, workers: int) -> str | None:
        """Change the number of workers; returns why that is not possible."""
        try:
            self._import.change_workers(workers)
        except UsageError as error:
            return str(error)
        return None

    async def since(self, received: int) -> tuple[int, list[Told]]:
        """What was told after the first ``received``, which the run has; waits for some."""
        with self._changed:
            while self._told and self._before < received:
                self._told.popleft()
                self._before += 1
            self._changed.notify_all()
        if not self._told:
            try:
                await asyncio.wait_for(self._arrived.wait(), POLL_SECONDS)
            except TimeoutError:
                return received, []
        ends = time.monotonic() + _GATHER_SECONDS
        while not self._ended and (left := ends - time.monotonic()) > 0:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._arrived.wait(), left)
        with self._changed:
            self._asked = time.monotonic()
            return self._before, [each for each, _ in zip(self._told, range(_MAX_ANSWER), strict=False)]

    def give_up(self, reason: str) -> None:
        """Abort the import, whose run is gone."""
        with self._changed:
            self._given_up = True
            ended = self._ended
            self._changed.notify_all()
        if ended:
            threading.Thread(target=self._process.close, name="import's end", daemon=True).start()
        else:
            self._import.stop(reason, ExitCode.FAILED, aborting=True)

    def _listen(self) -> None:
        try:
            for told in self._import.told():
                self._put(told)
        except ImporterError as error:
            self._put(Failed(str(error), int(error.exit_code)))
        finally:
            with self._changed:
                self._ended = True
                given_up = self._given_up
                self._changed.notify_all()
            self._wake()
            if given_up:
                self._process.close()

    def _put(self, told: Told) -> None:
        with self._changed:
            self._changed.wait_for(lambda: len(self._told) < _MAX_WAITING or self._given_up)
            if self._given_up:
                return
            self._told.append(told)
        self._wake()

    def _wait_until_taken(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: not self._told or self._given_up)

    def _wake(self) -> None:
        def wake() -> None:
            arrived, self._arrived = self._arrived, asyncio.Event()
            arrived.set()

        with suppress(RuntimeError):  # the dask worker is ending
            self._loop.call_soon_threadsafe(wake)

    def _watch(self) -> None:
        """Abort the import once nobody asks any more."""
        while True:
            left = self._asked + self._timeout - time.monotonic()
            with self._changed:
                if self._ended or self._given_up:
                    return
                if left > 0:
                    self._changed.wait(left)
                    continue
            self.give_up(f"its run has not been heard of for {self._timeout:g} s")
            return


def _with_own_password(spec: ImportSpec) -> ImportSpec:
    """The import with the address from the dask worker's environment, if that is the same database."""
    target = spec.plan.target
    for variable in ADDRESS_VARIABLES:
        own = os.environ.get(variable, "")
        try:
            if own and portable_address(own) == target.database:
                target = msgspec.structs.replace(target, database=own)
                return msgspec.structs.replace(spec, plan=msgspec.structs.replace(spec.plan, target=target))
        except UsageError:
            continue  # no address
    return spec
