"""The page, in a real browser."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

from tests.server.conftest import Served, numbered, until
from tests.support.make_sample import SAMPLE_PATH
from tests.support.plugins import WITH_OPTIONS, install_plugin

pytestmark = pytest.mark.once

TOKEN = "the-page-asks-for-this"
#: Where nothing is skipped. (A test's own environment does not say so.)
IN_CI = "CI" in os.environ
#: Names under which a browser and its driver are installed.
BROWSERS, DRIVERS = ("chromium", "chromium-browser", "google-chrome"), ("chromedriver", "chromium-driver")


def program(names: tuple[str, ...]) -> str:
    found = next((path for name in names if (path := shutil.which(name))), None)
    if found is None and not IN_CI:
        pytest.skip(f"there is no {names[0]}: apt-get install chromium chromium-driver")
    assert found, f"there is no {names[0]}, which .ci/run installs"
    return found


class Page:
    """A browser that shows the server's page."""

    def __init__(self, browser: webdriver.Chrome) -> None:
        self.browser = browser

    def __call__(self, id_: str) -> WebElement:
        return self.browser.find_element(By.ID, id_)

    def text(self, id_: str) -> str:
        return str(self(id_).get_property("textContent"))

    def rows(self, id_: str) -> list[list[str]]:
        """The texts of a table's cells, at one moment: the page may draw it anew meanwhile."""
        query = "return [...arguments[0].rows].map(row => [...row.cells].map(cell => cell.textContent))"
        found: list[list[str]] = self.browser.execute_script(query, self(id_))
        return found

    def send(self, file: Path) -> None:
        """Choose a file and press the button."""
        self("file").send_keys(str(file))
        self("send").click()

    def complaints(self) -> list[str]:
        """What the browser found wrong, violations of the policy included."""
        get_log: Any = self.browser.get_log  # it has no types
        return [entry["message"] for entry in get_log("browser") if entry["level"] == "SEVERE"]


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    options = webdriver.ChromeOptions()
    options.binary_location = program(BROWSERS)
    folder = tmp_path_factory.mktemp("browser")
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", f"--user-data-dir={folder}"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(program(DRIVERS)))
    yield driver
    driver.quit()


@pytest.fixture
def page(browser: webdriver.Chrome) -> Page:
    browser.get("about:blank")
    page = Page(browser)
    page.complaints()  # of the test before
    return page


def test_page_uploads_a_file_and_shows_the_result(serve: Callable[..., Served], page: Page) -> None:
    served = serve("--db", "t.db")
    page.browser.get(served.url)
    page.send(SAMPLE_PATH)
    until(lambda: page.text("state") == "ended" and page("rejects").find_elements(By.TAG_NAME, "tr"))
    assert page.text("title") == "sample_data.xlsx → businesses"
    assert page.text("message") == "13 rows were rejected, every other row is in"
    assert page.text("equation") == "read 10,000 = inserted 9,987 + rejected 13"
    assert page("sent").get_property("value") == 1
    assert page.text("sent-text").endswith(" bytes")
    assert page.text("share-text") == "100 %"
    assert len(page("rejects").find_elements(By.TAG_NAME, "tr")) == 13
    assert "Sheet1!C217" in page.text("rejects")
    assert "finished: complete_with_rejects" in page.text("log")
    assert page.complaints() == []
    # Loaded again, it shows the same run; the same file again is recognised.
    page.browser.refresh()
    until(lambda: page.text("state") == "ended")
    page.send(SAMPLE_PATH)
    until(lambda: page.text("message") == "already imported, 13 rows rejected: nothing was written")
    assert page.complaints() == []


def test_page_controls_a_live_run(serve: Callable[..., Served], page: Page, tmp_path: Path) -> None:
    served = serve("--db", "t.db", "--table", "t")
    rows = tmp_path / "rows.csv"
    rows.write_bytes(numbered(2_000))
    id_ = served.begin(rows, max_rate=40, batch_size=2)
    page.browser.get(f"{served.url}/#{id_}")
    until(lambda: page.text("rate") not in ("", "0"))
    [cells] = page.rows("workers")
    assert cells[0] == "1"
    assert int(cells[2]) > 0
    page("pause").click()
    until(lambda: page.text("state") == "paused")
    served.wait(id_, lambda run: run["state"] == "paused")
    page("unpause").click()
    until(lambda: page.text("state") == "running")
    # A server that goes away and comes back: the page goes on where it was.
    lines = len(page("log").find_elements(By.TAG_NAME, "li"))
    port = served.url.rpartition(":")[2]
    served.stop()
    served.start(port)
    until(lambda: len(page("log").find_elements(By.TAG_NAME, "li")) > lines and page.text("state") == "running")
    page("stop").click()
    until(lambda: page.text("state") == "ended")
    assert page.text("message").startswith("stopped before the end")
    assert page("resume").is_enabled()


def test_page_has_fields_for_plugin_options(serve: Callable[..., Served], page: Page, tmp_path: Path) -> None:
    install_plugin(tmp_path / "site", "slow", WITH_OPTIONS)
    served = serve("--db", "t.db", "--table", "t", environment={"PYTHONPATH": str(tmp_path / "site")})
    rows = tmp_path / "rows.csv"
    rows.write_bytes(numbered(9))
    page.browser.get(served.url)

    def field(name: str) -> WebElement:
        return page.browser.find_element(By.NAME, name)

    until(lambda: page.browser.find_elements(By.NAME, "slow.pause"))
    assert field("lines.upper").is_displayed()
    assert not field("slow.pause").is_displayed()
    page("method").send_keys("slow")
    assert field("slow.pause").get_attribute("placeholder") == "0.5"
    assert page.browser.find_elements(By.NAME, "slow.note") == []
    field("slow.pause").send_keys("2")
    field("slow.careful").send_keys("true")
    page.send(rows)
    until(lambda: page.text("state") == "ended")
    [run] = served.client.get("/runs").json()["runs"]
    report = served.recording(run["run_ids"][-1]).report()
    assert report is not None
    assert (report.method, report.plugin_options) == ("slow", {"slow": {"pause": 2, "careful": True}})
    assert page.complaints() == []


def test_page_shows_watched_folders_and_the_run_of_the_latest_file(
    serve: Callable[..., Served], page: Page, tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "<b>rows.csv").write_bytes(numbered(7))
    served = serve("--db", "t.db", "--table", "t", "--watch", str(tmp_path / "in"), "--watch-settle", "0")
    until(lambda: served.client.get("/watches").json()["watches"][0]["done"])
    page.browser.get(served.url)
    until(lambda: page.rows("folders"))
    assert page.rows("folders") == [["in", "watching", "0", "1", "0", "<b>rows.csv", ""]]
    page("folders").find_element(By.TAG_NAME, "button").click()
    until(lambda: page.text("state") == "ended")
    assert page.text("title") == "<b>rows.csv → t"
    assert page.text("equation") == "read 7 = inserted 7"
    assert page.complaints() == []


def test_page_escapes_markup_in_workbook_text(serve: Callable[..., Served], page: Page, tmp_path: Path) -> None:
    served = serve("--db", "t.db")
    evil = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["Name", "Category", "Phone", "Email", "Address", "City", "Country", "Website", "Description"])
    sheet.append([None, evil, None, None, None, None, None, None, None])
    sheet.append(["a\0".replace("\0", "_x0000_") + evil, *[None] * 8])
    path = tmp_path / "<b>bold.xlsx"
    book.save(path)
    page.browser.get(served.url)
    page.send(path)
    until(lambda: page.text("state") == "ended" and page("rejects").find_elements(By.TAG_NAME, "tr"))
    assert page.text("title").startswith("<b>bold.xlsx")
    assert evil in page.text("rejects")
    assert page.browser.title == "tui-importer"
    assert page.browser.find_elements(By.CSS_SELECTOR, "img, td script, b") == []
    assert page.complaints() == []


def test_page_asks_for_the_token(serve: Callable[..., Served], page: Page, tmp_path: Path) -> None:
    served = serve("--db", "t.db", "--table", "t", token=TOKEN)
    rows = tmp_path / "rows.csv"
    rows.write_bytes(numbered(5))
    page.browser.get(served.url)
    page.send(rows)
    until(lambda: "a token is required" in page.text("said"))
    page("token").send_keys(TOKEN)
    page("send").click()
    until(lambda: page.text("state") == "ended")
    assert page.text("message") == "every row is in"
    wrong = tmp_path / "wrong.pdf"
    wrong.write_text("no workbook")
    page("file").send_keys(str(wrong))
    page("send").click()
    until(lambda: page.text("said").startswith("no reader opens .pdf"))
    assert TOKEN not in json.dumps(page.browser.get_cookies()) + page.browser.current_url
