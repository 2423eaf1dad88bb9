"""Every column of a table, once: its unit, its width, its words. So a rating, a case or a wait is the same on all dashboards."""

from dataclasses import replace
from typing import Final

from deploy.grafana import links
from deploy.grafana.panels import COUNT, DURATION, INSTANT, POINTS, SECONDS, SHARE, YES_NO, TableColumn

_OF_UNIT: Final = {
    COUNT: "people, questions, waiting now, missed, still open, reopens, records, contacts, in a day, in an hour, next offset",
    DURATION: (
        "waited, wait, late by, half later than, answered after, settled after, after the last, half answered under, "
        "half answered under (open hours), took (open hours)"
    ),
    INSTANT: "received, due, answer due, came, at, first, last, counted up to",
    SHARE: "answered in time, settled",
    POINTS: "score, points, partition",
}
_OF_TEXT: Final = {
    "kind": 10, "what": 45, "who": 20, "promise": 16, "stands": 8, "status": 8, "priority": 8, "channel": 8, "language": 8, "topic": 15,
    "name": 21, "group": 16, "reason": 20, "Kafka topic": 20, "example": 60, "id": 21, "district": 12,
}  # fmt: skip
"""How long what they say usually is, in characters."""

_KNOWN: Final = {
    column.name: column
    for column in (
        *(TableColumn(name, unit) for unit, names in _OF_UNIT.items() for name in names.split(", ")),
        *(TableColumn(name, characters=characters) for name, characters in _OF_TEXT.items()),
        *(TableColumn(name, is_hidden=True) for name in ("school", "department", "school_id", "department_id")),
        TableColumn("school_name", title="school", characters=21),
        TableColumn("department_name", title="department", characters=17),
        TableColumn("case", link=links.to_case(), characters=11),
        TableColumn("late", YES_NO),
        TableColumn("behind", SECONDS, decimals=0),
        TableColumn("rating, of 10", POINTS, decimals=1),
        TableColumn("burn rate", POINTS, decimals=1),
    )
}


def known(name: str, link: str = "") -> TableColumn:
    """One of them, with the address to which a click leads."""
    return replace(_KNOWN[name], link=link or _KNOWN[name].link)


def columns(*names: str) -> list[TableColumn]:
    return [known(name) for name in names]
