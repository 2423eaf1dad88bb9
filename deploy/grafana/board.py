"""The frame of every dashboard: variables, marks, one menu, and the time with which it opens."""

from collections.abc import Sequence
from dataclasses import dataclass

from grafana_foundation_sdk.builders import barchart, dashboard, stat, table, text, timeseries
from grafana_foundation_sdk.models.dashboard import Dashboard

from deploy.grafana import links

Panel = barchart.Panel | stat.Panel | table.Panel | text.Panel | timeseries.Panel
Variable = dashboard.QueryVariable | dashboard.CustomVariable | dashboard.TextBoxVariable
FOUR_WEEKS, SIX_HOURS = "now-28d", "now-6h"


@dataclass(frozen=True)
class Board:
    """`about` says whose question it answers; `panels` stand from left to right, 24 units a row."""

    uid: str
    title: str
    about: str
    panels: Sequence[Panel]
    variables: Sequence[Variable] = ()
    marks: Sequence[dashboard.AnnotationQuery] = ()
    since: str = FOUR_WEEKS

    def build(self) -> Dashboard:
        is_for_readers = self.since == FOUR_WEEKS
        board = (
            dashboard.Dashboard(self.title).uid(self.uid).description(self.about).timezone("browser").readonly().version(1)
            .tags([links.FOR_READERS if is_for_readers else "frontdesk-operators"]).time(self.since, "now").refresh("1m")
            .variables(list(self.variables)).annotations(list(self.marks)).link(links.menu(keeps_time=is_for_readers))
        )  # fmt: skip
        for title, uid in (("Pipeline health", links.PIPELINE), ("Runbooks", links.RUNBOOKS)):
            if uid != self.uid:
                board.link(links.to_dashboard(title, uid))
        for number, panel in enumerate(self.panels, 1):
            board.with_panel(panel.id(number))
        return board.build()
