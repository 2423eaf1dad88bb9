"""Addresses from a number down to the cases behind it, and to the other dashboards; each keeps what the viewer has chosen.

A variable of which a link says nothing is All; one that it leaves empty would be blank.
"""

from typing import Final

from grafana_foundation_sdk.builders.dashboard import DashboardLink
from grafana_foundation_sdk.models.dashboard import DashboardLinkType

RUNBOOKS: Final = "frontdesk-runbooks"
PIPELINE: Final = "frontdesk-pipeline"
FOR_READERS: Final = "frontdesk"
"""The tag of the dashboards that share one time and one menu."""

_CHOSEN: Final = "${district:queryparam}&${window:queryparam}&${clock:queryparam}&${__url_time_range}"
_TIMES: Final = "${district:queryparam}&${__url_time_range}"


def field(name: str) -> str:
    """The value of a column in the row that is clicked."""
    return f"${{__data.fields.{name}:percentencode}}"


def to_cell(**columns: str) -> str:
    """To the school, the department or both that the row has in these columns."""
    return f"/d/frontdesk-cell?{_CHOSEN}{_values(columns)}"


def to_cases(**columns: str) -> str:
    return f"/d/frontdesk-cases?{_TIMES}{_values(columns)}"


def to_cases_here(**columns: str) -> str:
    """Of the school and department that are looked at, narrowed further."""
    return f"/d/frontdesk-cases?{_TIMES}&${{school:queryparam}}&${{department:queryparam}}{_values(columns)}"


def to_case() -> str:
    """From a row that has a column `case`."""
    return f"/d/frontdesk-case?{_TIMES}{_values({'case': 'case'})}"


def _values(columns: dict[str, str]) -> str:
    return "".join(f"&var-{variable}={field(column)}" for variable, column in columns.items())


def menu(*, keeps_time: bool) -> DashboardLink:
    """All dashboards for readers in one menu."""
    link = DashboardLink("Dashboards").type(DashboardLinkType.DASHBOARDS).tags([FOR_READERS]).as_dropdown(True)
    return link.include_vars(True).keep_time(keeps_time)


def to_dashboard(title: str, uid: str) -> DashboardLink:
    """To one that has a time of its own."""
    return DashboardLink(title).type(DashboardLinkType.LINK).url(f"/d/{uid}")
