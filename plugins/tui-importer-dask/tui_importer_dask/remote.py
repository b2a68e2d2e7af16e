"""The end of the run: a place on a dask worker, and an import that is carried out there."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import msgspec

from tui_importer import (
    AnyEvent,
    ExitCode,
    ImporterError,
    ImportSpec,
    Noticed,
    PlanError,
    Report,
    Snapshot,
    SourceError,
    TableChange,
    UsageError,
)
from tui_importer_dask.actor import ADDRESS_VARIABLES, POLL_SECONDS, Failed, HiddenSpec, ImportActor, RunOrders
from tui_importer_dask.machine import Sight, database_folder, is_on_this_machine, is_relative_file, look

#: How often it is looked whether a dask worker that does not answer is there, in seconds.
_LOOK_SECONDS = 0.5
#: How long the answer to a change of the number of workers is waited for, in seconds.
_ANSWER_SECONDS = 10.0
#: How long the answer to a question is waited for once the run is being stopped, in seconds: a run that is stopped ends
#: within ten, also without a network.
_STOP_SECONDS = 5.0
#: The import's actor goes before other tasks of the cluster: somebody waits for it.
_PRIORITY = 100
#: What has to be the same here and there.
_DISTRIBUTIONS = ("tui-importer-dask", "tui-importer")
_INSTALL = "install the same where the dask scheduler and its workers run"
_RESUMABLE = "the same command continues where it was"


class LostError(ImporterError):
    """A dask worker, or the way to it, is gone."""


class UnbegunError(LostError):
    """A dask worker is gone, before the import was begun on it: another one may take it."""


class Place:
    """A place on a dask worker for one import at a time. Used by one thread."""

    def __init__(self, client: Any, worker: str, timeout: float) -> None:
        self.worker = worker
        self.timeout = timeout
        self._client = client
        self._future: Any = None
        self._actor: Any = None
        self._silent = False

    @property
    def lost(self) -> bool:
        """Whether it cannot be used any more: it did not answer, or the dask worker or the scheduler has gone."""
        return self._silent or self._gone

    @property
    def _gone(self) -> bool:
        return self._future is not None and (self._future.status != "finished" or self._client.status != "running")

    def open(self) -> None:
        """Have dask create the actor, unless it is there. Raises :class:`~tui_importer.ImporterError`."""
        if self._future is not None:
            return
        try:
            # First, since a class that it does not have ends a dask worker, of which others may make use.
            self._compare_versions()
            future = self._submit(ImportActor, actor=True, key=f"tui-importer-{uuid.uuid4().hex}")
            self._actor = self._result(future)
        except ImporterError:
            raise
        except TimeoutError as error:
            self._silent = True
            raise LostError(f"{self} has not begun the import within {self.timeout:g} s") from error
        except Exception as error:
            if self._client.status != "running":
                raise self._loss() from None
            self._check_presence()
            raise LostError(f"{self} cannot carry out an import: {innermost(error)}") from error
        self._future = future

    def _compare_versions(self) -> None:
        for name in _DISTRIBUTIONS:
            here = version(name)
            try:
                there = self._result(self._submit(version, name))
            except PackageNotFoundError as error:
                raise UsageError(f"{self} has no {name}: {_INSTALL}") from error
            if there != here:
                raise UsageError(f"{self} has {name} {there}, and the run has {here}: {_INSTALL}")

    def _result(self, future: Any) -> Any:
        """The result of what was submitted.

        Raises :class:`UnbegunError` once the dask worker is gone. dask says nothing of that: it waits for one at the
        same address.
        """
        ends = time.monotonic() + self.timeout
        while True:
            try:
                return future.result(timeout=_LOOK_SECONDS)
            except TimeoutError:
                if time.monotonic() > ends:
                    raise
                self._check_presence()

    def _check_presence(self) -> None:
        if self.worker not in known_workers(self._client, self.timeout):
            self._silent = True
            raise UnbegunError(f"{self} was lost: {_RESUMABLE}")

    def _submit(self, function: Any, *arguments: object, **options: object) -> Any:
        """Have dask call something on this very dask worker, and never again."""
        return self._client.submit(
            function,
            *arguments,
            workers=[self.worker],
            allow_other_workers=False,
            retries=0,
            pure=False,
            priority=_PRIORITY,
            **options,
        )

    def ask(self, method: str, *arguments: object, within: Callable[[], float] | None = None) -> Any:
        """Call a method of the actor, again if the answer is lost.

        Raises :class:`LostError` if there is none ``within`` so many seconds, which may change meanwhile, and the
        :class:`~tui_importer.ImporterError` that the method raises.
        """
        asked = time.monotonic()
        while True:
            answer = self.send(method, *arguments)
            while True:
                try:
                    return answer.result(timeout=_LOOK_SECONDS)
                except ImporterError as error:
                    raise ImporterError(f"{self}: {error}") from error
                except OSError:  # TimeoutError, too: here or there
                    waited = time.monotonic() - asked
                    if self._gone or waited > (self.timeout if within is None else within()):
                        raise self._loss(waited) from None
                    if answer.done():
                        break
                except RuntimeError:  # dask says so of an actor that is lost
                    raise self._loss() from None
                except Exception as error:
                    raise ImporterError(f"{self}: {type(error).__name__}: {innermost(error)}") from error
            time.sleep(_LOOK_SECONDS)

    def send(self, method: str, *arguments: object) -> Any:
        """Call a method of the actor; returns what its answer can be waited for with. Raises :class:`LostError`."""
        try:
            with self._client.as_current():  # the actor looks for it when it is first used
                return getattr(self._actor, method)(*arguments)
        except RuntimeError:
            raise self._loss() from None

    def close(self) -> None:
        """Have dask forget the actor, which ends its process."""
        if self._future is not None:
            self._future.release()

    def __str__(self) -> str:
        return f"dask worker {self.worker}"

    def _loss(self, waited: float | None = None) -> LostError:
        self._silent = True
        if self._client.status != "running":
            return LostError(f"the connection to the dask scheduler was lost: {_RESUMABLE}")
        if self._gone:
            return LostError(f"{self} was lost: {_RESUMABLE}")
        seconds = "" if waited is None else f" for {waited:.0f} s"
        return LostError(f"{self} has not answered{seconds}: {_RESUMABLE}")


class RemoteImport:
    """Implements :class:`tui_importer.ImportElsewhere`."""

    def __init__(self, spec: ImportSpec, place: Place, *, send_password: bool) -> None:
        """Begin the import at the place, once that has seen what it needs. Raises
        :class:`~tui_importer.ImporterError`; then nothing has been read or written."""
        self._place = place
        self._source = spec.source
        self._name = uuid.uuid4().hex
        self._orders = RunOrders()
        self._orders_lock = threading.Lock()
        portable = spec.portable()
        address = portable.plan.target.database or ""
        if is_relative_file(address):
            raise PlanError("a dask worker needs the absolute path of the database")
        folder = database_folder(address)
        place.open()
        _compare(place, look(portable, folder), portable)
        self._without_password = not send_password and spec.plan.target.database != address and folder is None
        sent = _complete(portable, spec) if send_password else portable
        place.ask("begin", self._name, HiddenSpec(sent), place.timeout)

    def told(self) -> Iterator[AnyEvent | Snapshot | Report | TableChange]:
        yield Noticed(source=self._source, message=f"carried out by {self._place}")
        received = 0
        while True:
            before, told = self._place.ask("exchange", self._name, received, self._orders, within=self._patience)
            for each in told[received - before :]:
                received += 1
                if isinstance(each, Failed):
                    raise _error(f"{self._place}: {each.error}", each.exit_code)
                if isinstance(each, Report):
                    yield self._with_hint(each)
                    return
                yield each

    def stop(self, reason: str, exit_code: ExitCode, *, aborting: bool) -> None:
        with self._orders_lock:
            self._orders = self._orders.with_stop(reason, int(exit_code), aborting=aborting)
            self._hurry()

    def answer(self, *, approved: bool) -> None:
        with self._orders_lock:
            self._orders = self._orders.with_answer(approved=approved)
            self._hurry()

    def pause(self, *, paused: bool) -> None:
        with self._orders_lock:
            self._orders = self._orders.with_pause(paused=paused)
            self._hurry()

    def change_workers(self, workers: int) -> None:
        try:
            refused = self._place.ask("change_workers", self._name, workers, within=lambda: _ANSWER_SECONDS)
        except ImporterError as error:
            raise UsageError(str(error)) from error
        if refused is not None:
            raise UsageError(refused)

    def _patience(self) -> float:
        """How long a question may go unanswered, in seconds. It is kept waiting while there is nothing to tell."""
        timeout = self._place.timeout
        return POLL_SECONDS + (timeout if self._orders.stop is None else min(timeout, _STOP_SECONDS))

    def _hurry(self) -> None:
        """Send the orders at once; if they are lost, the next question repeats them."""
        try:
            self._place.send("obey", self._name, self._orders)
        except LostError:
            return  # which is noticed where the import is listened to

    def _with_hint(self, report: Report) -> Report:
        """The report; if the login failed, with what the reason may be."""
        if report.exit_code != ExitCode.UNREACHABLE or not self._without_password:
            return report
        hint = (
            f"{self._place} was not sent the password (-o dask.send-password=yes), and takes it from .pgpass, "
            f"PGPASSWORD or {ADDRESS_VARIABLES[0]} where it runs"
        )
        return msgspec.structs.replace(report, error=f"{report.error}; {hint}")


def known_workers(client: Any, timeout: float) -> dict[str, dict[str, Any]]:
    """The dask workers of the cluster by their addresses, with what the scheduler says of each. Raises
    :class:`LostError`."""
    try:
        # As Client.scheduler_info, which may wait forever.
        workers: dict[str, dict[str, Any]] = client.sync(
            client.scheduler.identity, n_workers=-1, callback_timeout=timeout
        )["workers"]
    except Exception as error:  # whatever a client says that is not connected any more
        raise LostError(f"the dask scheduler is gone: {_RESUMABLE}") from error
    return workers


def _compare(place: Place, here: Sight, spec: ImportSpec) -> None:
    """Check that the import means the same at the place. Raises :class:`~tui_importer.UsageError`."""
    file, address = spec.plan.source.file, spec.plan.target.database or ""
    there: Sight = place.ask("look", HiddenSpec(spec), database_folder(address))
    if there.error is not None:
        raise SourceError(f"{file}: {there.error} on {place}")
    if there.size != here.size:
        raise SourceError(f"{file}: is another file on {place}, of {there.size} bytes instead of {here.size}")
    if is_on_this_machine(address) and (there.machine, there.folder) != (here.machine, here.folder):
        raise PlanError(f"{address}: means another database on {place}, which is on another machine")


def _complete(portable: ImportSpec, spec: ImportSpec) -> ImportSpec:
    """The portable import, with the address as it was given if that may have a password."""
    given, target = spec.plan.target.database, portable.plan.target
    if given is None or database_folder(target.database or "") is not None:
        return portable
    return msgspec.structs.replace(
        portable, plan=msgspec.structs.replace(portable.plan, target=msgspec.structs.replace(target, database=given))
    )


def _error(message: str, exit_code: int) -> ImporterError:
    error = ImporterError(message)
    error.exit_code = ExitCode(exit_code)
    return error


def innermost(error: BaseException) -> str:
    """What an error of dask comes from, in the words of the innermost error that has any."""
    reason = " ".join(str(error).split()) or type(error).__name__
    while error.__cause__ is not None:
        error = error.__cause__
        reason = getattr(error, "strerror", None) or " ".join(str(error).split()) or reason
    return reason
