"""What runs of the fault machine gave: a line for each, a table of the faults over all of them, and the same from the record.

`docs/reliability.md` has its table from here: `python -m tests.chaos --report`.
"""

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from rich.table import Table

from tests.chaos.machine import Happened, Outcome

RECORD: Final = Path("chaos.jsonl")
HEADINGS: Final = ("fault", "took place", "asked for", "worst recovery, s")


def record(outcome: Outcome, *, stock: bool) -> None:
    """Append a line of JSON."""
    at = datetime.now(UTC).isoformat(timespec="seconds")
    with RECORD.open("a") as file:
        file.write(json.dumps({"at": at, "stock": stock, **outcome.told()}) + "\n")


def recorded() -> list[Outcome]:
    """All runs of the worker in the record; of a seed that was run again the last one."""
    lines = [json.loads(line) for line in RECORD.read_text().splitlines()]
    return list({told["seed"]: _outcome(told) for told in lines if not told["stock"]}.values())


def _outcome(told: dict[str, object]) -> Outcome:
    known = {name: value for name, value in told.items() if name not in {"at", "stock", "clean", "faults"}}
    faults: list[dict[str, object]] = told["faults"]  # type: ignore[assignment] # as it was written
    return Outcome(**known, faults=[Happened(**each) for each in faults])  # type: ignore[arg-type] # as it was written


def line(outcome: Outcome) -> str:
    """One line for a run; the problems follow where there are any."""
    took = [happened.recovery_s for happened in outcome.faults if happened.recovery_s is not None]
    happened = "; ".join(f"{each.name}{'' if each.took_place else ' (did not take place)'}" for each in outcome.faults)
    told = (
        f"seed {outcome.seed}: {'clean' if outcome.clean else 'NOT CLEAN'} in {outcome.seconds:.0f} s, "
        f"{sum(outcome.records.values()):,} records, {outcome.events:,} events, worst recovery {max(took, default=0):.1f} s [{happened}]"
    )
    return "\n".join([told, *outcome.problems, *([f"logs: {outcome.folder}"] if outcome.problems else [])])


def table(outcomes: Sequence[Outcome]) -> Table:
    """Faults by kind, how often each took place, and the longest recovery."""
    shown = Table(title="faults", title_justify="left")
    for heading in HEADINGS:
        shown.add_column(heading, justify="left" if heading == "fault" else "right")
    for row in rows(outcomes):
        shown.add_row(*row)
    return shown


def markdown(outcomes: Sequence[Outcome]) -> str:
    """The same for a page."""
    lines = [HEADINGS, ("---",) * len(HEADINGS), *rows(outcomes)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def rows(outcomes: Sequence[Outcome]) -> list[tuple[str, ...]]:
    """One for each fault, by name, and one for all."""
    faults = [happened for outcome in outcomes for happened in outcome.faults]
    by_name = {name: [each for each in faults if each.name == name] for name in sorted({each.name for each in faults})}
    return [_row(name, these) for name, these in [*by_name.items(), ("all", faults)]]


def _row(name: str, faults: Sequence[Happened]) -> tuple[str, ...]:
    took = max((each.recovery_s or 0.0 for each in faults if each.took_place), default=0.0)
    return name, str(sum(each.took_place for each in faults)), str(len(faults)), f"{took:.1f}"


def summary(outcomes: Sequence[Outcome]) -> str:
    """In a sentence."""
    clean, records = sum(outcome.clean for outcome in outcomes), sum(sum(outcome.records.values()) for outcome in outcomes)
    return f"{clean} of {len(outcomes)} runs are clean; {records:,} records; worst recovery {worst(outcomes):.1f} s"


def worst(outcomes: Iterable[Outcome]) -> float:
    return max((happened.recovery_s or 0.0 for outcome in outcomes for happened in outcome.faults), default=0.0)
