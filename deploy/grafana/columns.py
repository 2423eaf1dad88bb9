"""The columns that several tables have, each of one name, unit and width."""

from typing import Final

from deploy.grafana import links
from deploy.grafana.panels import COUNT, DURATION, INSTANT, POINTS, SHARE, TableColumn

CASE: Final = TableColumn("case", link=links.to_case(), characters=11)
PRIORITY: Final = TableColumn("priority", characters=8)
CHANNEL: Final = TableColumn("channel", characters=8)
LANGUAGE: Final = TableColumn("language", characters=8)
STATUS: Final = TableColumn("status", characters=8)
TOPIC: Final = TableColumn("topic", characters=15)
SCHOOL: Final = TableColumn("school_name", title="school", characters=21)
DEPARTMENT: Final = TableColumn("department_name", title="department", characters=17)
RATING: Final = TableColumn("rating, of 10", POINTS, decimals=1)
PEOPLE: Final = TableColumn("people", COUNT)
IN_TIME: Final = TableColumn("answered in time", SHARE)
SCORE: Final = TableColumn("score", POINTS)


def count(name: str) -> TableColumn:
    return TableColumn(name, COUNT)


def duration(name: str) -> TableColumn:
    return TableColumn(name, DURATION)


def instant(name: str) -> TableColumn:
    return TableColumn(name, INSTANT)
