"""The public page as anybody meets it: completed months, no number of few people at any address, usable by everybody."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError

import pytest
from aiohttp.test_utils import TestClient, TestServer
from prometheus_client import CollectorRegistry

from sinks.clickhouse import publication
from sinks.clickhouse.releases import month_statuses, release
from sinks.page_metrics import PageMetrics
from streams.clock import WallClock
from streams.page.pool import ReadingPool
from streams.page.public import Library, public_application
from streams.page.service import NeedsToken, run_page
from streams.settings import Settings
from streams.warehouse import clickhouse_of
from tests.support.browser import chromium, get, page_process, violations
from tests.support.questions import write_questions

if TYPE_CHECKING:
    from deploy.embedded.clickhouse import ClickHouseServer

pytestmark = [pytest.mark.embedded, pytest.mark.timeout(300)]

WAIT_MS = 60_000
PHONE, LAPTOP = {"width": 390, "height": 844}, {"width": 1366, "height": 900}
EXPLAINED = "Fewer than 10 people"


@dataclass(frozen=True)
class Scene:
    settings: Settings
    address: str
    published: dict[str, list[str]]


@pytest.fixture(scope="module")
def scene(clickhouse: "ClickHouseServer", tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    settings = Settings(clickhouse_port=clickhouse.native_port, clickhouse_database="public_page")
    write_questions(clickhouse_of(settings))
    with clickhouse_of(settings).connect() as client:
        release(client, [each.key for each in month_statuses(client)])
    with page_process(settings, tmp_path_factory.mktemp("public") / "page.log", "--public") as (_, address):
        yield Scene(settings, address, json.loads(get(address + "months")))


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as started:
        yield started


def show(browser: Any, scene: Scene, query: str = "", **context: Any) -> Any:
    """A fresh page that shows numbers."""
    page = browser.new_context(**({"viewport": LAPTOP, "locale": "en-US"} | context)).new_page()
    page.goto(scene.address + query)
    page.wait_for_selector("#schools tbody tr", timeout=WAIT_MS)
    return page


def cells_of(scene: Scene, district: str, month: str) -> list[dict[str, Any]]:
    cells: list[dict[str, Any]] = json.loads(get(f"{scene.address}numbers?district={district}&month={month}"))["cells"]
    return cells


def hidden_school(scene: Scene) -> tuple[str, str, str]:
    """District, month and school of which all is hidden, where the district is shown."""
    return next(
        (district, month, cell["school"])
        for district, months in scene.published.items()
        for month in months
        for cells in [cells_of(scene, district, month)]
        for cell in cells
        if cell["scope"] == "school" and cell["suppressed"] and any(each["scope"] == "school" and not each["suppressed"] for each in cells)
    )


# -- nothing else is public -----------------------------------------------------------------------------------------------
def test_every_address_gives_what_the_view_gives(scene: Scene) -> None:
    with clickhouse_of(scene.settings).connect() as client:
        assert scene.published == publication.months(client)
        district, month, _ = hidden_school(scene)
        assert cells_of(scene, district, month) == publication.cells(client, district, month)


@pytest.mark.parametrize(
    "path",
    [
        "districts",
        "live?district=d0&window=24h",
        "live",
        "indicators",
        "numbers",
        "numbers?district=d0",
        "numbers?district=d0&month=2026-12",
        "numbers?district=d0&month=2026-01-01",
        "numbers?district=d0'%20OR%201=1&month=2026-01",
        "numbers?district=nowhere&month=2026-01",
        "static/../public.py",
        "static/..%2fpublic.py",
    ],
)
def test_addresses_of_the_live_page_and_nonsense_are_not_there(scene: Scene, path: str) -> None:
    with pytest.raises(HTTPError) as refusal:
        get(scene.address + path)
    assert refusal.value.code in {403, 404}


def test_no_case_person_or_instant_is_in_what_it_gives(scene: Scene) -> None:
    district, months = next(iter(scene.published.items()))
    for cell in cells_of(scene, district, months[0]):
        assert cell.keys() == set(publication.COLUMNS)


# -- who may see it -------------------------------------------------------------------------------------------------------
def test_it_needs_no_token_anywhere(scene: Scene) -> None:
    elsewhere = scene.settings.model_copy(update={"page_host": "192.0.2.1"})  # of documentation: no machine has it
    with pytest.raises(NeedsToken):
        run_page(elsewhere, print)
    with pytest.raises(OSError, match=r"192\.0\.2\.1"):
        run_page(elsewhere, print, public=True)


async def test_a_token_is_honoured(scene: Scene) -> None:
    library = Library(ReadingPool(clickhouse_of(scene.settings), PageMetrics(CollectorRegistry())), WallClock())
    async with TestClient(TestServer(public_application(library, "open-sesame"))) as client:
        for path in ("/", "/months", "/numbers?district=d0&month=2026-01", "/static/public.js"):
            assert (await client.get(path)).status == 401, path
        assert (await client.get("/", headers={"Authorization": "Bearer open-sesame"})).status == 200


# -- everybody can use it -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("query", "context"),
    [("", {}), ("&language=es", {"color_scheme": "dark", "viewport": PHONE})],
    ids=["light", "Spanish dark phone"],
)
def test_axe_finds_nothing_where_numbers_are_hidden(browser: Any, scene: Scene, query: str, context: dict[str, Any]) -> None:
    district, month, school = hidden_school(scene)
    page = show(browser, scene, f"?district={district}&month={month}{query}", **context)
    assert violations(page) == []
    page.select_option("#cell", f"school/{school}")
    assert page.locator("#people-meaning").inner_text() == page.locator("#times-meaning").inner_text()
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_what_is_hidden_is_explained(browser: Any, scene: Scene) -> None:
    district, month, school = hidden_school(scene)
    page = show(browser, scene, f"?district={district}&month={month}")
    hidden = page.locator(f"#schools tr:has([data-key='school/{school}'])")
    assert EXPLAINED in hidden.inner_text()
    hidden.locator("button").click()
    assert page.inner_text("#people") == "hidden"
    assert "nobody can be recognised" in page.inner_text("#people-meaning")
    assert page.evaluate("document.activeElement.dataset.key") == f"school/{school}", "the focus was lost when the table was made anew"
    in_spanish = show(browser, scene, f"?district={district}&month={month}&cell=school/{school}&language=es")
    assert in_spanish.inner_text("#people") == "oculto"
    assert "Menos de 10 personas" in in_spanish.inner_text("#schools")


def test_it_shows_what_the_view_says(browser: Any, scene: Scene) -> None:
    district, months = next((district, months) for district, months in scene.published.items() if len(months) > 1)
    page = show(browser, scene, f"?district={district}")
    page.select_option("#month", months[1])
    whole = next(each for each in cells_of(scene, district, months[1]) if each["scope"] == "district" and each["period"] == "month")
    page.wait_for_function(
        "text => document.querySelector('#people').textContent === text", arg=f"{whole['stakeholders']:,}", timeout=WAIT_MS
    )
    assert f"{whole['contacts']:,} questions" in page.inner_text("#people-meaning")
    assert page.locator("#weeks tbody tr").count() in {4, 5}
    assert months[1] in page.url


def test_a_page_without_numbers_says_so(browser: Any, scene: Scene) -> None:
    page = browser.new_context(viewport=LAPTOP, locale="en-US").new_page()
    page.route("**/months", lambda route: route.fulfill(status=503))
    page.goto(scene.address)
    page.wait_for_function("() => document.querySelector('#state').textContent.includes('cannot be read')", timeout=WAIT_MS)
    assert violations(page) == []
