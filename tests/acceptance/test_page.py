"""The live page as people meet it: in a browser, by keyboard, on a phone, in Spanish, and when something is wrong."""

import asyncio
import json
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError

import pytest

from streams.clock import WallClock
from streams.kafka.publisher import STRUCTURED
from streams.settings import Settings
from streams.simulation import Plan, simulate
from tests.support.browser import chromium, get, page_process, refused, violations
from tests.support.workers import fresh_settings, publish, query, wait_until_counted, worker

if TYPE_CHECKING:
    from deploy.embedded.clickhouse import ClickHouseServer
    from deploy.embedded.kafka import Kafka

pytestmark = [pytest.mark.embedded, pytest.mark.timeout(300)]

WAIT_MS = 60_000
PHONE, LAPTOP, WALL = {"width": 390, "height": 844}, {"width": 1366, "height": 900}, {"width": 1920, "height": 1080}


@dataclass(frozen=True)
class Scene:
    """A worker and a page at work on an invented district."""

    settings: Settings
    stopped: Settings
    """Of tables that nobody writes to."""
    address: str
    district: str
    browser: Any

    def open(self, query: str = "", **context: Any) -> Any:
        """A fresh page that shows numbers."""
        page = self.browser.new_context(**({"viewport": LAPTOP, "locale": "en-US"} | context)).new_page()
        page.goto(self.address + query)
        page.wait_for_selector("#schools tbody tr", timeout=WAIT_MS)
        return page


@pytest.fixture(scope="module")
def scene(kafka: "Kafka", clickhouse: "ClickHouseServer", tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    logs = tmp_path_factory.mktemp("page")
    settings, stopped = (fresh_settings(name, kafka, clickhouse, partitions=1) for name in ("page", "page_stopped"))
    sent = list(simulate(Plan(WallClock().now(), students=1_000, days=28)))
    place = next(data for each in sent if "school" in (data := json.loads(each.value)["data"]) and "department" in data)
    asked = contact(sent[0].district, 0, school=place["school"], department=place["department"])  # at night nobody else asks
    asyncio.run(publish(settings, [*((each.district, each.value) for each in sent), (sent[0].district, asked)], STRUCTURED))
    with worker(settings, logs / "worker.log") as child, page_process(settings, logs / "page.log") as (_, address):
        wait_until_counted(settings, child, logs / "worker.log")
        with chromium() as browser:
            yield Scene(settings, stopped, address, sent[0].district, browser)


def contact(district: str, number: int, **place: str) -> bytes:
    """A new person with a new question, now."""
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    data = {"district": district, "stakeholder": f"newcomer-{number}", "audience": "family", "channel": "web", "priority": "critical"}
    data |= place
    head = {
        "specversion": "1.0",
        "id": f"live-{number}",
        "source": "/test",
        "type": "org.frontdesk.contact.v1",
        "subject": f"live-{number}",
    }
    return json.dumps(head | {"time": now, "data": data}).encode()


def send(scene: Scene, value: bytes) -> None:
    """From a thread: the browser's driver has this one's event loop."""
    with ThreadPoolExecutor(1) as aside:
        aside.submit(asyncio.run, publish(scene.settings, [(scene.district, value)], STRUCTURED)).result()


# -- it is live -----------------------------------------------------------------------------------------------------------
def test_a_contact_changes_the_number_without_a_reload(scene: Scene) -> None:
    page = scene.open("?window=1h")
    page.wait_for_selector("#state[data-state=live]", timeout=WAIT_MS)
    page.evaluate("window.loadedOnce = true")
    before, waiting = page.inner_text("#people"), page.inner_text("#waiting-meaning")
    send(scene, contact(scene.district, 1))
    page.wait_for_function("before => document.querySelector('#people').textContent !== before", arg=before, timeout=WAIT_MS)
    assert int(page.inner_text("#people").replace(",", "")) == int(before.replace(",", "")) + 1
    assert page.evaluate("window.loadedOnce") is True
    page.wait_for_function("before => document.querySelector('#waiting-meaning').textContent !== before", arg=waiting, timeout=WAIT_MS)


def test_what_it_shows_is_what_the_view_says(scene: Scene) -> None:
    page = scene.open("?window=28d&clock=calendar")
    [(people, contacts, score)] = query(
        scene.settings, "SELECT stakeholders, contacts, score FROM indicators WHERE scope = 'district' AND window = '28d'"
    )
    page.wait_for_function("text => document.querySelector('#people').textContent === text", arg=f"{people:,}", timeout=WAIT_MS)
    assert f"{contacts:,} questions" in page.inner_text("#people-meaning")
    assert page.inner_text("#score") == str(round(score))
    rows = page.locator("#schools tbody tr")
    assert rows.count() == query(scene.settings, "SELECT count() FROM indicators WHERE scope = 'school' AND window = '28d'")[0][0]


def test_a_school_has_a_page_of_its_own_that_can_be_sent_to_others(scene: Scene) -> None:
    page = scene.open("?window=28d")
    button = page.locator("#schools button").first
    name, row = button.inner_text(), button.locator("xpath=ancestor::tr").inner_text().split("\t")
    button.click()
    assert page.inner_text("#place").startswith(name)
    assert page.inner_text("#people") == row[1].strip()
    again = scene.open("?" + page.url.split("?")[1])
    assert again.inner_text("#place") == page.inner_text("#place")
    assert again.get_attribute("#window input:checked", "value") == "28d"


def test_of_a_school_it_does_not_say_that_nobody_else_waits(scene: Scene) -> None:
    """The list holds those of the district who wait longest: it is no count of a school's."""
    page = scene.open("?window=28d")
    [(all_waiting,)] = query(scene.settings, "SELECT count() FROM open_cases(district = '') WHERE waiting_since IS NOT NULL")
    assert all_waiting > 100
    assert f"{all_waiting:,} wait for an answer" in page.inner_text("#waiting-meaning")
    page.locator("#schools button").first.click()
    assert re.fullmatch(r"\d+ of the 100 who have waited longest in the district\.", page.inner_text("#waiting-meaning"))


# -- everybody can use it -------------------------------------------------------------------------------------------------
def test_by_keyboard_alone(scene: Scene) -> None:
    page = scene.open("?window=24h")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    for _ in range(12):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.name") == "window":
            break
    page.keyboard.press("ArrowRight")
    assert page.get_attribute("#window input:checked", "value") == "7d"
    page.wait_for_function("() => document.querySelector('#schools caption').textContent.includes('7 days')", timeout=WAIT_MS)
    page.locator("#schools button").nth(1).focus()
    name = page.evaluate("document.activeElement.textContent")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.textContent") == name, "the focus was lost when the table was made anew"
    assert page.evaluate("document.activeElement.getAttribute('aria-pressed')") == "true"


@pytest.mark.parametrize(
    ("query", "context"),
    [
        ("", {}),
        ("", {"color_scheme": "dark"}),
        ("?language=es", {}),
        ("?language=es", {"color_scheme": "dark", "viewport": PHONE}),
        ("?window=1h&clock=calendar", {"viewport": PHONE}),
        ("", {"viewport": WALL}),
        ("", {"forced_colors": "active"}),
    ],
    ids=["light", "dark", "Spanish", "Spanish dark phone", "phone", "wall", "forced colours"],
)
def test_axe_finds_nothing(scene: Scene, query: str, context: dict[str, Any]) -> None:
    page = scene.open(query, **context)
    assert violations(page) == []
    page.locator("#departments button").first.click()
    page.locator("#days").wait_for(state="attached")
    assert violations(page) == []


@pytest.mark.parametrize("width", [320, 390, 1024, 1760, 1920, 3840])
def test_no_screen_needs_sideways_scrolling(scene: Scene, width: int) -> None:
    page = scene.open(viewport={"width": width, "height": 700})
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("[...document.querySelectorAll('.large')].every(number => number.scrollWidth <= number.clientWidth)")


def test_on_a_wall_all_tables_are_whole(scene: Scene) -> None:
    page = scene.open(viewport=WALL)
    assert page.evaluate("[...document.querySelectorAll('.scroll')].every(part => part.scrollWidth <= part.clientWidth)")


def test_in_spanish_every_word_is_spanish(scene: Scene) -> None:
    page = scene.open("?language=es")
    assert page.get_attribute("html", "lang") == "es"
    assert page.inner_text("#people-title") == "Personas que nos contactaron"
    same = page.evaluate(
        """async () => {
          const { WORDS } = await import('/static/words.js');
          const names = language => Object.keys(WORDS[language]).sort().join();
          const holes = text => (text.match(/\\{\\w+\\}/g) ?? []).sort().join();
          return [names('en') === names('es'), Object.keys(WORDS.en).filter(word => holes(WORDS.en[word]) !== holes(WORDS.es[word]))];
        }"""
    )
    assert same == [True, []]


# -- when something is wrong ----------------------------------------------------------------------------------------------
def test_numbers_that_no_worker_carries_on_are_called_so(scene: Scene, tmp_path: Path) -> None:
    query(scene.stopped, "INSERT INTO windows SELECT * FROM page.windows")
    query(scene.stopped, "INSERT INTO progress (partition, as_of, next_offset, version) SELECT 0, now() - 3600, 1, 1")
    with page_process(scene.stopped, tmp_path / "page.log") as (_, address):
        page = replace(scene, address=address).open()
        page.wait_for_selector("#state[data-state=stale]", timeout=WAIT_MS)
        assert "Not current" in page.inner_text("#state-name")
        assert "True as of" in page.inner_text("#as-of")
        assert violations(page) == []


def test_a_page_that_ends_is_noticed(scene: Scene, tmp_path: Path) -> None:
    with page_process(scene.settings, tmp_path / "page.log") as (child, address):
        page = replace(scene, address=address).open()
        assert child.stop(), "it did not end by itself"
        page.wait_for_selector("#state[data-state=lost]", timeout=WAIT_MS)
        assert page.inner_text("#people"), "the last numbers went away"
        assert violations(page) == []


# -- who may see it -------------------------------------------------------------------------------------------------------
def test_beyond_this_machine_it_needs_a_token(scene: Scene, tmp_path: Path) -> None:
    answer = refused(scene.settings, FRONTDESK_PAGE_HOST="0.0.0.0")  # noqa: S104 - that it refuses is the point
    assert answer.returncode == 2
    assert "FRONTDESK_PAGE_TOKEN" in answer.stderr
    with page_process(scene.settings, tmp_path / "page.log", FRONTDESK_PAGE_TOKEN="open-sesame") as (_, address):
        for path in ("", "districts", "live?district=x", "static/page.js", "?token=wrong", "?token=%ff", "static/..%2fserver.py"):
            with pytest.raises(HTTPError) as refusal:
                get(address + path)
            assert refusal.value.code == 401, path
        with pytest.raises(HTTPError) as refusal:
            get(address + "districts", Authorization="Bearer \xff")  # a byte that is no text
        assert refusal.value.code == 401
        assert json.loads(get(address + "districts", Authorization="Bearer open-sesame")) == [scene.district]
        page = replace(scene, address=address).open("?token=open-sesame")
        assert "open-sesame" not in page.url


@pytest.mark.parametrize("path", ["live?district=x&window=1y", "live", "live?district=" + "x" * 129, "static/../server.py", "nowhere"])
def test_nonsense_is_refused(scene: Scene, path: str) -> None:
    with pytest.raises(HTTPError) as refusal:
        get(scene.address + path)
    assert 400 <= refusal.value.code < 500
