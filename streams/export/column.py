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

INDICATORS: Final = (
    *(
        ExportColumn(name, ColumnKind.TEXT)
        for name in ("district", "scope", "school", "department", "district_name", "school_name", "department_name")
    ),
    ExportColumn("first_day", ColumnKind.DAY),
    ExportColumn("last_day", ColumnKind.DAY),
    ExportColumn("as_of", ColumnKind.INSTANT),
    *(ExportColumn(name, ColumnKind.WHOLE) for name in ("contacts", "messages", "stakeholders", "responses")),
    *(
        ExportColumn(f"response_{name}_ms", ColumnKind.NUMBER)
        for name in ("mean", "p50", "p90", "mean_business", "p50_business", "p90_business")
    ),
    ExportColumn("responses_due", ColumnKind.WHOLE),
    ExportColumn("responses_in_time", ColumnKind.WHOLE),
    ExportColumn("response_compliance", ColumnKind.NUMBER),
    ExportColumn("resolutions", ColumnKind.WHOLE),
    *(
        ExportColumn(f"resolution_{name}_ms", ColumnKind.NUMBER)
        for name in ("mean", "p50", "p90", "mean_business", "p50_business", "p90_business")
    ),
    ExportColumn("resolutions_due", ColumnKind.WHOLE),
    ExportColumn("resolutions_in_time", ColumnKind.WHOLE),
    ExportColumn("resolution_compliance", ColumnKind.NUMBER),
    ExportColumn("reopened_share", ColumnKind.NUMBER),
    ExportColumn("quality_share", ColumnKind.NUMBER),
    ExportColumn("ratings", ColumnKind.WHOLE),
    *(
        ExportColumn(name, ColumnKind.NUMBER)
        for name in ("ratings_per_resolution", "rating_mean", "rating_mean_of_10", "csat", "csat_low", "csat_high")
    ),
    *(ExportColumn(name, ColumnKind.NUMBER) for name in ("score", "score_low", "score_high")),
    ExportColumn("score_reason", ColumnKind.TEXT),
    *(ExportColumn(f"score_{part}_points", ColumnKind.NUMBER) for part in ("satisfaction", "response", "quality")),
)
"""As in the view `indicators`, with the days of the period in place of the window."""
