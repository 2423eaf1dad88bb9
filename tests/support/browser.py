"""A headless Chromium for tests that look at a page as a person would, and the address that a started page prints."""

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from deploy.embedded.process import Child, launch, tail
from streams.settings import Settings
from streams.terminal.configuration import environment_of
from tests.support.debian import debian

# Without these it asks its maker's servers at every start.
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
WITHIN_S = 60.0


@contextmanager
def chromium() -> Iterator[Any]:
    """A browser (playwright's `Browser`); skips the test where there is none."""
    path = debian("chromium")
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - only where there is a browser

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=list(QUIET))
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def page_process(settings: Settings, log: Path, *flags: str, **others: str) -> Iterator[tuple[Child, str]]:
    """`frontdesk page` on a free port, and its address."""
    environment = environment_of(settings) | {"FRONTDESK_PAGE_PORT": "0", **others}
    child = launch([sys.executable, "-m", "streams.cli", "page", *flags], log, outlive=False, environment=environment)
    try:
        yield child, _address(child, log)
    finally:
        child.stop()


def violations(page: Any) -> list[str]:
    """What axe-core has against the page as it is now (WCAG 2.2 A and AA)."""
    from axe_playwright_python.sync_playwright import Axe  # noqa: PLC0415 - only where there is a browser

    tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
    found = Axe().run(page, options={"runOnly": {"type": "tag", "values": tags}})
    return [f"{each['id']}: {[node['html'] for node in each['nodes']][:3]}" for each in found.response["violations"]]


def get(address: str, **headers: str) -> bytes:
    """Raises HTTPError for any answer that is not a page."""
    with urlopen(Request(address, headers=headers), timeout=30) as answer:  # noqa: S310 - the page's own address
        content: bytes = answer.read()
        return content


def _address(child: Child, log: Path) -> str:
    deadline = time.monotonic() + WITHIN_S
    while not (found := re.search(r"http://\S+", log.read_text("utf-8"))):
        assert child.alive(), tail(log)
        assert time.monotonic() < deadline, tail(log)
        time.sleep(0.05)
    return found.group()


def refused(settings: Settings, **others: str) -> subprocess.CompletedProcess[str]:
    """What a page that must not start says."""
    environment = environment_of(settings) | others
    return subprocess.run(
        [sys.executable, "-m", "streams.cli", "page"],
        capture_output=True,
        text=True,
        check=False,
        timeout=WITHIN_S,
        env=environment,
    )
