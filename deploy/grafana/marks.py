"""What is marked on the time axis: critical promises that were broken, and times in which the district was closed."""

from typing import Final

from grafana_foundation_sdk.builders.dashboard import AnnotationQuery

from deploy.grafana.sources import CLICKHOUSE, MarksQuery
from deploy.grafana.variables import CAME_BEFORE, DISTRICT, ZONE, narrowed

_CLOSED: Final = f"""
WITH
    (SELECT max(revision) FROM directory_revisions FINAL) AS newest,
    (
        SELECT argMax(schedule, (district != '', valid_from)) FROM schedules FINAL
        WHERE revision = newest AND district IN ('', {DISTRICT}) AND school = '' AND department = '' AND valid_from <= now64(3)
    ) AS own
SELECT closed_at AS time, opens_at AS timeEnd, 'closed' AS text
FROM
(
    SELECT opens_at, lagInFrame(toNullable(closes_at)) OVER (ORDER BY opens_at) AS closed_at
    FROM openings FINAL
    WHERE schedule = own AND opens_at >= $__fromTime - INTERVAL 30 DAY AND opens_at <= $__toTime + INTERVAL 30 DAY
)
WHERE opens_at > closed_at + INTERVAL 24 HOUR AND opens_at >= $__fromTime AND closed_at <= $__toTime
ORDER BY time"""


def breaches(*, by_place: bool) -> AnnotationQuery:
    """One mark a day with its number; off until somebody wants to see them, for they stand before the bars."""
    place = narrowed("school", "department") if by_place else "1"
    sql = f"""
SELECT toStartOfDay(reached_at, {ZONE}) AS time,
    concat('critical promises missed: ', toString(count()),
        ' (answers ', toString(countIf(target = 'response')), ', settling ', toString(countIf(target = 'resolution')), ')') AS text
FROM breaches
WHERE district = {DISTRICT} AND {place} AND stage = 'breach' AND priority = 'critical' AND {CAME_BEFORE} AND $__timeFilter(reached_at)
GROUP BY time
ORDER BY time"""
    return _marks("Critical promises missed", "red", sql).enable(False)


def closed_days() -> AnnotationQuery:
    """Over 24 hours without an opening of the district's own schedule: weekends, holidays, snow days."""
    return _marks("Closed", "gray", _CLOSED)


def _marks(name: str, color: str, sql: str) -> AnnotationQuery:
    return AnnotationQuery().name(name).enable(True).icon_color(color).datasource(CLICKHOUSE).target(MarksQuery(sql))
