"""`make chaos`: Frontdesk under faults drawn from seeds, on real servers; afterwards every number must be right.

    python -m tests.chaos --seeds 50          seeds 0 to 49, one after the other
    python -m tests.chaos --seed 17           this one again: the same plan of faults and the same traffic
    python -m tests.chaos --stock --seeds 3   with a stock Faust agent instead of the worker: shows that the machine finds losses

Prints one line for each seed, then a table of the faults, and appends one JSON line for each seed to chaos.jsonl. Where a run is
not clean, its folder with all logs is kept and named. Exit code 0 when all runs are clean, 1 otherwise.
"""

import argparse
import logging
import signal
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Final, NoReturn

from rich.console import Console

from tests.chaos.machine import Outcome, Run
from tests.chaos.report import RECORD, line, markdown, record, recorded, summary, table
from tests.chaos.schedule import drawn
from tests.chaos.servers import Servers, servers
from tests.chaos.stock_run import StockRun

SEEDS: Final = 50
INTERRUPTED: Final = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the seeds; 0 when all are clean."""
    chosen = _parser().parse_args(arguments)
    if chosen.report:
        print(f"{markdown(recorded())}\n\n{summary(recorded())}")
        return _code(recorded())
    seeds = [chosen.seed] if chosen.seed is not None else range(chosen.first, chosen.first + chosen.seeds)
    outcomes: list[Outcome] = []
    signal.signal(signal.SIGTERM, _end)
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # what it has to complain about is what the machine does
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="frontdesk-chaos-"))
        console = Console(stderr=True)
        console.print(f"Kafka, ClickHouse and all logs are in {folder}")
        made = stack.enter_context(servers(folder))
        with suppress(KeyboardInterrupt):  # what there is until then is told below
            for seed in seeds:
                outcome = _run(made, seed, folder, stock=chosen.stock)
                outcomes.append(outcome)
                console.print(line(outcome), markup=False, highlight=False, soft_wrap=True)
                record(outcome, stock=chosen.stock)
    Console().print(table(outcomes))
    print(f"{summary(outcomes)}; each run is a line of {RECORD}")
    return _code(outcomes) if len(outcomes) == len(seeds) else INTERRUPTED


def _code(outcomes: Sequence[Outcome]) -> int:
    return 0 if all(outcome.clean for outcome in outcomes) else 1


def _end(number: int, _: object) -> NoReturn:
    """SIGTERM ends the servers and the workers, too."""
    raise SystemExit(128 + number)


def _run(made: Servers, seed: int, folder: Path, *, stock: bool) -> Outcome:
    kind = StockRun if stock else Run
    return kind(made, drawn(seed), folder / f"seed-{seed}").outcome()


def _parser() -> argparse.ArgumentParser:
    summary, _, rest = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser(
        "python -m tests.chaos", description=summary, epilog=rest, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=SEEDS, metavar="N", help=f"how many runs (default {SEEDS}); about 40 s each")
    parser.add_argument("--first", type=int, default=0, metavar="N", help="the first of them (default 0)")
    parser.add_argument("--seed", type=int, metavar="N", help="this one only: replays a run that was not clean")
    parser.add_argument("--report", action="store_true", help="no run: the table of all runs in chaos.jsonl, for docs/reliability.md")
    parser.add_argument("--stock", action="store_true", help="a stock Faust agent instead of the worker; expect losses and duplicates")
    return parser


if __name__ == "__main__":
    sys.exit(main())
