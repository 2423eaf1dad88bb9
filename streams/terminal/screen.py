"""What people see: results on standard output, progress and remarks on standard error.

Where standard error is no terminal (a log, a pipe), progress is a plain line at the begin of each step, nothing that moves.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

from rich.console import Console, ConsoleOptions, RenderableType
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.segment import Segment

from streams.legible import legible

Advance = Callable[[int], None]
SECONDS_BETWEEN_LINES = 5.0
WIDTH_OF_FILES = 160


class Screen(Console):
    """A console on which nothing that is shown is obeyed: only rich's own colours and movements are."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterator[Segment]:
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=legible(segment.text))


def results() -> Console:
    """Tables keep their width where nobody's window limits it."""
    return Screen(highlight=False, width=None if sys.stdout.isatty() else WIDTH_OF_FILES)


def remarks() -> Console:
    return Screen(stderr=True, highlight=False, soft_wrap=True)


def remark(text: str) -> None:
    """A line on standard error, as it is."""
    remarks().print(text, markup=False)


def sign(console: Console, *, good: bool) -> str:
    """Of how something ended, as markup: in letters where the output knows no other signs."""
    colour, mark, word = ("green", "✓", "ok") if good else ("red", "✗", "!!")
    return f"[{colour}]{mark if is_utf8(console) else word}[/]"


def is_utf8(console: Console) -> bool:
    return console.encoding.startswith("utf")


def spinner(console: Console) -> str:
    return "dots" if is_utf8(console) else "line"


@contextmanager
def step(title: str) -> Iterator[Callable[[str], None]]:
    """A step without a known length: a spinner, or a line; the function given says what it does just now."""
    console, begun = remarks(), monotonic()
    if console.is_terminal:
        with console.status(title, spinner=spinner(console)) as status:
            yield lambda text: status.update(f"{title}: {text}")
    else:
        console.print(f"{title} ...", markup=False)
        yield lambda text: console.print(f"  {text}", markup=False)
    console.print(f"{sign(console, good=True)} {title} ({monotonic() - begun:.1f} s)")


@contextmanager
def progress(title: str, total: int | None) -> Iterator[Advance]:
    """A bar, or a line every few seconds; the function given takes how much is done so far (of `total`)."""
    console, begun = remarks(), monotonic()
    if console.is_terminal:
        with _bar(console) as bar:
            task = bar.add_task(title, total=total)
            yield lambda done: bar.update(task, completed=done)
    else:
        console.print(f"{title} ...", markup=False)
        yield _Lines(console, title, total)
    console.print(f"{sign(console, good=True)} {title} ({monotonic() - begun:.1f} s)")


def _bar(console: Console) -> Progress:
    columns = (
        SpinnerColumn(spinner(console)),
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=console, transient=True)


class _Lines:
    """Progress where nothing can move."""

    def __init__(self, console: Console, title: str, total: int | None) -> None:
        self._console, self._title, self._total = console, title, total
        self._next = monotonic() + SECONDS_BETWEEN_LINES
        self._begun: tuple[float, int] | None = None

    def __call__(self, done: int) -> None:
        now = monotonic()
        self._begun = self._begun or (now, done)
        if now >= self._next:
            self._next = now + SECONDS_BETWEEN_LINES
            of = (
                "" if self._total is None else f" of {self._total:,}{left(self._total - done, done - self._begun[1], now - self._begun[0])}"
            )
            self._console.print(f"  {self._title}: {done:,}{of}", markup=False)


def left(to_do: int, done: int, seconds: float) -> str:
    """How long the rest takes at the pace so far, in words; nothing where there is no pace yet."""
    if done <= 0 or to_do <= 0:
        return ""
    rest = to_do * seconds / done
    return f", about {rest / 60:,.0f} min left" if rest >= 90 else f", about {rest:,.0f} s left"  # noqa: PLR2004 - seconds
