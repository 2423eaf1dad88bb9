"""`make bench`: what Frontdesk can do on this machine, as a table for people and a JSON line in `bench.jsonl` for the record.

    python -m tests.benchmarks [--quick] [PART ...]

Rates are events per CPU-second of a process, so that what else runs on the machine matters less. What is to hold are ratios to what
the same run measures, a stock Faust agent and a ceiling: a slow machine does not fail by them, a fast one does not flatter.
"""

import argparse
import json
import platform
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

from tests.benchmarks import fold, freshness, intake, live, queries, tables, throughput, viewers

RATES = (500, 2_766)
"""Events a second: a very large district at its peak, and all of Texas."""
SLOWEST = 5
"""Queries that are shown, of those that took longest."""
RECORD = Path("bench.jsonl")
LEAST_RATIO, AIM_RATIO, AIM_OF_CEILING = 5, 12, 0.7
"""The worker's replay against a stock Faust agent's, and against the ceiling's (`tests.benchmarks.ceiling`)."""
MOST_OF_REPLAY = 3
"""Worker, ClickHouse and Kafka live, an event, against the worker alone in the replay of the same run: the aim."""

Row = tuple[str, str, str]
"""What, what was measured, what is to hold."""


class Part(NamedTuple):
    """One benchmark: what it does meanwhile, how it is taken (quickly or in full), and how its result is told."""

    says: str
    measure: Callable[[bool], Any]
    rows: Callable[[Any], Iterator[Row]]


def of_throughput(flow: dict[str, Any]) -> Iterator[Row]:
    yield "events per CPU-second of the worker", f"{flow['worker']:,.0f}", ""
    yield "... of a stock Faust agent, smaller job", f"{flow['stock']:,.0f}", ""
    yield "... of aiokafka, msgspec and a dictionary, nothing kept", f"{flow['ceiling']:,.0f}", ""
    yield "worker to stock agent", f"{flow['ratio']:.1f}", f"{LEAST_RATIO}, aim {AIM_RATIO}"
    yield "worker to ceiling", f"{flow['of_ceiling']:.2f}", f"aim {AIM_OF_CEILING}"
    yield "events", f"{flow['events']:,}", ""
    yield "resident memory of the worker", f"{flow['resident_mb']:,.0f} MB", ""


def of_freshness(rates: Sequence[dict[str, Any]]) -> Iterator[Row]:
    for fresh in rates:
        seen = f"{fresh['p50_s']:.3f} / {fresh['p99_s']:.3f} / {fresh['worst_s']:.3f} s"
        yield f"freshness at {fresh['rate']:,} events/s, p50 / p99 / worst", seen, "0.3 / 1 s"
        yield "  until every table has its rows, p50 / p99", f"{fresh['all_rows_p50_s']:.3f} / {fresh['all_rows_p99_s']:.3f} s", ""


def of_live(state: dict[str, Any]) -> Iterator[Row]:
    replay = state["replay_us"]
    yield f"a state of {state['districts']:,} districts: replay, CPU of the worker an event", f"{replay:.0f} us", ""
    for each in state["phases"]:
        cpu = ", ".join(f"{name} {us:.0f}" for name, us in each["cpu_us"].items())
        together = sum(each["cpu_us"][name] for name in live.TOGETHER)
        what = f"live at {each['rate']:,} events/s" + (f", {each['viewers']} districts looked at" if each["viewers"] else "")
        yield f"{what}, CPU us an event", f"{cpu}; {together / replay:.1f} times the replay", f"aim {MOST_OF_REPLAY}"
        yield "  until every table has its rows, p50 / p99", f"{each['all_rows_p50_s']:.2f} / {each['all_rows_p99_s']:.2f} s", "p99 1 s"
        yield "  rows of windows an event", f"{each['rows']['windows']:.1f}", ""
    yield "  `frontdesk verify` afterwards", "clean" if state["is_verified"] else "DIFFERENCES", "clean"


def of_viewers(page: dict[str, Any]) -> Iterator[Row]:
    seen = f"{page['p50_s']:.2f} / {page['p99_s']:.2f} / {page['worst_s']:.2f} s"
    yield f"{page['viewers']} viewers of the page see a contact after, p50 / p99 / worst", seen, "2 s"
    yield "  CPU and memory of the page", f"{page['of_one_core']:.0%}, {page['resident_mb']:,.0f} MB", ""


def of_state(state: dict[str, Any]) -> Iterator[Row]:
    yield "bytes per remembered case", f"{state['bytes_per_case']:,.0f}", "600, at most 1,200"
    yield "cases recovered per CPU-second", f"{state['recovered_per_s']:,.0f}", "200,000"


def of_intake(loads: Sequence[dict[str, Any]]) -> Iterator[Row]:
    for load in loads:
        yield f"intake, {load['what']}: events per CPU-second", f"{load['per_cpu_s']:,.0f}", ""
        resident = " / ".join(map(str, load["resident_mib"]))
        yield "  answer p50 / p99; memory before / half way / after", f"{load['p50_ms']:.1f} / {load['p99_ms']:.1f} ms; {resident} MiB", ""


def of_queries(asked: Sequence[dict[str, Any]]) -> Iterator[Row]:
    for slow in asked[:SLOWEST]:
        yield f"{slow['query']}, p50 / p95", f"{slow['p50_ms']:.0f} / {slow['p95_ms']:.0f} ms, {slow['rows']:,} rows", "300 ms"


PARTS = {
    "throughput": Part(
        "simulate, publish, then a stock agent, then the worker",
        lambda quick: asdict(throughput.measure(days=5 if quick else 28)),
        of_throughput,
    ),
    "freshness": Part(
        f"events at {RATES[0]} and {RATES[1]} a second",
        lambda quick: [asdict(freshness.measure(rate, 10 if quick else 60)) for rate in RATES],
        of_freshness,
    ),
    "live": Part(
        "a whole state live: CPU of every process, rows, freshness",
        lambda quick: asdict(live.measure(15 if quick else 60)),
        of_live,
    ),
    "viewers": Part(
        f"the page, with {viewers.VIEWERS} viewers",
        lambda quick: asdict(viewers.measure(5 if quick else viewers.UPDATES)),
        of_viewers,
    ),
    "state": Part("the fold: memory and recovery", lambda quick: fold.measure(50_000 if quick else 300_000), of_state),
    "queries": Part(
        "every query of the page, the command line and the dashboards, on 1,200 districts",
        lambda quick: [asdict(each) for each in queries.measure(tables.SMALL if quick else tables.LARGE)],
        of_queries,
    ),
    "intake": Part(
        "publishers by HTTP, alone and beside bad neighbours",
        lambda quick: [asdict(load) for load in intake.measure(1 if quick else 10)],
        of_intake,
    ),
}


def main() -> None:
    asked = arguments().parse_args()
    console = Console(stderr=True)
    results: dict[str, Any] = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{platform.machine()}, Python {platform.python_version()}",
        "quick": asked.quick,
    }
    for name in asked.parts or PARTS:
        console.print(f"{name}: {PARTS[name].says} ...")
        results[name] = PARTS[name].measure(asked.quick)
    Console().print(table(results))
    with RECORD.open("a") as file:
        file.write(json.dumps(results) + "\n")
    console.print(f"written to {RECORD}")


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description="What Frontdesk can do on this machine.")
    parser.add_argument("--quick", action="store_true", help="less of everything: minutes in place of a quarter of an hour")
    parser.add_argument("parts", nargs="*", metavar="PART", type=part, help=f"only these, of {', '.join(PARTS)}")
    return parser


def part(name: str) -> str:
    if name not in PARTS:
        raise argparse.ArgumentTypeError(f"there is no part {name}: name some of {', '.join(PARTS)}")
    return name


def table(results: dict[str, Any]) -> Table:
    made = Table(title="Frontdesk on this machine", title_justify="left")
    for heading in ("what", "measured", "to hold"):
        made.add_column(heading)
    for name, each in PARTS.items():
        for row in each.rows(results[name]) if name in results else ():
            made.add_row(*row)
    return made


if __name__ == "__main__":
    main()
