"""Panels as this project draws them: each has a sentence that says what its number means, and what it says when there is none."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from grafana_foundation_sdk.builders import barchart, common, stat, table, text, timeseries
from grafana_foundation_sdk.builders.dashboard import ThresholdsConfig
from grafana_foundation_sdk.models import common as models
from grafana_foundation_sdk.models.dashboard import DataTransformerConfig, DynamicConfigValue, Threshold, ThresholdsMode
from grafana_foundation_sdk.models.text import TextMode

from deploy.grafana.sources import CLICKHOUSE, PROMETHEUS, Select

COUNT, DURATION, SHARE, POINTS, INSTANT = "short", "ms", "percentunit", "none", "dateTimeAsLocal"
"""Units of Grafana: counts, milliseconds, 0..1, 0..100, milliseconds since the epoch."""
LARGE, MIDDLE = 5, 9
"""Heights in grid units."""
EMPTY: Final = "nothing yet"
_DECIMALS: Final = {SHARE: 0, POINTS: 0, COUNT: 0, DURATION: 1}

Drawn = TypeVar("Drawn", stat.Panel, table.Panel, timeseries.Panel, barchart.Panel)


@dataclass(frozen=True)
class Column:
    """How a column of an answer is shown. `link` is where a click leads; a hidden one only feeds links."""

    name: str
    unit: str = ""
    link: str = ""
    is_hidden: bool = False

    def properties(self) -> list[DynamicConfigValue]:
        told: list[DynamicConfigValue] = []
        if self.unit:
            told.append(DynamicConfigValue("unit", self.unit))
        if self.unit in _DECIMALS:
            told.append(DynamicConfigValue("decimals", _DECIMALS[self.unit]))
        if self.link:
            told.append(DynamicConfigValue("links", [{"title": "Show", "url": self.link}]))
        if self.is_hidden:
            told.append(DynamicConfigValue("custom.hidden", True))
        return told


def at_least(share: float) -> ThresholdsConfig:
    """Green from `share` on, orange within a tenth below it."""
    return steps(("red", None), ("orange", round(share - 0.1, 6)), ("green", share))


def steps(*colored: tuple[str, float | None]) -> ThresholdsConfig:
    return ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps([Threshold(value, color) for color, value in colored])


PLAIN: Final = steps(("text", None))


def number(
    title: str, meaning: str, sql: str, unit: str, *, empty: str = EMPTY, width: int = 6, thresholds: ThresholdsConfig = PLAIN
) -> stat.Panel:
    """One answer in large type; further columns of its row stand beside it."""
    panel = (
        stat.Panel()
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).fields("").values(False))
        .color_mode(models.BigValueColorMode.VALUE)
        .graph_mode(models.BigValueGraphMode.NONE)
        .thresholds(thresholds)
        .unit(unit)
        .decimals(_DECIMALS[unit])
        .with_target(Select(sql))
    )
    return _described(panel, title, meaning, empty=empty, width=width, height=LARGE)


def against(panel: stat.Panel, limit: str, sql: str) -> stat.Panel:
    """Turns orange past the number in the column `limit` of what `sql` gives, for example a promise of the directory; null: never."""
    mapping = {"fieldName": limit, "handlerKey": "threshold1", "handlerArguments": {"threshold": {"color": "orange"}}}
    options = {"configRefId": "limit", "mappings": [mapping]}
    return panel.with_target(Select(sql, ref="limit")).with_transformation(DataTransformerConfig("configFromData", options=options))


def listing(
    title: str, meaning: str, sql: str, columns: Sequence[Column], *, empty: str = EMPTY, width: int = 12, height: int = MIDDLE
) -> table.Panel:
    panel = table.Panel().with_target(Select(sql)).cell_height(models.TableCellHeight.SM)
    for column in columns:
        if told := column.properties():
            panel = panel.override_by_name(column.name, told)
    return _described(panel, title, meaning, empty=empty, width=width, height=height)


def trend(
    title: str, meaning: str, sql: str, unit: str, *, bars: bool = False, step: str = "", empty: str = EMPTY, width: int = 12
) -> timeseries.Panel:
    panel = timeseries.Panel().with_target(Select(sql, is_series=True)).unit(unit).min(0)
    panel = panel.draw_style(models.GraphDrawStyle.BARS if bars else models.GraphDrawStyle.LINE).fill_opacity(60 if bars else 8)
    panel = panel.interval(step) if step else panel
    return _described(panel, title, meaning, empty=empty, width=width, height=MIDDLE)


def groups(title: str, meaning: str, sql: str, columns: Sequence[Column], *, empty: str = EMPTY, width: int = 8) -> barchart.Panel:
    panel = barchart.Panel().with_target(Select(sql)).orientation(models.VizOrientation.HORIZONTAL).min(0)
    for column in columns:
        panel = panel.override_by_name(column.name, column.properties())
    return _described(panel, title, meaning, empty=empty, width=width, height=MIDDLE)


def words(content: str, *, height: int = 3) -> text.Panel:
    return text.Panel().mode(TextMode.MARKDOWN).content(content).transparent(True).span(24).height(height)


def from_prometheus(panel: Drawn) -> Drawn:
    return panel.datasource(PROMETHEUS)


def _described(panel: Drawn, title: str, meaning: str, *, empty: str, width: int, height: int) -> Drawn:
    return panel.title(title).description(meaning).no_value(empty).datasource(CLICKHOUSE).span(width).height(height)
