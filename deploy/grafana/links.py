"""Addresses from a number down to the cases behind it, and to the runbooks; each keeps what the viewer has chosen."""

from typing import Final

from grafana_foundation_sdk.builders.dashboard import DashboardLink
from grafana_foundation_sdk.models.dashboard import DashboardLinkType

RUNBOOKS: Final = "/public/runbooks"
"""Grafana itself serves docs/runbooks here, where they are mounted (deploy/compose)."""

_CHOSEN: Final = "${district:queryparam}&${window:queryparam}&${clock:queryparam}&${__url_time_range}"
_TIMES: Final = "${district:queryparam}&${__url_time_range}"


def field(name: str) -> str:
    """The value of a column in the row that is clicked."""
    return f"${{__data.fields.{name}:percentencode}}"


def to_cell(school: str = "", department: str = "") -> str:
    return f"/d/frontdesk-cell?{_CHOSEN}&var-school={school}&var-department={department}"


def to_cases(school: str, department: str) -> str:
    return f"/d/frontdesk-cases?{_TIMES}&var-school={school}&var-department={department}"


def to_cases_here(**chosen: str) -> str:
    """Of the school and department that are looked at; `chosen` are further variables of that dashboard."""
    further = "".join(f"&var-{name}={value}" for name, value in chosen.items())
    return f"/d/frontdesk-cases?{_TIMES}&${{school:queryparam}}&${{department:queryparam}}{further}"


def to_case() -> str:
    """From a row that has a column `case`."""
    return f"/d/frontdesk-cases?{_TIMES}&var-case={field('case')}"


def to_dashboard(title: str, uid: str) -> DashboardLink:
    return DashboardLink(title).type(DashboardLinkType.LINK).url(f"/d/{uid}").include_vars(True).keep_time(True)


def to_runbook(name: str) -> DashboardLink:
    return DashboardLink(f"Runbook: {name}").type(DashboardLinkType.LINK).url(f"{RUNBOOKS}/{name}.md").target_blank(True)
