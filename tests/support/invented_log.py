"""Makes `invented.csv`, a small help desk log in which everything is invented: python -m tests.support.invented_log."""

import csv
import random
import sys
from datetime import UTC, datetime, timedelta
from typing import TextIO

COLUMNS = ["case", "activity", "time", "resource", "customer", "product", "workgroup", "section", "seriousness", "service_level"]
STEPS = ["Assign seriousness", "Take in charge ticket", "Wait", "Take in charge ticket", "Resolve ticket", "Closed", "Resolve ticket"]


def write(out: TextIO, cases: int = 60, seed: int = 7) -> None:
    """Overlapping cases of one to nine steps, some at the same instant, some beginning with a reply or a resolution."""
    draw = random.Random(seed)
    log = []
    for case in range(1, cases + 1):
        at = datetime(2013, 3, 1, 8, tzinfo=UTC) + timedelta(minutes=draw.randrange(60_000))
        place = {name: f"Value {draw.randint(1, most)}" for name, most in (("customer", 20), ("product", 4), ("workgroup", 3))}
        for _ in range(draw.randint(1, 9)):
            log.append(
                (
                    at,
                    {
                        "case": f"Case {case}",
                        "activity": draw.choice(STEPS),
                        "time": f"{at:%Y-%m-%dT%H:%M:%SZ}",
                        "resource": "Value 1",
                        **place,
                    },
                )
            )
            at += timedelta(seconds=draw.choice([0, 1, 59, 600, 3_600, 86_400, 400_000]))
    writer = csv.DictWriter(out, COLUMNS, restval="Value 1", lineterminator="\n")
    writer.writeheader()
    writer.writerows(row for _, row in sorted(log, key=lambda item: item[0]))


if __name__ == "__main__":
    write(sys.stdout)
