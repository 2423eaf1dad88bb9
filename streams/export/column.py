"""What the columns of an export hold, whatever the form of the file: names as in the tables and views, and one kind each.

A row is a tuple of plain values: text, whole numbers, floats, flags, `date`, and instants as milliseconds since the epoch. None is
no value. Each form writes the kinds in its own way.
"""

from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Final, TypeAlias

from projections.rows import CASE_COLUMNS, RECORD_COLUMNS

Row: TypeAlias = tuple[Any, ...]


class ColumnKind(Enum):
    TEXT = auto()
    WHOLE = auto()
    NUMBER = auto()
    FLAG = auto()
    DAY = auto()
    INSTANT = auto()


@dataclass(frozen=True, slots=True)
class ExportColumn:
    name: str
    kind: ColumnKind


def _case_column(name: str) -> ExportColumn:
    if name.endswith(("_at", "_since")):
        return ExportColumn(name, ColumnKind.INSTANT)
    if name.endswith(("_ms", "_n")) or name in {"reopens", "contacts", "replies", "resolutions", "conflicts"}:
        return ExportColumn(name, ColumnKind.WHOLE)
    return ExportColumn(name, {"rating": ColumnKind.NUMBER, "needs_reply": ColumnKind.FLAG}.get(name, ColumnKind.TEXT))


CASES: Final = tuple(_case_column(name) for name in CASE_COLUMNS if name not in RECORD_COLUMNS or name in {"district", "subject"})
"""Of the table `cases`, without where the rows come from. Pseudonyms are all that it knows of people."""

MEANS: Final = ("mean", "p50", "p90", "mean_business", "p50_business", "p90_business")
_OF_INDICATORS: Final = (
    (ColumnKind.TEXT, ("district", "scope", "school", "department", "district_name", "school_name", "department_name")),
    (ColumnKind.DAY, ("first_day", "last_day")),
    (ColumnKind.INSTANT, ("as_of",)),
    (ColumnKind.WHOLE, ("contacts", "messages", "stakeholders", "responses")),
    (ColumnKind.NUMBER, tuple(f"response_{name}_ms" for name in MEANS)),
    (ColumnKind.WHOLE, ("responses_due", "responses_in_time")),
    (ColumnKind.NUMBER, ("response_compliance",)),
    (ColumnKind.WHOLE, ("resolutions",)),
    (ColumnKind.NUMBER, tuple(f"resolution_{name}_ms" for name in MEANS)),
    (ColumnKind.WHOLE, ("resolutions_due", "resolutions_in_time")),
    (ColumnKind.NUMBER, ("resolution_compliance", "reopened_share", "quality_share")),
    (ColumnKind.WHOLE, ("ratings",)),
    (ColumnKind.NUMBER, ("ratings_per_resolution", "rating_mean", "rating_mean_of_10", "csat", "csat_low", "csat_high")),
    (ColumnKind.NUMBER, ("score", "score_low", "score_high")),
    (ColumnKind.TEXT, ("score_reason",)),
    (ColumnKind.NUMBER, ("score_satisfaction_points", "score_response_points", "score_quality_points")),
)
INDICATORS: Final = tuple(ExportColumn(name, kind) for kind, names in _OF_INDICATORS for name in names)
"""As in the view `indicators`, with the days of the period in place of the window."""
