"""The three indicators of a period, from what each cell counted in it: a row with the columns of the view `indicators`.

The score is that of the period, whatever its length, by `projections.score`: over the last 28 days it is the one that the page shows.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, TypeAlias

from events.directory import Directory
from events.zone import midnight
from projections.score import FEWEST_RATINGS, AnswerTally, CellTallies, ScoreWeights, score, share_interval
from streams.export.column import Row
from streams.export.period import MINUTE_MS, Period

Tallies: TypeAlias = Mapping[str, Any]
"""One row of `sinks.clickhouse.exports.tallies`."""

RATING_ONE: Final = 10_000
TOO_FEW: Final = f"fewer than {FEWEST_RATINGS} ratings in the period"


def indicator_rows(
    tallies: Iterable[Tallies], district: str, directory: Directory, period_of: Callable[[Tallies], Period], complete_until: int
) -> Iterator[Row]:
    """Rows in the order of the tallies, a district before its schools; `complete_until` (ms) is the end of what is counted."""
    zone = directory.zone(district)
    whole: Tallies = {}
    for each in tallies:
        whole = each if each["scope"] == "district" else whole
        period = period_of(each)
        end = min(period.end(zone), complete_until)
        yield (
            district,
            each["scope"],
            each["school"],
            each["department"],
            directory.name(district),
            directory.name(district, school=each["school"]) if each["school"] else "",
            directory.name(district, department=each["department"]) if each["department"] else "",
            period.first,
            period.last,
            end - MINUTE_MS,
            each["contact_n"],
            each["message_n"],
            each["stakeholder_n"],
            *_waited(each, "response"),
            *_waited(each, "resolution"),
            _share(each["resolution_reopened_n"], each["resolution_n"]),
            _share(each["quality_sum"], each["quality_n"]),
            *_rated(each),
            *_scored(each, whole, weights_at(directory, district, end)),
        )


def weights_at(directory: Directory, district: str, at: int) -> ScoreWeights:
    """What the score of a district is made of at an instant."""
    zone = directory.zone(district)
    versions = [each for each in directory.weights(district) if each.valid_from is None or midnight(zone, each.valid_from) <= at]
    return (
        ScoreWeights(versions[-1].satisfaction, versions[-1].response, versions[-1].resolution, versions[-1].m)
        if versions
        else ScoreWeights()
    )


def _waited(each: Tallies, what: str) -> Row:
    n = each[f"{what}_n"]
    quantiles = [float(each[f"{what}_{name}_ms"]) if n else None for name in ("p50", "p90", "p50_business", "p90_business")]
    mean, mean_business = _share(each[f"{what}_sum_ms"], n), _share(each[f"{what}_sum_business_ms"], n)
    due, kept = each[f"{what}_due_n"], each[f"{what}_kept_n"]
    return n, mean, *quantiles[:2], mean_business, *quantiles[2:], due, kept, _share(kept, due)


def _rated(each: Tallies) -> Row:
    n, satisfied = each["rating_n"], each["rating_satisfied_n"]
    per_resolution = _share(n, each["resolution_n"])
    if not n:
        return n, per_resolution, None, None, None, None, None
    mean = each["rating_sum_bp"] / RATING_ONE / n
    return n, per_resolution, mean, 10 * mean, satisfied / n, *share_interval(n, satisfied)


def _scored(each: Tallies, whole: Tallies, weights: ScoreWeights) -> Row:
    found = score(_cell(each), None if each is whole else _cell(whole), weights)
    reason = "" if found.value is not None else TOO_FEW
    return found.value, found.low, found.high, reason, found.satisfaction_points, found.response_points, found.quality_points


def _cell(each: Tallies) -> CellTallies:
    ratings = AnswerTally(each["rating_n"], each["rating_sum_bp"] / RATING_ONE, each["rating_sum_squares_bp2"] / RATING_ONE**2)
    return CellTallies(
        ratings,
        AnswerTally.of_share(each["response_due_n"], each["response_kept_n"]),
        AnswerTally.of_share(each["quality_n"], each["quality_sum"]),
    )


def _share(part: float, of: int) -> float | None:
    return part / of if of else None
