"""The two data sources, by their fixed uids, and a query of each in the form in which Grafana keeps it.

The foundation SDK knows Prometheus and not ClickHouse, so the ClickHouse plugin's query (its `CHSqlQuery`) is here.
"""

from dataclasses import dataclass
from typing import Final

from grafana_foundation_sdk.builders import prometheus
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models.dashboard import AnnotationTarget, DataSourceRef

CLICKHOUSE: Final = DataSourceRef("grafana-clickhouse-datasource", "frontdesk-clickhouse")
PROMETHEUS: Final = DataSourceRef("prometheus", "frontdesk-prometheus")

_TIME_SERIES, _TABLE = 0, 1
"""The plugin's `format`."""


@dataclass(frozen=True)
class ClickHouseQuery(Dataquery):
    """One SELECT. Where it is a series its first column is the time, and rows come in the order of time."""

    sql: str
    ref: str
    is_series: bool

    def to_json(self) -> dict[str, object]:
        return {
            "refId": self.ref,
            "datasource": CLICKHOUSE,
            "editorType": "sql",
            "queryType": "timeseries" if self.is_series else "table",
            "format": _TIME_SERIES if self.is_series else _TABLE,
            "pluginVersion": "",
            "rawSql": self.sql,
        }


@dataclass(frozen=True)
class Select(Builder[Dataquery]):
    """A query of a panel."""

    sql: str
    ref: str = "A"
    is_series: bool = False

    def build(self) -> Dataquery:
        return ClickHouseQuery(self.sql.strip(), self.ref, self.is_series)


class _MarksTarget(AnnotationTarget):
    """The SDK's target knows Grafana's own annotations only."""

    def __init__(self, sql: str) -> None:
        super().__init__()
        self._query = ClickHouseQuery(sql.strip(), "annotation", is_series=False)

    def to_json(self) -> dict[str, object]:
        return self._query.to_json()


@dataclass(frozen=True)
class MarksQuery(Builder[AnnotationTarget]):
    """A query of an annotation: `time`, `timeEnd` where it has a length, and `text`."""

    sql: str

    def build(self) -> AnnotationTarget:
        return _MarksTarget(self.sql)


def metric(expression: str, legend: str = "", ref: str = "A", *, instant: bool = False) -> prometheus.Dataquery:
    query = prometheus.Dataquery().datasource(PROMETHEUS).expr(expression).legend_format(legend).ref_id(ref)
    return query.instant() if instant else query.range()
