"""The frame of every dashboard: variables, marks, links, four weeks back from now."""

from collections.abc import Sequence
from dataclasses import dataclass

from grafana_foundation_sdk.builders import barchart, dashboard, stat, table, text, timeseries
from grafana_foundation_sdk.models.dashboard import Dashboard

from deploy.grafana import links

Panel = barchart.Panel | stat.Panel | table.Panel | text.Panel | timeseries.Panel
Variable = dashboard.QueryVariable | dashboard.CustomVariable | dashboard.TextBoxVariable


@dataclass(frozen=True)
class Board:
    """`about` says whose question it answers; `panels` stand from left to right, 24 units a row."""

    uid: str
    title: str
    about: str
    variables: Sequence[Variable]
    marks: Sequence[dashboard.AnnotationQuery]
    panels: Sequence[Panel]
    runbooks: Sequence[str] = ()

    def build(self, all_boards: Sequence["Board"]) -> Dashboard:
        board = (
            dashboard.Dashboard(self.title).uid(self.uid).description(self.about).tags(["frontdesk"]).timezone("browser")
            .time("now-28d", "now").refresh("1m").readonly().version(1)
        )  # fmt: skip
        for each in all_boards:
            if each.uid != self.uid:
                board.link(links.to_dashboard(each.title, each.uid))
        for name in self.runbooks:
            board.link(links.to_runbook(name))
        board.variables(list(self.variables)).annotations(list(self.marks))
        for panel in self.panels:
            board.with_panel(panel)
        return board.build()
