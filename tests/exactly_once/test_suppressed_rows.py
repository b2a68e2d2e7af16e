"""Rows that the database takes without an error and does not put into the table: they are never said to be in."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Database
from tests.exactly_once.conftest import Importer
from tests.support.pairs import in_pairs
from tui_importer import Report
from tui_importer.core.model.report import from_json, to_json
from tui_importer.events import Noticed, RunFinished
from tui_importer.server.answers import message_of
from tui_importer.server.uploads import Upload
from tui_importer.text.summary import summary_lines

STRATEGIES = ("sequential", "threaded", "batched", "async")
ROW_BY_ROW = ("sequential", "threaded")
#: A table whose trigger keeps rows out that say "skip", without an error.
SKIPPING = {
    "postgresql": """
        CREATE TABLE t (n integer UNIQUE, note text);
        CREATE FUNCTION skip() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN IF NEW.note = 'skip' THEN RETURN NULL; END IF; RETURN NEW; END $$;
        CREATE TRIGGER skips BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION skip();
    """,
    "sqlite": """
        CREATE TABLE t (n integer UNIQUE, note text);
        CREATE TRIGGER skips BEFORE INSERT ON t WHEN NEW.note = 'skip' BEGIN SELECT raise(IGNORE); END;
    """,
}
SKIPPING["generic"] = SKIPPING["sqlite"]
ROWS = [(1, "a"), (2, "skip"), (3, "b"), (4, "skip"), (5, "c")]


def counts(report: Report) -> tuple[int, int, int, int]:
    stats = report.stats
    return stats.inserted, stats.skipped, stats.suppressed, stats.error_count


def notices(importer: Importer) -> list[str]:
    return [event.message for event in importer.heard(Noticed) if "without an error" in event.message]


def final_messages(report: Report) -> str:
    """Whatever is said of the run's end, by the program and by the server."""
    upload = Upload(id="u", name="n", suffix=".csv", size=1, sha256="0", created_at="", outcome=report.outcome)
    upload.stats, upload.rejects_total = report.stats, report.rejects_total
    return "\n".join([*summary_lines(report), message_of(upload)])


@in_pairs
@pytest.mark.parametrize("atomic", [False, True])
def test_rows_suppressed_by_a_trigger_are_counted_and_reported(
    database: Database, importer: Importer, strategy: str, atomic: bool
) -> None:
    database.execute(SKIPPING[database.kind])
    importer.write(ROWS)
    report = importer.run(database.url, strategy=strategy, atomic=atomic)
    assert (report.error, report.outcome, report.exit_code) == (None, "complete_with_suppressed", 3)
    assert counts(report) == (3, 2, 2, 0)
    assert sorted(database.fetch("SELECT n FROM t")) == [(1,), (3,), (5,)]
    words = final_messages(report)
    assert "every row is in" not in words.replace("not every row is in", "")
    assert "2 rows taken without an error, but not reported as inserted" in words
    [notice] = notices(importer)
    if atomic:  # they were kept out when those of the stage went over, all at once
        assert notice.endswith("or put them elsewhere")
    else:
        assert notice.endswith("(rows 3, 5)" if strategy in ROW_BY_ROW else "(among rows 2 to 6)")
    [finished] = importer.heard(RunFinished)
    assert (finished.inserted, finished.skipped, finished.exit_code) == (3, 2, 3)
    assert from_json(to_json(report)) == report
    # The ledger says the same, and the import is done: it is not begun again.
    assert database.fetch("SELECT inserted, skipped, state FROM tui_importer_run") == [(3, 2, "complete")]
    assert database.fetch("SELECT sum(inserted), sum(skipped) FROM tui_importer_batch") == [(3, 2)]
    assert importer.run(database.url, strategy=strategy, atomic=atomic).outcome == "already_imported"


def test_run_with_only_suppressed_rows_reports_none_as_imported(database: Database, importer: Importer) -> None:
    database.execute(SKIPPING[database.kind])
    importer.write([(1, "skip"), (2, "skip")])
    report = importer.run(database.url)
    assert (report.exit_code, counts(report)) == (3, (0, 2, 2, 0))
    assert "no row is in" in final_messages(report)
    assert "was in already" not in final_messages(report)


@pytest.mark.once
def test_rejected_and_suppressed_rows_are_counted_separately(
    database: Database, importer: Importer, tmp_path: Path
) -> None:
    database.execute(SKIPPING[database.kind])
    importer.write([*ROWS, (1, "again")])
    report = importer.run(database.url)
    assert (report.outcome, counts(report)) == ("complete_with_rejects", (3, 2, 2, 1))
    line = "finished: 1 row rejected, 2 rows taken without an error, but not reported as inserted"
    assert summary_lines(report)[1].startswith(line)
    assert "2 rows taken without an error" in final_messages(report).splitlines()[-1]


@pytest.mark.once
def test_resumed_run_includes_rows_suppressed_earlier(database: Database, importer: Importer) -> None:
    database.execute(SKIPPING[database.kind])
    importer.write([*((n, "skip" if n == 0 else "x") for n in range(6))])

    def stop(run: object, event: object) -> None:
        if type(event).__name__ == "BatchCommitted":
            run.stop("enough")  # type: ignore[attr-defined]

    first = importer.run(database.url, batch_size=2, strategy="batched", workers=1, on_event=stop)
    assert first.outcome == "stopped"
    assert first.stats.suppressed == 1
    report = importer.run(database.url, batch_size=2, strategy="batched")
    assert (report.outcome, report.exit_code, report.stats.suppressed) == ("complete_with_suppressed", 3, 1)
    assert sorted(database.fetch("SELECT n FROM t")) == [(1,), (2,), (3,), (4,), (5,)]
    assert len(notices(importer)) == 1


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_rows_suppressed_by_an_sqlite_conflict_clause_are_counted(
    sqlite: Database, importer: Importer, strategy: str
) -> None:
    sqlite.execute("CREATE TABLE t (n integer UNIQUE ON CONFLICT IGNORE, note text)")
    importer.write([(1, "a"), (1, "b"), (2, "c")])
    report = importer.run(sqlite.url, strategy=strategy)
    assert (report.exit_code, counts(report)) == (3, (2, 1, 1, 0))
    assert sqlite.fetch("SELECT n, note FROM t") == [(1, "a"), (2, "c")]


def test_rows_redirected_by_a_trigger_are_not_reported_as_lost(postgres: Database, importer: Importer) -> None:
    postgres.execute(
        """
        CREATE TABLE t (n integer, note text);
        CREATE TABLE t_low () INHERITS (t);
        CREATE FUNCTION route() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN INSERT INTO t_low VALUES (NEW.*); RETURN NULL; END $$;
        CREATE TRIGGER routes BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION route();
        """
    )
    importer.write(ROWS)
    report = importer.run(postgres.url)
    assert postgres.scalar("SELECT count(*) FROM t_low") == 5
    assert counts(report) == (0, 5, 5, 0)
    [notice] = notices(importer)
    assert "kept them out, or put them elsewhere" in notice


@pytest.mark.parametrize(("strategy", "inserted"), [("sequential", 0), ("threaded", 0)])
def test_rows_suppressed_by_a_do_instead_nothing_rule_are_counted(
    postgres: Database, importer: Importer, strategy: str, inserted: int
) -> None:
    postgres.execute("CREATE TABLE t (n integer, note text); CREATE RULE r AS ON INSERT TO t DO INSTEAD NOTHING")
    importer.write(ROWS)
    report = importer.run(postgres.url, strategy=strategy)
    assert (report.exit_code, report.stats.inserted, report.stats.suppressed) == (3, inserted, 5)


def test_table_without_triggers_gets_no_note(database: Database, importer: Importer) -> None:
    importer.write(ROWS)
    report = importer.run(database.url)
    assert (report.outcome, report.exit_code, report.stats.suppressed) == ("complete", 0, 0)
    assert notices(importer) == []
