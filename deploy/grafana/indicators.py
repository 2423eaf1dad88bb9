"""The three indicators of one cell, large: how many contacted us, how long they waited, how well they were served."""

from grafana_foundation_sdk.builders import stat

from deploy.grafana.panels import COUNT, DURATION, POINTS, SHARE, against, number, promised
from deploy.grafana.variables import CELL, DISTRICT, IS_BUSINESS, WINDOW, chosen


def of(cell: str, department: str = "''") -> list[stat.Panel]:
    """`cell` picks one row of each window of the view `indicators`; `department` is whose promises apply.

    Long, because it is a list of panels.
    """
    here = f"FROM indicators WHERE {cell} AND window = {WINDOW}"
    return [
        number(
            "People who contacted us",
            "Different people who wrote or called in the window; one who asks twice counts once. Beside it the questions they asked.",
            f"SELECT stakeholders AS people, contacts AS questions {here}",
            COUNT,
            beside=["questions"],
            empty="no contact yet",
        ),
        against(
            number(
                "Wait for a first answer",
                "Half of those who got a first answer from a person waited less than this, nine in ten less than the second number. "
                "Orange: longer than what the directory promises for a routine question.",
                _waits("response", here),
                DURATION,
                beside=["nine in ten under"],
                empty="no answer in this window",
            ),
            _promise("response", department),
            promised_ms="orange",
        ),
        against(
            number(
                "Time until it is settled",
                "Half of the questions that were settled took less than this, nine in ten less than the second number. "
                "Orange: longer than what the directory promises for a routine question.",
                _waits("resolution", here),
                DURATION,
                beside=["nine in ten under"],
                empty="nothing settled in this window",
            ),
            _promise("resolution", department),
            promised_ms="orange",
        ),
        number(
            "Score, 0 to 100",
            "Half satisfaction, a quarter answers in time, a quarter settled in time and for good, unless the directory weighs otherwise; "
            "the true value lies between low and high nine times in ten. Always over 28 days. docs/score.md has the formula.",
            f"SELECT score, score_low AS low, score_high AS high {here}",
            POINTS,
            beside=["low", "high"],
            empty="none: fewer than 10 ratings in 28 days",
            period="last 28 days",
        ),
        *shares_in_time(here, width=12),
    ]


def shares_in_time(here: str, *, width: int) -> list[stat.Panel]:
    """Of answers and of settling, in the row `here` (FROM ... of `indicators`)."""

    def share(target: str, title: str, meaning: str) -> stat.Panel:
        sql = f"SELECT {target}_compliance AS `in time` {here}"
        return promised(number(title, f"{meaning} Green: what was promised.", sql, SHARE, empty="none fell due", width=width), here)

    return [
        share("response", "Answered in time", "Of the answers that fell due, the share that came before their deadline."),
        share("resolution", "Settled in time", "Of the questions that were to be settled, the share that was."),
    ]


def of_district() -> list[stat.Panel]:
    return of(f"district = {DISTRICT} AND scope = 'district'")


def of_cell() -> list[stat.Panel]:
    return of(CELL, chosen("department"))


def _waits(measure: str, here: str) -> str:
    return f"""
SELECT if({IS_BUSINESS}, {measure}_p50_business_ms, {measure}_p50_ms) AS `half under`,
    if({IS_BUSINESS}, {measure}_p90_business_ms, {measure}_p90_ms) AS `nine in ten under`
{here}"""


def _promise(measure: str, department: str) -> str:
    """What is promised for a routine question, in the clock that is looked at; null in the other."""
    return f"""
SELECT -1 AS base, if((promised.2 = 'business') = ({IS_BUSINESS}), promised.1, NULL) AS promised_ms
FROM
(
    WITH (district != '', department != '', priority != '', valid_from) AS weight
    SELECT argMaxIf(({measure}_ms, {measure}_clock), weight, {measure}_clock != '') AS promised
    FROM targets FINAL
    WHERE revision = (SELECT max(revision) FROM directory_revisions FINAL) AND valid_from <= now64(3) AND audience = '' AND channel = ''
        AND district IN ('', {DISTRICT}) AND department IN ('', {department}) AND priority IN ('', 'routine')
)"""
