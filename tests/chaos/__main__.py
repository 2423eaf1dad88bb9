"""`make chaos`: Frontdesk under faults drawn from seeds, on real servers; afterwards every number must be right.

    python -m tests.chaos --seeds 50          seeds 0 to 49, one after the other
    python -m tests.chaos --seed 17           this one again: the same plan of faults and the same traffic
    python -m tests.chaos --stock --seeds 3   with a stock Faust agent instead of the worker: shows that the machine finds losses

Prints one line for each seed, then a table of the faults, and appends one JSON line for each seed to chaos.jsonl. Where a run is
not clean its folder with all logs is kept and named. Exit code 0 when all runs are clean, 1 otherwise.
"""

import argparse
import json
import logging
import signal
import sys
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NoReturn

from rich.console import Console
from rich.table import Table

from tests.chaos.machine import Outcome, Run
from tests.chaos.schedule import drawn
from tests.chaos.servers import Servers, servers
from tests.chaos.stock_run import StockRun

RECORD: Final = Path("chaos.jsonl")
SEEDS: Final = 50


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the seeds; 0 when all are clean."""
    chosen = _parser().parse_args(arguments)
    seeds = [chosen.seed] if chosen.seed is not None else range(chosen.first, chosen.first + chosen.seeds)
    outcomes = []
    signal.signal(signal.SIGTERM, _end)
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # what it has to complain about is what the machine does
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="frontdesk-chaos-"))
        console = Console(stderr=True)
        console.print(f"Kafka, ClickHouse and all logs are in {folder}")
        made = stack.enter_context(servers(folder))
        for seed in seeds:
            outcome = _run(made, seed, folder, stock=chosen.stock)
            outcomes.append(outcome)
            console.print(line(outcome), markup=False, highlight=False, soft_wrap=True)
            with RECORD.open("a") as file:
                at = datetime.now(UTC).isoformat(timespec="seconds")
                file.write(json.dumps({"at": at, "stock": chosen.stock, **outcome.told()}) + "\n")
    Console().print(table(outcomes))
    clean = sum(outcome.clean for outcome in outcomes)
    print(f"{clean} of {len(outcomes)} runs are clean; worst recovery {worst(outcomes):.1f} s; each run is a line of {RECORD}")
    return 0 if clean == len(outcomes) else 1


def _end(number: int, _: object) -> NoReturn:
    """SIGTERM ends the servers and the workers, too."""
    raise SystemExit(128 + number)


def _run(made: Servers, seed: int, folder: Path, *, stock: bool) -> Outcome:
    kind = StockRun if stock else Run
    return kind(made, drawn(seed), folder / f"seed-{seed}").outcome()


def line(outcome: Outcome) -> str:
    """One line for a run; the problems follow where there are any."""
    took = [happened.recovery_s for happened in outcome.faults if happened.recovery_s is not None]
    happened = "; ".join(f"{each.name}{'' if each.took_place else ' (did not take place)'}" for each in outcome.faults)
    told = (
        f"seed {outcome.seed}: {'clean' if outcome.clean else 'NOT CLEAN'} in {outcome.seconds:.0f} s, "
        f"{sum(outcome.records.values()):,} records, {outcome.events:,} events, worst recovery {max(took, default=0):.1f} s [{happened}]"
    )
    return "\n".join([told, *outcome.problems, *([f"logs: {outcome.folder}"] if outcome.problems else [])])


def table(outcomes: Iterable[Outcome]) -> Table:
    """Faults by kind, how often each took place, and the longest recovery."""
    shown = Table(title="faults", title_justify="left")
    for heading in ("fault", "took place", "asked for", "worst recovery, s"):
        shown.add_column(heading, justify="left" if heading == "fault" else "right")
    faults = [happened for outcome in outcomes for happened in outcome.faults]
    for name in sorted({happened.name for happened in faults}):
        these = [happened for happened in faults if happened.name == name]
        took = max((happened.recovery_s or 0.0 for happened in these if happened.took_place), default=0.0)
        shown.add_row(name, str(sum(happened.took_place for happened in these)), str(len(these)), f"{took:.1f}")
    shown.add_section()
    shown.add_row("all", str(sum(happened.took_place for happened in faults)), str(len(faults)), f"{worst(outcomes):.1f}")
    return shown


def worst(outcomes: Iterable[Outcome]) -> float:
    return max((happened.recovery_s or 0.0 for outcome in outcomes for happened in outcome.faults), default=0.0)


def _parser() -> argparse.ArgumentParser:
    summary, _, rest = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser(
        "python -m tests.chaos", description=summary, epilog=rest, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=SEEDS, metavar="N", help=f"how many runs (default {SEEDS}); about 40 s each")
    parser.add_argument("--first", type=int, default=0, metavar="N", help="the first of them (default 0)")
    parser.add_argument("--seed", type=int, metavar="N", help="this one only: replays a run that was not clean")
    parser.add_argument("--stock", action="store_true", help="a stock Faust agent instead of the worker; expect losses and duplicates")
    return parser


if __name__ == "__main__":
    sys.exit(main())
