"""A COMMIT whose answer never comes: the ledger is asked, nothing is guessed."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest
from psycopg.conninfo import conninfo_to_dict

from tests.exactly_once.conftest import Importer
from tests.exactly_once.proxy import Cut, Proxy
from tui_importer.events import LoadingStarted, Retrying

if TYPE_CHECKING:
    from tests.conftest import Database

pytestmark = pytest.mark.once


@pytest.mark.parametrize("cut", list(Cut), ids=lambda cut: cut.name.lower())
@pytest.mark.parametrize("strategy", ["sequential", "threaded", "batched", "async"])
def test_lost_commit_acknowledgement_leaves_every_row_once(
    postgres: Database, importer: Importer, strategy: str, cut: Cut
) -> None:
    importer.write([(f"x{n}" if n % 40 == 9 else n, "") for n in range(200)])
    database = conninfo_to_dict(postgres.url)["dbname"]
    with Proxy(postgres.url, cut, set(range(8, 200, 5))) as proxy:
        url = f"postgresql://postgres@127.0.0.1:{proxy.port}/{database}?sslmode=disable&gssencmode=disable"
        report = importer.run(url, strategy=strategy, workers=2, batch_size=20, types={"n": "integer"})
        assert (report.outcome, report.stats.error_count, report.stats.inserted) == ("complete_with_rejects", 5, 195)
        assert proxy.cuts >= 1
    found = Counter(number for (number,) in postgres.fetch("SELECT n FROM t"))
    assert found == Counter(n for n in range(200) if n % 40 != 9)
    rejected = [row for (row,) in postgres.fetch("SELECT sheet_row FROM tui_importer_reject ORDER BY 1")]
    assert rejected == [n + 2 for n in range(200) if n % 40 == 9]
    assert importer.heard(LoadingStarted)
    assert len(importer.heard(Retrying)) >= 1
