"""What a partition announces of its promises, as CloudEvents for `frontdesk.breaches`."""

from datetime import UTC, datetime, timedelta

from events.breach import SOURCE, Breach, BreachData, breach_name
from projections.announcement import Announcement

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def breach_of(announced: Announcement) -> Breach:
    """The message, a function of what is announced alone: a repeat after a crash has the same id and the same content."""
    passed = announced.passed
    name = breach_name(announced.district, announced.subject, passed.episode, passed.target, passed.stage, passed.at)
    return Breach(
        id=f"{name}-{announced.state}",
        source=SOURCE,
        subject=announced.subject,
        time=_moment(announced.ended_at or passed.at),
        datacontenttype="application/json",
        partitionkey=announced.district,
        data=BreachData.model_validate(
            {
                "district": announced.district,
                "school": announced.school or None,
                "department": announced.department or None,
                "breach": name,
                "state": announced.state,
                "target": passed.target,
                "stage": passed.stage,
                "priority": announced.priority,
                "audience": announced.audience or None,
                "channel": announced.channel or None,
                "topic": announced.topic or None,
                "received_at": _moment(announced.received_at),
                "reached_at": _moment(passed.at),
                "due_at": _moment(announced.due_at),
                "ended_at": None if announced.ended_at is None else _moment(announced.ended_at),
                "waiting_since": None if announced.waiting_since is None else _moment(announced.waiting_since),
            }
        ),
    )


def _moment(ms: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=ms)
