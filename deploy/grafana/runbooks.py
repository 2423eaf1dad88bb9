"""The runbooks as a page that Grafana renders: what an alert means and what to do first, each in a panel of its own.

docs/runbooks has the words. What links there lead outside the runbooks is named here, for Grafana does not serve it.
"""

import re
from collections.abc import Iterator
from math import ceil
from pathlib import Path
from typing import Final

from grafana_foundation_sdk.builders import text

from deploy.grafana import links
from deploy.grafana.board import SIX_HOURS, Board
from deploy.grafana.panels import words

FOLDER: Final = Path(__file__).parents[2] / "docs/runbooks"
_FILES: Final = sorted(FOLDER.glob("*.md"))
_NUMBERS: Final = {file.stem: number for number, file in enumerate(_FILES, 2)}
"""Of their panels; the first is the list of all."""
_LINE_PX, _UNIT_PX = 22, 38
_CHARACTERS: Final = 80
"""In a line of half the width."""


def _panels() -> Iterator[text.Panel]:
    contents = [f"- {_link(file.stem, file.stem)}: {_first_sentence(file)}" for file in _FILES]
    yield words("\n".join(contents), title="What to do when an alert comes", height=_height(len(contents)))
    for pair in (_FILES[at : at + 2] for at in range(0, len(_FILES), 2)):
        texts = [_text(file) for file in pair]
        height = _height(max(sum(len(line) // _CHARACTERS + 1 for line in content.split("\n")) for content in texts))
        for file, content in zip(pair, texts, strict=True):
            yield words(content, title=file.stem, width=12, height=height)


def _text(file: Path) -> str:
    def leads(found: re.Match[str]) -> str:
        name, target = found.groups()
        runbook = target.removesuffix(".md")
        return _link(name, runbook) if runbook in _NUMBERS else f"{name} ({target.replace('../', 'docs/')})"

    _, _, body = file.read_text("utf-8").partition("\n")
    return re.sub(r"\[([^]]+)\]\(([^)]+)\)", leads, body.strip())


def _link(name: str, runbook: str) -> str:
    return f"[{name}](/d/{links.RUNBOOKS}?viewPanel=panel-{_NUMBERS[runbook]})"


def _first_sentence(file: Path) -> str:
    _, _, meaning = _text(file).partition("## What it means\n")
    return re.split(r"(?<=\.)\s", meaning, maxsplit=1)[0].replace("\n", " ")


def _height(lines: int) -> int:
    return 2 + ceil(lines * _LINE_PX / _UNIT_PX)


BOARD = Board(
    uid=links.RUNBOOKS,
    title="Runbooks",
    about="For those on call: what each alert means, what is seen, and the first three steps.",
    since=SIX_HOURS,
    panels=list(_panels()),
)
