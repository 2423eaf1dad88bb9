"""`make bench`: what Frontdesk can do on this machine, as a table for people and a JSON line in `bench.jsonl` for the record.

    python -m tests.benchmarks [--quick]

Rates are events per CPU-second of a process, so that what else runs on the machine matters less; the ratio to a stock
Faust agent is taken in the same run.
"""

import json
import platform
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.benchmarks import dashboards, fold, freshness, throughput, viewers

RATES = (500, 2_766)
"""Events a second: a very large district at its peak, and all of Texas."""
SLOWEST = 5
"""Queries of dashboards that are shown, of those that took longest."""
RECORD = Path("bench.jsonl")
MINIMUM, AIM, LEAST_RATIO = 20_000, 40_000, 5


def main() -> None:
    quick = "--quick" in sys.argv
    console = Console(stderr=True)
    console.print("throughput: simulate, publish, then a stock agent, then the worker ...")
    flow = throughput.measure(days=5 if quick else 28)
    fresh = []
    for rate in RATES:
        console.print(f"freshness at {rate} events/s ...")
        fresh.append(freshness.measure(rate, 10 if quick else 60))
    console.print(f"the page, with {viewers.VIEWERS} viewers ...")
    looking = viewers.measure(5 if quick else viewers.UPDATES)
    console.print("the fold: memory and recovery ...")
    state = fold.measure(50_000 if quick else 300_000)
    console.print("every query of the dashboards ...")
    panels = dashboards.measure(dashboards.QUICK_CASES if quick else dashboards.CASES)
    results = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{platform.machine()}, Python {platform.python_version()}",
        "quick": quick,
        "throughput": asdict(flow),
        "freshness": [asdict(f) for f in fresh],
        "viewers": asdict(looking),
        "state": state,
        "dashboards": [asdict(each) for each in panels],
    }
    show(results)
    with RECORD.open("a") as file:
        file.write(json.dumps(results) + "\n")
    console.print(f"written to {RECORD}")


def show(results: dict[str, Any]) -> None:
    table = Table(title="Frontdesk on this machine", title_justify="left")
    for heading in ("what", "measured", "to hold"):
        table.add_column(heading)
    flow, state = results["throughput"], results["state"]
    table.add_row("events per CPU-second of the worker", f"{flow['worker']:,.0f}", f"{MINIMUM:,}, aim {AIM:,}")
    table.add_row("... of a stock Faust agent, smaller job", f"{flow['stock']:,.0f}", "")
    table.add_row("ratio", f"{flow['ratio']:.1f}", f"{LEAST_RATIO}")
    table.add_row("events", f"{flow['events']:,}", "")
    table.add_row("resident memory of the worker", f"{flow['resident_mb']:,.0f} MB", "")
    for fresh in results["freshness"]:
        table.add_row(
            f"freshness at {fresh['rate']:,} events/s, p50 / p99 / worst",
            f"{fresh['p50_s']:.3f} / {fresh['p99_s']:.3f} / {fresh['worst_s']:.3f} s",
            "0.3 / 1 s",
        )
        table.add_row("  until every table has its rows, p50 / p99", f"{fresh['all_rows_p50_s']:.3f} / {fresh['all_rows_p99_s']:.3f} s", "")
    page = results["viewers"]
    seen = f"{page['p50_s']:.2f} / {page['p99_s']:.2f} / {page['worst_s']:.2f} s"
    table.add_row(f"{page['viewers']} viewers of the page see a contact after, p50 / p99 / worst", seen, "2 s")
    table.add_row("  CPU and memory of the page", f"{page['of_one_core']:.0%}, {page['resident_mb']:,.0f} MB", "")
    for slow in results["dashboards"][:SLOWEST]:
        table.add_row(f"{slow['query']}, p50 / p95", f"{slow['p50_ms']:.0f} / {slow['p95_ms']:.0f} ms", "300 ms")
    table.add_row("bytes per remembered case", f"{state['bytes_per_case']:,.0f}", "600, at most 1,200")
    table.add_row("cases recovered per CPU-second", f"{state['recovered_per_s']:,.0f}", "200,000")
    Console().print(table)


if __name__ == "__main__":
    main()
