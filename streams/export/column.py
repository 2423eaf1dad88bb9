"""What the columns of an export hold, whatever the form of the file: names as in the tables and views, and one kind each.

A row is a tuple of plain values: text, whole numbers, floats, flags, `date`, and instants as milliseconds since the epoch. None is
no value. Each form writes the kinds in its own way.
"""

from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Final, TypeAlias

from projections.rows import CASE_COLUMNS, RECORD_COLUMNS

Row: TypeAlias = tuple[Any, ...]


class Kind(Enum):
    TEXT = auto()
    WHOLE = auto()
    NUMBER = auto()
    FLAG = auto()
    DAY = auto()
    INSTANT = auto()


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    kind: Kind


def _case_column(name: str) -> Column:
    if name.endswith(("_at", "_since")):
        return Column(name, Kind.INSTANT)
    if name.endswith(("_ms", "_n")) or name in {"reopens", "contacts", "replies", "resolutions", "conflicts"}:
        return Column(name, Kind.WHOLE)
    return Column(name, {"rating": Kind.NUMBER, "needs_reply": Kind.FLAG}.get(name, Kind.TEXT))


CASES: Final = tuple(_case_column(name) for name in CASE_COLUMNS if name not in RECORD_COLUMNS or name in {"district", "subject"})
"""Of the table `cases`, without where the rows come from. Pseudonyms are all that it knows of people."""

INDICATORS: Final = (
    *(Column(name, Kind.TEXT) for name in ("district", "scope", "school", "department", "district_name", "school_name", "department_name")),
    Column("first_day", Kind.DAY),
    Column("last_day", Kind.DAY),
    Column("as_of", Kind.INSTANT),
    *(Column(name, Kind.WHOLE) for name in ("contacts", "messages", "stakeholders", "responses")),
    *(Column(f"response_{name}_ms", Kind.NUMBER) for name in ("mean", "p50", "p90", "mean_business", "p50_business", "p90_business")),
    Column("responses_due", Kind.WHOLE),
    Column("responses_in_time", Kind.WHOLE),
    Column("response_compliance", Kind.NUMBER),
    Column("resolutions", Kind.WHOLE),
    *(Column(f"resolution_{name}_ms", Kind.NUMBER) for name in ("mean", "p50", "p90", "mean_business", "p50_business", "p90_business")),
    Column("resolutions_due", Kind.WHOLE),
    Column("resolutions_in_time", Kind.WHOLE),
    Column("resolution_compliance", Kind.NUMBER),
    Column("reopened_share", Kind.NUMBER),
    Column("quality_share", Kind.NUMBER),
    Column("ratings", Kind.WHOLE),
    *(
        Column(name, Kind.NUMBER)
        for name in ("ratings_per_resolution", "rating_mean", "rating_mean_of_10", "csat", "csat_low", "csat_high")
    ),
    *(Column(name, Kind.NUMBER) for name in ("score", "score_low", "score_high")),
    Column("score_reason", Kind.TEXT),
    *(Column(f"score_{part}_points", Kind.NUMBER) for part in ("satisfaction", "response", "quality")),
)
"""As in the view `indicators`, with the days of the period in place of the window."""
