"""Panels as this project draws them: each has a sentence that says what its number means, and what it says when there is none.

A title ends with the period that counts, which is read from the query: so it cannot differ from what is shown.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Final, TypeVar

from grafana_foundation_sdk.builders import barchart, common, stat, table, text, timeseries
from grafana_foundation_sdk.builders.dashboard import FieldColor, ThresholdsConfig
from grafana_foundation_sdk.models import common as models
from grafana_foundation_sdk.models.dashboard import (
    DataTransformerConfig,
    DynamicConfigValue,
    FieldColorModeId,
    Threshold,
    ThresholdsMode,
)
from grafana_foundation_sdk.models.text import TextMode

from deploy.grafana.sources import CLICKHOUSE, PROMETHEUS, Select, metric

COUNT, DURATION, SHARE, POINTS, SECONDS, YES_NO = "locale", "ms", "percentunit", "none", "s", "bool_yes_no"
INSTANT = "time:MMM D, h:mm a"
"""Units of Grafana: counts in full with separators, milliseconds, 0..1, 0..100, seconds, and milliseconds since the epoch."""
LARGE, MIDDLE = 5, 9
"""Heights in grid units."""
EMPTY: Final = "nothing yet"
NONE: Final = "-"
"""In a cell. Grafana would write what the whole panel says when it is empty."""
SHOWN, WINDOW, NOW = "shown time", "${window:text}", "right now"
"""What counts: the time picker, the variable Window, or neither."""
_DECIMALS: Final = {SHARE: 0, POINTS: 0, COUNT: 0, DURATION: 1}
_CHARACTERS: Final = {COUNT: 7, DURATION: 10, SHARE: 4, POINTS: 4, SECONDS: 10, YES_NO: 3, INSTANT: 16}
_CHARACTER_PX, _PADDING_PX = 7.3, 16

Drawn = TypeVar("Drawn", stat.Panel, table.Panel, timeseries.Panel, barchart.Panel)


@dataclass(frozen=True)
class TableColumn:
    """How a column of an answer is shown. `link` is where a click leads; a hidden one only feeds links.

    `characters` is how long its text usually is at most; `title` stands in the head of the table instead of the name.
    """

    name: str
    unit: str = ""
    link: str = ""
    is_hidden: bool = False
    decimals: int | None = None
    characters: int = 0
    title: str = ""
    empty: str = ""

    def properties(self) -> list[DynamicConfigValue]:
        decimals = _DECIMALS.get(self.unit) if self.decimals is None else self.decimals
        told = {
            "unit": self.unit or None,
            "decimals": decimals,
            "displayName": self.title or None,
            "noValue": self.empty or None,
            "links": [{"title": "Show", "url": self.link}] if self.link else None,
            "custom.hidden": self.is_hidden or None,
        }
        return [DynamicConfigValue(name, value) for name, value in told.items() if value is not None]

    def width(self) -> int:
        """Pixels in which its head and what usually stands in it can be read."""
        characters = max(self.characters, _CHARACTERS.get(self.unit, 0), len(self.title or self.name))
        return ceil(characters * _CHARACTER_PX) + _PADDING_PX


def steps(*colored: tuple[str, float]) -> ThresholdsConfig:
    """Each color from its number on. In the base, which has none, Grafana also writes that there is no number."""
    base = Threshold(None, "text")
    return ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps([base, *(Threshold(value, color) for color, value in colored)])


PLAIN: Final = steps()


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
    period: str = "",
) -> stat.Panel:
    """One answer in large type; the columns `beside` stand beside it."""
    panel = _large(unit, thresholds).with_target(Select(sql)).datasource(CLICKHOUSE)
    for column in beside:
        panel = panel.override_by_name(column, [DynamicConfigValue("noValue", NONE)])
    return _described(panel, title, period or _period(sql), meaning, empty=empty, width=width, height=LARGE)


def measured(title: str, meaning: str, expression: str, unit: str, *, thresholds: ThresholdsConfig = PLAIN) -> stat.Panel:
    """The same of a metric in Prometheus, as it is now."""
    panel = _large(unit, thresholds).with_target(metric(expression, instant=True)).datasource(PROMETHEUS)
    return _described(panel, title, NOW, meaning, empty="no worker tells Prometheus anything", width=6, height=LARGE)


def _large(unit: str, thresholds: ThresholdsConfig) -> stat.Panel:
    panel = stat.Panel().reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).fields("").values(False))
    panel = panel.color_mode(models.BigValueColorMode.VALUE).graph_mode(models.BigValueGraphMode.NONE).unit(unit)
    panel = _colored(panel, thresholds)
    return panel.decimals(_DECIMALS[unit]) if unit in _DECIMALS else panel


def against(panel: stat.Panel, sql: str, **colors: str) -> stat.Panel:
    """Takes each of `colors` past the number in its column of what `sql` gives, for example a promise of the directory; null: never.

    Grafana makes the lowest of these thresholds the base, in whose color it also writes that there is no number. So `sql` has
    a column `base` below all numbers, which has no color of its own.
    """
    mappings = [
        {"fieldName": limit, "handlerKey": "threshold1", "handlerArguments": {"threshold": {"color": color}}}
        for limit, color in {"base": "text", **colors}.items()
    ]
    options = {"configRefId": "limit", "mappings": mappings}
    return panel.with_target(Select(sql, ref="limit")).with_transformation(DataTransformerConfig("configFromData", options=options))


def promised(panel: stat.Panel, here: str) -> stat.Panel:
    """Green from the share on that the directory promises for the row `here` (FROM ... of `indicators`), orange within a tenth below it."""
    sql = f"SELECT -1 AS base, 0 * promised_share AS missed, promised_share - 0.1 AS nearly, promised_share AS kept {here}"
    return against(panel, sql, missed="red", nearly="orange", kept="green")


def listing(
    title: str,
    meaning: str,
    sql: str,
    columns: Sequence[TableColumn],
    *,
    empty: str = EMPTY,
    width: int = 12,
    height: int = MIDDLE,
    period: str = "",
) -> table.Panel:
    """`columns` are all of the answer. Each is as wide as it has to be; the longest text takes what is left."""
    panel = table.Panel().with_target(Select(sql)).cell_height(models.TableCellHeight.SM).datasource(CLICKHOUSE)
    panel = panel.override_by_regexp("/.*/", [DynamicConfigValue("noValue", NONE)])
    seen = [column for column in columns if not column.is_hidden]
    longest = max(seen, key=lambda column: (not column.unit, column.width()))
    for column in columns:
        wide = [] if column.is_hidden else [DynamicConfigValue(f"custom.{'minWidth' if column is longest else 'width'}", column.width())]
        panel = panel.override_by_name(column.name, column.properties() + wide)
    return _described(panel, title, period or _period(sql), meaning, empty=empty, width=width, height=height)


def trend(
    title: str,
    meaning: str,
    sql: str,
    unit: str,
    *,
    bars: bool = False,
    stacked: Sequence[tuple[str, str]] = (),
    step: str = "",
    empty: str = EMPTY,
    width: int = 12,
) -> timeseries.Panel:
    """Over the shown time; `step` is the least width of a point. Columns that are `stacked` stand on each other in their colors."""
    panel = timeseries.Panel().with_target(Select(sql, is_series=True)).datasource(CLICKHOUSE).unit(unit).decimals(_DECIMALS[unit]).min(0)
    panel = panel.draw_style(models.GraphDrawStyle.BARS if bars else models.GraphDrawStyle.LINE).fill_opacity(60 if bars else 8)
    panel = panel.interval(step) if step else panel
    if stacked:
        panel = panel.stacking(common.StackingConfig().mode(models.StackingMode.NORMAL).group("A"))
    for column, color in stacked:
        panel = panel.override_by_name(column, [DynamicConfigValue("color", {"mode": FieldColorModeId.FIXED, "fixedColor": color})])
    return _described(panel, title, _period(sql), meaning, empty=empty, width=width, height=MIDDLE)


def series(title: str, meaning: str, expression: str, legend: str, unit: str, *, empty: str) -> timeseries.Panel:
    """A metric of Prometheus over the shown time."""
    panel = timeseries.Panel().with_target(metric(expression, legend)).datasource(PROMETHEUS).unit(unit).min(0)
    return _described(panel, title, SHOWN, meaning, empty=empty, width=12, height=MIDDLE)


def groups(
    title: str,
    meaning: str,
    sql: str,
    column: TableColumn,
    *,
    empty: str = EMPTY,
    width: int = 8,
    thresholds: ThresholdsConfig = PLAIN,
    period: str = "",
) -> barchart.Panel:
    """A bar for each row, named by the first column."""
    panel = barchart.Panel().with_target(Select(sql)).datasource(CLICKHOUSE).orientation(models.VizOrientation.HORIZONTAL).min(0)
    if thresholds is not PLAIN:
        panel = _colored(panel, thresholds)
    panel = panel.override_by_name(column.name, column.properties())
    return _described(panel, title, period or _period(sql), meaning, empty=empty, width=width, height=MIDDLE)


def words(content: str, *, title: str = "", width: int = 24, height: int = 3) -> text.Panel:
    return text.Panel().title(title).mode(TextMode.MARKDOWN).content(content).transparent(not title).span(width).height(height)


def _colored(panel: Drawn, thresholds: ThresholdsConfig) -> Drawn:
    return panel.thresholds(thresholds).color_scheme(FieldColor().mode(FieldColorModeId.THRESHOLDS))


def _period(sql: str) -> str:
    if "${window:" in sql:
        return WINDOW
    return SHOWN if "$__timeFilter(" in sql else NOW


def _described(panel: Drawn, title: str, period: str, meaning: str, *, empty: str, width: int, height: int) -> Drawn:
    return panel.title(f"{title} · {period}").description(meaning).no_value(empty).span(width).height(height)
