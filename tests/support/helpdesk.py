"""A help desk's log as events, and its numbers by plain Python: two readings of one file that share nothing but the file."""

import collections
import csv
import gzip
import json
import statistics
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

Row = dict[str, str]

REPLY, RESOLUTION = "Take in charge ticket", "Resolve ticket"


def rows_of(file: Path) -> list[Row]:
    content = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
    return list(csv.DictReader(content.decode().splitlines()))


def slug(text: str) -> str:
    return text.lower().replace(" ", "-")


def events_of(rows: list[Row]) -> Iterator[dict[str, Any]]:
    """CloudEvents in the order of the log; a first row that is a reply or a resolution makes two."""
    first: dict[str, Row] = {}
    for number, row in enumerate(rows):
        opening = first.setdefault(row["case"], row)
        if opening is row:
            yield _event("contact", f"row-{number:06d}-contact", row, opening, {"stakeholder": slug(row["customer"])})
        if row["activity"] in (REPLY, RESOLUTION):
            yield _event("reply" if row["activity"] == REPLY else "resolution", f"row-{number:06d}", row, opening, {})


def _event(kind: str, identity: str, row: Row, opening: Row, data: dict[str, str]) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": identity,
        "source": "/padova/helpdesk",
        "type": f"org.frontdesk.{kind}.v1",
        "subject": slug(row["case"]),
        "time": row["time"],
        "data": {"district": "padova", "school": slug(opening["product"]), "department": slug(opening["workgroup"]), **data},
    }


def wire(event: dict[str, Any]) -> bytes:
    return json.dumps(event).encode()


# -- the numbers, by hand ---------------------------------------------------------------------------------------------
def summaries(rows: list[Row]) -> dict[str, Any]:
    """{"all": summary, "product": {name: summary of the six largest}, "workgroup": ...}."""
    cases = collections.defaultdict(list)
    for row in rows:
        cases[row["case"]].append(row)
    histories = [sorted(case, key=lambda r: (r["time"], r is not case[0], r["activity"] == RESOLUTION)) for case in cases.values()]
    out: dict[str, Any] = {"all": _summary(histories)}
    for column in ("product", "workgroup"):
        groups = collections.defaultdict(list)
        for history in histories:
            groups[history[0][column]].append(history)
        out[column] = {name: _summary(g) for name, g in sorted(groups.items(), key=lambda item: -len(item[1]))[:6]}
    return out


def _summary(histories: list[list[Row]]) -> dict[str, Any]:
    counts = collections.Counter(contacts=len(histories), replies=0, resolutions=0, reopens=0)
    durations: dict[str, list[float]] = {"first_response": [], "first_resolution": [], "resolution": []}
    for history in histories:
        received = _seconds(history[0])
        replies = [_seconds(r) - received for r in history if r["activity"] == REPLY]
        resolutions = [_seconds(r) - received for r in history if r["activity"] == RESOLUTION]
        counts.update(replies=len(replies), resolutions=len(resolutions), reopens=_reopens(history))
        durations["first_response"] += replies[:1]
        durations["first_resolution"] += resolutions[:1]
        durations["resolution"] += resolutions[-1:]
    stakeholders = len({history[0]["customer"] for history in histories})
    return {**counts, "stakeholders": stakeholders, **{name: spread(values) for name, values in durations.items()}}


def spread(values: list[float]) -> dict[str, float]:
    """Count, sum, mean and median of seconds, rounded as they are published."""
    if not values:
        return {"n": 0}
    return {
        "n": len(values),
        "sum_s": int(sum(values)),
        "mean_s": round(statistics.mean(values), 3),
        "median_s": float(statistics.median(values)),
    }


def _reopens(history: list[Row]) -> int:
    """Resolutions that a reply and then another resolution follow."""
    letters = "".join("R" if r["activity"] == RESOLUTION else "r" if r["activity"] == REPLY else "" for r in history)
    pieces = letters.split("R")
    return sum("r" in piece for piece in pieces[1:-1])


def _seconds(row: Row) -> float:
    return datetime.fromisoformat(row["time"]).timestamp()
