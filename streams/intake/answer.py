"""What the intake answers to a request whose events were judged: each by its index, accepted or not, and where it is.

202 means that all are in Kafka, 207 that some are and the others break the contract, 422 or 403 that none is taken. 503
means that of some it is not known: send all again, for an event sent twice counts once.
"""

from collections.abc import Sequence
from typing import Any

from streams.intake.kafka_link import RETRY_AFTER_S, AcknowledgedAt
from streams.intake.problem import Problem, Refusal
from streams.intake.validation import FORBIDDEN, Rejected, Validated

ACCEPTED, REJECTED, UNKNOWN = "accepted", "rejected", "unknown"


def outcomes(validated: Validated, places: Sequence[AcknowledgedAt | None]) -> list[dict[str, Any]]:
    """One entry for each event; `places` are of the records in their order."""
    of_records = iter(places)
    return [
        _rejected(index, verdict) if isinstance(verdict, Rejected) else _placed(index, next(of_records))
        for index, verdict in enumerate(validated.verdicts)
    ]


def _rejected(index: int, verdict: Rejected) -> dict[str, Any]:
    return {"index": index, "status": REJECTED, "reason": verdict.reason, "path": verdict.path, "message": verdict.message}


def _placed(index: int, place: AcknowledgedAt | None) -> dict[str, Any]:
    if place is None:
        return {"index": index, "status": UNKNOWN}
    return {"index": index, "status": ACCEPTED, "partition": place.partition, "offset": place.offset}


def answer(validated: Validated, places: Sequence[AcknowledgedAt | None]) -> tuple[int, dict[str, Any]]:
    """Status and body where something was accepted. Raises `Problem` where nothing was, or where it is not known."""
    results = outcomes(validated, places)
    rejected = len(validated.rejected)
    counts = {ACCEPTED: sum(place is not None for place in places), REJECTED: rejected}
    body = counts | ({"dropped": sorted(validated.dropped)} if validated.dropped else {}) | {"events": results}
    if None in places:
        detail = "Kafka has not acknowledged all events in time; send them again, which does no harm"
        raise Problem(Refusal.KAFKA_AWAY, detail, retry_after_s=RETRY_AFTER_S, more=body)
    if rejected and not places:
        raise Problem(_why_none(validated.rejected), "no event was taken: `events` says why", more=body)
    return 207 if rejected else 202, body


def _why_none(rejected: Sequence[Rejected]) -> Refusal:
    return Refusal.FORBIDDEN if all(each.reason == FORBIDDEN for each in rejected) else Refusal.REJECTED
