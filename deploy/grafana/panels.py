"""Panels as this project draws them: each has a sentence that says what its number means, and what it says when there is none."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from grafana_foundation_sdk.builders import barchart, common, stat, table, text, timeseries
from grafana_foundation_sdk.builders.dashboard import ThresholdsConfig
from grafana_foundation_sdk.models import common as models
from grafana_foundation_sdk.models.dashboard import DataTransformerConfig, DynamicConfigValue, Threshold, ThresholdsMode
from grafana_foundation_sdk.models.text import TextMode

from deploy.grafana.sources import CLICKHOUSE, PROMETHEUS, Select, metric

COUNT, DURATION, SHARE, POINTS, INSTANT = "short", "ms", "percentunit", "none", "dateTimeAsLocal"
"""Units of Grafana: counts, milliseconds, 0..1, 0..100, milliseconds since the epoch."""
LARGE, MIDDLE = 5, 9
"""Heights in grid units."""
EMPTY: Final = "nothing yet"
NONE: Final = "-"
"""In a cell. Grafana would write what the whole panel says when it is empty."""
_DECIMALS: Final = {SHARE: 0, POINTS: 0, COUNT: 0, DURATION: 1}

Drawn = TypeVar("Drawn", stat.Panel, table.Panel, timeseries.Panel, barchart.Panel)


@dataclass(frozen=True)
class TableColumn:
    """How a column of an answer is shown. `link` is where a click leads; a hidden one only feeds links."""

    name: str
    unit: str = ""
    link: str = ""
    is_hidden: bool = False
    decimals: int | None = None

    def properties(self) -> list[DynamicConfigValue]:
        told: list[DynamicConfigValue] = []
        if self.unit:
            told += [DynamicConfigValue("unit", self.unit), DynamicConfigValue("noValue", NONE)]
        decimals = _DECIMALS.get(self.unit) if self.decimals is None else self.decimals
        if decimals is not None:
            told.append(DynamicConfigValue("decimals", decimals))
        if self.link:
            told.append(DynamicConfigValue("links", [{"title": "Show", "url": self.link}]))
        if self.is_hidden:
            told.append(DynamicConfigValue("custom.hidden", True))
        return told


def steps(*colored: tuple[str, float | None]) -> ThresholdsConfig:
    return ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps([Threshold(value, color) for color, value in colored])


PLAIN: Final = steps(("text", None))


def number(
    title: str,
    meaning: str,
    sql: str,
    unit: str,
    *,
    beside: Sequence[str] = (),
    empty: str = EMPTY,
    width: int = 6,
    thresholds: ThresholdsConfig = PLAIN,
) -> stat.Panel:
    """One answer in large type; the columns `beside` stand beside it."""
    panel = _large(unit, thresholds).with_target(Select(sql)).datasource(CLICKHOUSE)
    for column in beside:
        panel = panel.override_by_name(column, [DynamicConfigValue("noValue", NONE)])
    return _described(panel, title, meaning, empty=empty, width=width, height=LARGE)


def measured(
    title: str, meaning: str, expression: str, unit: str, *, empty: str = EMPTY, width: int = 6, thresholds: ThresholdsConfig = PLAIN
) -> stat.Panel:
    """The same of a metric in Prometheus, as it is now."""
    panel = _large(unit, thresholds).with_target(metric(expression, instant=True)).datasource(PROMETHEUS)
    return _described(panel, title, meaning, empty=empty, width=width, height=LARGE)


def _large(unit: str, thresholds: ThresholdsConfig) -> stat.Panel:
    panel = stat.Panel().reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).fields("").values(False))
    panel = panel.color_mode(models.BigValueColorMode.VALUE).graph_mode(models.BigValueGraphMode.NONE).thresholds(thresholds).unit(unit)
    return panel.decimals(_DECIMALS[unit]) if unit in _DECIMALS else panel


def against(panel: stat.Panel, sql: str, **colors: str) -> stat.Panel:
    """Takes each of `colors` past the number in its column of what `sql` gives, for example a promise of the directory; null: never."""
    mappings = [
        {"fieldName": limit, "handlerKey": "threshold1", "handlerArguments": {"threshold": {"color": color}}}
        for limit, color in colors.items()
    ]
    options = {"configRefId": "limit", "mappings": mappings}
    return panel.with_target(Select(sql, ref="limit")).with_transformation(DataTransformerConfig("configFromData", options=options))


def promised(panel: stat.Panel, here: str) -> stat.Panel:
    """Green from the share on that the directory promises for the row `here` (FROM ... of `indicators`), orange within a tenth below it."""
    sql = f"SELECT 0 * promised_share AS missed, promised_share - 0.1 AS nearly, promised_share AS kept {here}"
    return against(panel, sql, missed="red", nearly="orange", kept="green")


def listing(
    title: str, meaning: str, sql: str, columns: Sequence[TableColumn], *, empty: str = EMPTY, width: int = 12, height: int = MIDDLE
) -> table.Panel:
    panel = table.Panel().with_target(Select(sql)).cell_height(models.TableCellHeight.SM).datasource(CLICKHOUSE)
    return _described(_with_columns(panel, columns), title, meaning, empty=empty, width=width, height=height)


def trend(
    title: str, meaning: str, sql: str, unit: str, *, bars: bool = False, step: str = "", empty: str = EMPTY, width: int = 12
) -> timeseries.Panel:
    """Over the shown time; `step` is the least width of a point."""
    panel = timeseries.Panel().with_target(Select(sql, is_series=True)).datasource(CLICKHOUSE).unit(unit).min(0)
    panel = panel.draw_style(models.GraphDrawStyle.BARS if bars else models.GraphDrawStyle.LINE).fill_opacity(60 if bars else 8)
    panel = panel.interval(step) if step else panel
    return _described(panel, title, meaning, empty=empty, width=width, height=MIDDLE)


def series(title: str, meaning: str, expression: str, legend: str, unit: str) -> timeseries.Panel:
    """A metric of Prometheus over the shown time."""
    panel = timeseries.Panel().with_target(metric(expression, legend)).datasource(PROMETHEUS).unit(unit).min(0)
    return _described(panel, title, meaning, empty="no worker tells Prometheus anything", width=12, height=MIDDLE)


def groups(
    title: str,
    meaning: str,
    sql: str,
    columns: Sequence[TableColumn],
    *,
    empty: str = EMPTY,
    width: int = 8,
    thresholds: ThresholdsConfig = PLAIN,
) -> barchart.Panel:
    """A bar for each row, named by the first column."""
    panel = barchart.Panel().with_target(Select(sql)).datasource(CLICKHOUSE).orientation(models.VizOrientation.HORIZONTAL).min(0)
    panel = _with_columns(panel.thresholds(thresholds), columns)
    return _described(panel, title, meaning, empty=empty, width=width, height=MIDDLE)


def words(content: str) -> text.Panel:
    return text.Panel().title("").mode(TextMode.MARKDOWN).content(content).transparent(True).span(24).height(3)


def _with_columns(panel: Drawn, columns: Sequence[TableColumn]) -> Drawn:
    for column in columns:
        panel = panel.override_by_name(column.name, column.properties())
    return panel


def _described(panel: Drawn, title: str, meaning: str, *, empty: str, width: int, height: int) -> Drawn:
    return panel.title(title).description(meaning).no_value(empty).span(width).height(height)
