"""Pictures of the live page for the documentation, in docs/img: `python -m tests.screenshots` (or `make screenshots`).

Real servers with an invented district, and Chromium as its visitors' browser. The pictures are WebP by Chromium's own encoder: a
third of the bytes of a PNG, and every browser shows it. Those of large screens are made smaller, as they are shown smaller.
"""

import asyncio
import base64
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from sinks.clickhouse.migration import migrate
from streams.clock import WallClock
from streams.settings import Settings
from streams.simulation import Plan
from streams.warehouse import clickhouse_of
from tests.benchmarks.rig import client, follow, publish, servers, worker
from tests.support.browser import chromium, page_process

FOLDER: Final = Path(__file__).parents[1] / "docs" / "img"
QUALITY: Final = 80
WIDEST_PX: Final = 1280
LARGEST_BYTES: Final = 100_000
STUDENTS, DAYS = 5_000, 28
PHONE, LAPTOP, WALL = (390, 844), (1440, 900), (1920, 1080)
WAIT_MS: Final = 60_000


@dataclass(frozen=True)
class Picture:
    """`state` is the one that the page has to be in, as its element says it."""

    name: str
    size: tuple[int, int]
    scheme: str = "light"
    state: str = "live"
    query: str = "?window=7d"

    @property
    def scale(self) -> float:
        return min(1.0, WIDEST_PX / self.size[0])


PICTURES: Final = (
    *(
        Picture(f"page-{name}-{scheme}", size, scheme)
        for name, size in (("phone", PHONE), ("laptop", LAPTOP), ("wall", WALL))
        for scheme in ("light", "dark")
    ),
    Picture("page-spanish", LAPTOP, query="?window=7d&language=es"),
    Picture("page-stale", LAPTOP, state="stale"),
)


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    try:
        with scene() as addresses, chromium() as browser:
            for picture in PICTURES:
                file = FOLDER / f"{picture.name}.webp"
                file.write_bytes(taken(browser, picture, addresses[picture.state]))
                print(f"{file.name}: {file.stat().st_size / 1e3:.0f} kB")
                if file.stat().st_size > LARGEST_BYTES:
                    sys.exit(f"{file} is larger than {LARGEST_BYTES / 1e3:.0f} kB: show less, or less of it")
    except pytest.skip.Exception as reason:
        sys.exit(str(reason))


@contextmanager
def scene() -> Iterator[dict[str, str]]:
    """Addresses of a page by its state: `live` with a worker, `stale` on a copy of the tables that nobody writes to."""
    with servers() as settings, worker(settings) as process:
        follow(settings, process, until=asyncio.run(publish(settings, Plan(WallClock().now(), STUDENTS, DAYS))))
        left = left_alone(settings)
        with (
            page_process(settings, settings.folder / "page.log") as (_, live),
            page_process(left, settings.folder / "left.log") as (_, stale),
        ):
            yield {"live": live, "stale": stale}


def left_alone(settings: Settings) -> Settings:
    """A copy of the tables as a worker left them that stopped an hour ago."""
    left = settings.model_copy(update={"clickhouse_database": "left_alone"})
    migrate(clickhouse_of(left))
    with client(left) as connected:
        for table in ("windows", "cases"):
            connected.execute(f"INSERT INTO {table} SELECT * FROM {settings.clickhouse_database}.{table} FINAL")
        connected.execute(
            f"INSERT INTO progress SELECT * REPLACE (as_of - 3600 AS as_of) FROM {settings.clickhouse_database}.progress FINAL"
        )
    return left


def taken(browser: Any, picture: Picture, address: str) -> bytes:
    """The first screen, as it stands when the numbers are there."""
    width, height = picture.size
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=picture.scheme, locale="en-US")
    page = context.new_page()
    page.goto(address + picture.query)
    page.wait_for_selector("#schools tbody tr", timeout=WAIT_MS)
    page.wait_for_selector(f"#state[data-state={picture.state}]", timeout=WAIT_MS)
    clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": picture.scale}
    shot = context.new_cdp_session(page).send("Page.captureScreenshot", {"format": "webp", "quality": QUALITY, "clip": clip})
    context.close()
    return base64.b64decode(shot["data"])


if __name__ == "__main__":
    main()
