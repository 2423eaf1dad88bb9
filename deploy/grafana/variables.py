"""What a viewer can choose, and how it gets into SQL.

Grafana pastes a value into the text of the query, and anybody can put any value into the address. The plugin escapes
nothing, and Grafana's formats for SQL leave the backslash alone, which escapes in ClickHouse: after a backslash and a quote
the rest would run. So every value goes in percent-encoded, which has neither, and ClickHouse decodes it.
"""

from collections.abc import Sequence
from typing import Final

from grafana_foundation_sdk.builders.dashboard import CustomVariable, QueryVariable, TextBoxVariable
from grafana_foundation_sdk.models.dashboard import VariableOption, VariableRefresh

from deploy.grafana.sources import CLICKHOUSE

NOT_TOLD: Final = "not told"
"""What stands and can be chosen where a question names no language, channel, place."""


def value_of(name: str) -> str:
    return f"decodeURLComponent('${{{name}:percentencode}}')"


def chosen(name: str) -> str:
    """The value; the empty string where it is All, or absent from an alert's link."""
    return f"if($__conditionalAll(1=0, ${name}), '', {value_of(name)})"


def told(column: str) -> str:
    """The value, and words where there is none: so that it can be chosen, too."""
    return f"if({column} = '', '{NOT_TOLD}', toString({column}))"


def narrowed(*names: str) -> str:
    """A condition on the columns of these names, each only where something is chosen."""
    return " AND ".join(f"$__conditionalAll({told(name)} = {value_of(name)}, ${name})" for name in names)


def named(*columns: str) -> str:
    """Columns `school_name`, `department_name`: what the applied directory calls a place; the value itself where it has no name."""
    return ", ".join(
        f"""ifNull(nullIf(
        (
            SELECT mapFromArrays(groupArray(toString({column})), groupArray(name)) FROM {column}s FINAL
            WHERE district = {DISTRICT} AND revision = (SELECT max(revision) FROM directory_revisions FINAL)
        )[toString({column})], ''), toString({column})) AS {column}_name"""
        for column in columns
    )


ALL: Final = VariableOption(text="All", value="$__all")
DISTRICT: Final = value_of("district")
WINDOW: Final = value_of("window")
IS_BUSINESS: Final = f"{value_of('clock')} = 'business'"
CELL: Final = f"district = {DISTRICT} AND school = {chosen('school')} AND department = {chosen('department')}"
"""The one cell of a view that is looked at: of the district, a school, a department, or a department at a school."""
IN_PLACE: Final = f"district = {DISTRICT} AND {narrowed('school', 'department')}"
"""Questions of that cell."""
OPEN_CASES: Final = f"open_cases(district = {DISTRICT})"
"""Questions of the district that are not settled."""
CAME_BEFORE: Final = "opened_at >= $__fromTime - INTERVAL 100 DAY AND opened_at <= $__toTime"
"""Questions whose deadline may be in the shown time: those of the 100 days before, so that older months are not read."""
ZONE: Final = f"""(
    SELECT if(any(zone) = '', 'UTC', any(zone)) FROM districts FINAL
    WHERE district = {DISTRICT} AND revision = (SELECT max(revision) FROM directory_revisions FINAL)
)"""


def district() -> QueryVariable:
    return _asked(
        "district",
        "District",
        """SELECT w.district AS district, if(d.name = '', w.district, d.name) AS district_name
FROM (SELECT DISTINCT district FROM windows FINAL) AS w
LEFT JOIN
(
    SELECT district, name FROM districts FINAL WHERE revision = (SELECT max(revision) FROM directory_revisions FINAL)
) AS d ON d.district = w.district
ORDER BY district_name""",
    )


def school() -> QueryVariable:
    return _within("school", "School")


def department() -> QueryVariable:
    return _within("department", "Department")


def _within(name: str, label: str) -> QueryVariable:
    sql = f"""SELECT {name}, {name}_name FROM indicators
WHERE district = {DISTRICT} AND scope = '{name}' AND window = '28d' ORDER BY {name}_name"""
    return _asked(name, label, sql).include_all(True).current(ALL)


def _asked(name: str, label: str, sql: str) -> QueryVariable:
    return QueryVariable(name).label(label).datasource(CLICKHOUSE).query(sql).refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)


def window() -> CustomVariable:
    return (
        CustomVariable("window")
        .label("Window")
        .description("How far back the large numbers reach, from the latest minute that is counted. Titles say where it counts.")
        .values("last hour : 1h,last 24 hours : 24h,last 7 days : 7d,last 28 days : 28d")
        .current(VariableOption(text="last 28 days", value="28d"))
    )


def clock() -> CustomVariable:
    return (
        CustomVariable("clock")
        .label("Clock")
        .description("Calendar time is what a family waits. Open hours are what a department can do something about.")
        .values("calendar time : calendar,open hours : business")
        .current(VariableOption(text="calendar time", value="calendar"))
    )


def case() -> TextBoxVariable:
    return TextBoxVariable("case").label("Case").description("The number of one case.").default_value("")


def one_of(name: str, label: str, values: Sequence[str]) -> CustomVariable:
    return CustomVariable(name).label(label).values(",".join(values)).include_all(True).current(ALL)


def language() -> QueryVariable:
    sql = f"""SELECT DISTINCT {told("language")} AS told FROM cases FINAL
WHERE district = {DISTRICT} AND $__timeFilter(opened_at) ORDER BY told"""
    return _asked("language", "Language", sql).include_all(True).current(ALL)
