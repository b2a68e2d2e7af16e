"""Imports that are spread over a dask cluster: nothing is lost or doubled, whatever becomes of its processes."""

from __future__ import annotations

import importlib.metadata
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import dask
import msgspec
import pytest
from clusters import Cluster, FileDatabase, PostgresDatabase, running_cluster, wait_until
from runs import (
    LONG,
    RATE,
    AnyDatabase,
    BackgroundRun,
    outcomes,
    plans,
    prepared_sources,
    run_plan,
    wait_for_end,
    worker_of,
)
from tui_importer_dask import DaskOptions, tui_importer_executors
from tui_importer_dask.remote import Place

from tui_importer import AnyEvent, Plan, Run, SetReport, TableChange
from tui_importer.events import ImportFinished, Paused, RowRejected, WorkersChanged
from tui_importer.testing import Database, ModeOracle, Oracle, check_executor


def relative(given: Sequence[Plan]) -> list[Plan]:
    """The same plans with the names of files in the current folder."""
    return [
        msgspec.structs.replace(each, source=msgspec.structs.replace(each.source, file=Path(each.source.file).name))
        for each in given
    ]


def comparable(report: SetReport) -> list[dict[str, Any]]:
    """What is the same whoever has carried the imports out."""
    found = []
    for each in report.imports:
        fields: dict[str, Any] = msgspec.to_builtins(each)
        for name in ("run_id", "started_at", "finished_at", "plugin_options", "stages", "peak_memory"):
            fields.pop(name)
        for name in ("duration", "duration_seconds", "records_per_second"):
            fields["stats"].pop(name)
        fields["rejects_file"] = Path(fields["rejects_file"]).name
        found.append(fields)
    return found


def test_a_whole_set_is_in_and_its_report_is_that_of_one_machine(
    tmp_path: Path, database: AnyDatabase, shared: Cluster
) -> None:
    sources = prepared_sources(tmp_path, database, 200, 300, 60, 100)
    events: list[AnyEvent] = []
    report = run_plan(relative(plans(sources, database, shared)), lambda run, event: events.append(event))
    assert [each.run_id for each in report.imports] == [f"{report.run_id}.{number}" for number in (1, 2, 3, 4)]
    for source, each in zip(sources, report.imports, strict=True):
        source.check(database, each)
    assert {worker_of(shared, events, source).address for source in (1, 2)} == {each.address for each in shared.workers}
    assert sum(isinstance(each, RowRejected) for each in events) == report.stats.error_count
    assert outcomes(run_plan(plans(sources, database, shared))) == ["already_imported"] * 4

    for path in tmp_path.glob("*.rejects.xlsx"):
        path.unlink()
    database.empty()
    for each in sources:
        each.prepare(database)
    assert comparable(run_plan(relative(plans(sources, database, None)))) == comparable(report)


def test_it_keeps_the_contract_of_executors(tmp_path: Path, shared: Cluster) -> None:
    [spec] = tui_importer_executors()
    with dask.config.set({"scheduler-address": shared.address}):
        check_executor(spec, tmp_path)


def test_a_killed_dask_worker_fails_its_import_alone_and_the_same_command_continues(
    tmp_path: Path, database: AnyDatabase, cluster: Cluster
) -> None:
    sources = prepared_sources(tmp_path, database, LONG, 100, 60, 60)
    begun = BackgroundRun([*plans(sources[:1], database, cluster, RATE), *plans(sources[1:], database, cluster)])
    begun.wait(1)
    worker = worker_of(cluster, begun.events, 1)
    processes = worker.imports()
    assert processes
    worker.process.kill()
    report = begun.report()
    assert outcomes(report) == ["failed", *["complete_with_rejects"] * 3]
    assert report.imports[0].error == (
        f"dask worker {worker.address} was lost: the same command continues where it was"
    )
    assert 0 < report.imports[0].stats.total_records < LONG
    wait_for_end(processes)
    again = run_plan(plans(sources, database, cluster))
    assert outcomes(again) == ["complete_with_rejects", *["already_imported"] * 3]
    assert again.imports[0].resumes == report.imports[0].run_id
    for each in sources:
        each.check(database)


def test_a_dask_worker_that_its_nanny_has_started_again_takes_the_next_import(tmp_path: Path) -> None:
    database = FileDatabase(tmp_path / "target.db")
    sources = prepared_sources(tmp_path, database, LONG, 60)
    with running_cluster(tmp_path / "cluster", 1, nanny=True) as cluster:
        begun = BackgroundRun(plans(sources, database, cluster, RATE))
        begun.wait(1)
        [worker] = cluster.workers
        assert worker.itself is not None
        processes = worker.imports()
        worker.itself.kill()
        report = begun.report()
        assert outcomes(report) == ["failed", "complete_with_rejects"]
        wait_for_end(processes)
        run_plan(plans(sources, database, cluster))
    for each in sources:
        each.check(database)


def test_a_dask_worker_that_dies_before_it_has_begun_leaves_its_import_to_another(
    tmp_path: Path, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = FileDatabase(tmp_path / "target.db")
    sources = prepared_sources(tmp_path, database, 60, 60, 60)
    open_ = Place.open
    killed: list[str] = []

    def opening(place: Place) -> None:
        if not killed:
            killed.append(place.worker)
            cluster.at(place.worker).process.kill()
        open_(place)

    monkeypatch.setattr(Place, "open", opening)
    report = run_plan(plans(sources, database, cluster))
    assert len(killed) == 1
    for source, each in zip(sources, report.imports, strict=True):
        source.check(database, each)


def test_a_lost_scheduler_fails_every_import_and_leaves_none_alive(
    tmp_path: Path, postgres: PostgresDatabase, cluster: Cluster
) -> None:
    sources = prepared_sources(tmp_path, postgres, LONG, LONG, 60)
    begun = BackgroundRun(plans(sources, postgres, cluster, RATE, timeout=20.0))
    begun.wait(1, 2)
    processes = cluster.imports()
    assert len(processes) == 2
    cluster.scheduler.kill()
    report = begun.report()
    assert outcomes(report) == ["failed"] * 3
    assert {each.error for each in report.imports[:2]} == {
        "the connection to the dask scheduler was lost: the same command continues where it was"
    }
    assert report.imports[2].error == "the dask scheduler is gone: the same command continues where it was"
    wait_for_end(processes)
    run_plan(plans(sources, postgres, None))
    for each in sources:
        each.check(postgres)


@pytest.mark.parametrize("stopped", [False, True], ids=["after a time", "sooner once the run is stopped"])
def test_a_dask_worker_that_says_nothing_is_given_up_and_gives_its_import_up(
    tmp_path: Path, cluster: Cluster, stopped: bool
) -> None:
    """As when the network is cut: neither end hears of the other, and both live."""
    database = FileDatabase(tmp_path / "target.db")
    sources = prepared_sources(tmp_path, database, LONG)
    sources += [Oracle(tmp_path, rows=60, table="other")]
    sources[1].prepare(database)
    timeout = 600.0 if stopped else 15.0
    begun = BackgroundRun(
        [*plans(sources[:1], database, cluster, RATE, timeout=timeout), *plans(sources[1:], database, cluster)]
    )
    begun.wait(1)
    worker = worker_of(cluster, begun.events, 1)
    processes = worker.imports()
    worker.process.suspend()
    if stopped:
        wait_until(lambda: any(isinstance(each, ImportFinished) and each.source == 2 for each in list(begun.events)))
        begun.run.stop("enough")
    report = begun.report()
    assert outcomes(report) == ["failed", "complete_with_rejects"]
    assert re.fullmatch(
        rf"dask worker {worker.address} has not answered for \d+ s: the same command continues where it was",
        report.imports[0].error or "",
    )
    worker.process.resume()
    wait_until(lambda: all(not each.is_running() for each in processes))
    run_plan(plans(sources, database, cluster))
    for each in sources:
        each.check(database)


@pytest.mark.parametrize(("database", "abort"), [("sqlite", False), ("postgresql", True)], indirect=["database"])
def test_a_stop_reaches_every_import(tmp_path: Path, database: AnyDatabase, shared: Cluster, abort: bool) -> None:
    sources = prepared_sources(tmp_path, database, LONG, LONG, 60)
    begun = BackgroundRun(plans(sources, database, shared, RATE))
    begun.wait(1, 2)
    (begun.run.abort if abort else begun.run.stop)("enough")
    report = begun.report()
    assert outcomes(report) == ["stopped"] * 3
    assert {each.error for each in report.imports} == {"enough"}
    wait_until(lambda: not shared.imports())
    run_plan(plans(sources, database, shared))
    for each in sources:
        each.check(database)


def test_pauses_and_numbers_of_workers_reach_every_import(
    tmp_path: Path, postgres: PostgresDatabase, shared: Cluster
) -> None:
    sources = prepared_sources(tmp_path, postgres, LONG, LONG)
    begun = BackgroundRun(plans(sources, postgres, shared, RATE))
    begun.wait(1, 2)
    run = begun.run
    wait_until(lambda: {each.source for each in run.snapshot().workers} == {1, 2})
    run.change_workers(3)
    wait_until(lambda: {each.source for each in begun.events if isinstance(each, WorkersChanged)} == {1, 2})
    run.pause()
    assert any(isinstance(each, Paused) for each in begun.events)

    def rows() -> int:
        return sum(postgres.fetch(f"SELECT count(*) FROM {each.table}")[0][0] for each in sources)

    def rests() -> bool:
        """Whether no row goes in for a second, in which six batches would."""
        before = rows()
        time.sleep(1)
        return rows() == before

    wait_until(rests)
    before = rows()
    assert before < sum(each.rows for each in sources)
    run.unpause()
    wait_until(lambda: rows() > before)
    run.stop("enough")
    assert outcomes(begun.report()) == ["stopped"] * 2
    run_plan(plans(sources, postgres, shared))
    for each in sources:
        each.check(postgres)


def test_the_run_is_asked_before_rows_are_changed(tmp_path: Path, shared: Cluster) -> None:
    """However long it takes to answer: the dask worker hears of the run meanwhile."""
    timeout = 5.0
    database = FileDatabase(tmp_path / "target.db")
    sources = [ModeOracle(tmp_path, mode) for mode in ("truncate", "upsert")]
    for each in sources:
        each.prepare(database)
    options = {"dask": {"scheduler": shared.address, "timeout": timeout}}
    given = [each.plan(database.url, executor="dask", plugin_options=options, batch_size=9) for each in sources]
    asked: list[str] = []

    def approve(change: TableChange) -> bool:
        time.sleep(0 if asked else timeout + 1)
        asked.append(change.table)
        return change.table == sources[0].table

    report = Run(given, approve=approve).execute()
    assert isinstance(report, SetReport)
    assert outcomes(report) == ["complete_with_rejects", "stopped"], [each.error for each in report.imports]
    assert sorted(asked) == [each.table for each in sources]
    assert report.imports[1].error == "not confirmed: nothing was changed"
    sources[0].check(database, report.imports[0])
    assert report.imports[1].stats.updated == 0
    run_plan(given)
    sources[1].check(database)


def in_own_folder(source: Oracle, database: Database, cluster: Cluster) -> list[Plan]:
    """The plan of a source whose path means another file in each process, as it does on each machine: that of the same
    name in its current folder."""
    return [
        msgspec.structs.replace(
            each, source=msgspec.structs.replace(each.source, file=f"/proc/self/cwd/{source.file.name}")
        )
        for each in plans([source], database, cluster)
    ]


@pytest.mark.parametrize(
    ("there", "said"), [(None, "no such file"), (b"n\n1\n", "is another file")], ids=["none", "another"]
)
def test_a_file_that_a_dask_worker_does_not_see_fails_its_import_before_the_database_is_touched(
    tmp_path: Path, shared: Cluster, there: bytes | None, said: str
) -> None:
    database = FileDatabase(tmp_path / "target.db")
    unseen, seen = prepared_sources(tmp_path, database, 60, 60)
    database.execute("DROP TABLE oracle_0")
    copy = shared.folder / unseen.file.name
    if there is not None:
        copy.write_bytes(there)
    try:
        report = run_plan([*in_own_folder(unseen, database, shared), *plans([seen], database, shared)])
    finally:
        copy.unlink(missing_ok=True)
    assert outcomes(report) == ["failed", "complete_with_rejects"]
    error = report.imports[0].error or ""
    assert error.startswith(f"/proc/self/cwd/{unseen.file.name}: ")
    assert said in error
    assert any(f"on dask worker {each.address}" in error for each in shared.workers)
    assert report.imports[0].exit_code == 2
    assert database.fetch("SELECT count(*) FROM tui_importer_run") == [(1,)]


def program(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "tui_importer", *arguments]


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_a_killed_run_leaves_no_import_alive_and_the_same_command_continues(
    tmp_path: Path, database: AnyDatabase, shared: Cluster
) -> None:
    sources = prepared_sources(tmp_path, database, LONG, LONG)
    files = [each.file.name for each in sources]
    options = ("--db", database.url, "--table", "{file}", "--executor", "dask", "--no-ui", "--batch-size", "20")
    command = program(*files, *options, "-o", f"dask.scheduler={shared.address}")
    process = subprocess.Popen([*command, "--max-rate", str(RATE)], stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: all(database.fetch(f"SELECT count(*) FROM {each.table}")[0][0] for each in sources))
        processes = shared.imports()
        assert len(processes) == 2
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    wait_for_end(processes)
    assert subprocess.run(command, capture_output=True, check=False).returncode == 3
    for each in sources:
        each.check(database)


def test_what_is_said_is_shown_to_whoever_attaches(tmp_path: Path, shared: Cluster) -> None:
    database = FileDatabase(tmp_path / "target.db")
    sources = prepared_sources(tmp_path, database, 60, 60)
    files = [each.file.name for each in sources]
    options = ("--db", database.url, "--table", "{file}", "--executor", "dask", "--no-ui")
    ended = subprocess.run(
        program(*files, *options, "-o", f"dask.scheduler={shared.address}"), capture_output=True, text=True, check=False
    )
    assert ended.returncode == 3
    assert "distributed" not in ended.stderr
    shown = subprocess.run(program("replay", "--speed", "1000", "--no-ui"), capture_output=True, text=True, check=False)
    for output in (ended.stderr, shown.stderr + shown.stdout):
        for source in (1, 2):
            assert f"source {source}: note: carried out by dask worker tcp://127.0.0.1:" in output


def lines(report: SetReport) -> set[str | None]:
    return {each.error for each in report.imports}


def test_a_cluster_that_is_not_there_fails_every_import_with_a_line(tmp_path: Path) -> None:
    database = FileDatabase(tmp_path / "target.db")
    sources = prepared_sources(tmp_path, database, 60, 60)
    given = [
        msgspec.structs.replace(
            each, options=msgspec.structs.replace(each.options, executor="dask", plugin_options=options)
        )
        for options in [{"dask": {"scheduler": "tcp://127.0.0.1:1", "timeout": 1.0}}]
        for each in plans(sources, database, None)
    ]
    report = run_plan(given)
    assert outcomes(report) == ["failed"] * 2
    [error] = lines(report)
    assert (error or "").startswith("dask scheduler tcp://127.0.0.1:1 cannot be reached: ")
    assert "\n" not in (error or "")


def test_which_cluster_is_asked(tmp_path: Path) -> None:
    database = FileDatabase(tmp_path / "target.db")
    sources = prepared_sources(tmp_path, database, 60, 60)
    given = [
        msgspec.structs.replace(each, options=msgspec.structs.replace(each.options, executor="dask"))
        for each in plans(sources, database, None)
    ]
    assert lines(run_plan(given)) == {"which dask cluster? -o dask.scheduler=tcp://HOST:8786"}


def certificate(folder: Path) -> dict[str, Path]:
    """A certificate that signs itself, for all ends of a cluster."""
    files = {"cert": folder / "cert.pem", "key": folder / "key.pem"}
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=cluster"),
            *("-out", files["cert"], "-keyout", files["key"]),
        ],
        check=True,
        capture_output=True,
    )
    return {**files, "ca": files["cert"]}


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate")
def test_a_cluster_that_uses_tls(tmp_path: Path) -> None:
    database = FileDatabase(tmp_path / "target.db")
    sources = prepared_sources(tmp_path, database, 60, 60)
    files = certificate(tmp_path)
    options = {f"tls-{name}": str(path) for name, path in files.items()}
    environment = {"DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION": "true"}
    environment["DASK_DISTRIBUTED__COMM__TLS__CA_FILE"] = str(files["ca"])
    for end in ("SCHEDULER", "WORKER"):
        environment[f"DASK_DISTRIBUTED__COMM__TLS__{end}__CERT"] = str(files["cert"])
        environment[f"DASK_DISTRIBUTED__COMM__TLS__{end}__KEY"] = str(files["key"])
    with running_cluster(tmp_path / "cluster", 1, tls=files, **environment) as cluster:
        assert cluster.address.startswith("tls://")
        ways = [plans(sources[place:][:1], database, cluster, direct=bool(place), **options) for place in (0, 1)]
        for source, [plan] in zip(sources, ways, strict=True):
            rejects = tmp_path / f"{source.table}-rejects.xlsx"
            report = Run(plan, rejects_file=rejects).execute()  # of one import, whose rejects may be given a place
            source.check(database, report)
            assert report.rejects_file == str(rejects)
            assert rejects.exists()
        refused = run_plan(plans(sources, database, cluster, timeout=5.0))
    [error] = lines(refused)
    assert (error or "").startswith(f"dask scheduler {cluster.address} cannot be reached: ")
    assert "\n" not in (error or "")


WITHOUT = """
import importlib.metadata
found = importlib.metadata.version
def version(name):
    if name == "tui-importer-dask":
        raise importlib.metadata.PackageNotFoundError(name)
    return found(name)
importlib.metadata.version = version
"""


def test_dask_workers_that_cannot_carry_out_imports_are_named_and_stay_alive(tmp_path: Path) -> None:
    database = FileDatabase(tmp_path / "target.db")
    sources = prepared_sources(tmp_path, database, 60, 60)
    without, other = tmp_path / "without", tmp_path / "other"
    info = other / "tui_importer_dask-99.dist-info"
    for folder in (without, info):
        folder.mkdir(parents=True)
    (without / "sitecustomize.py").write_text(WITHOUT)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tui-importer-dask\nVersion: 99\n")
    with running_cluster(tmp_path / "cluster", 0) as cluster:
        assert lines(run_plan(plans(sources, database, cluster, timeout=5.0))) == {"the dask cluster has no worker"}
        workers = [cluster.start_worker(PYTHONPATH=str(folder)) for folder in (without, other)]
        cluster.wait_for_workers()
        found = lines(run_plan(plans(sources, database, cluster)))
        assert [each.process.poll() for each in workers] == [None, None]
    install = "install the same where the dask scheduler and its workers run"
    here = importlib.metadata.version("tui-importer-dask")
    assert found == {
        f"dask worker {workers[0].address} has no tui-importer-dask: {install}",
        f"dask worker {workers[1].address} has tui-importer-dask 99, and the run has {here}: {install}",
    }
    assert database.fetch("SELECT count(*) FROM oracle_0") == [(0,)]


def test_the_readme_has_every_option() -> None:
    readme = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
    for name in DaskOptions.__struct_fields__:
        assert f"dask.{name.replace('_', '-')}" in readme
