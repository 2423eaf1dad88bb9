"""What a partition has to say of its promises, as CloudEvents for `frontdesk.breaches`."""

from datetime import UTC, datetime, timedelta

from events.breach import SOURCE, Breach, BreachData, breach_name
from projections.announcement import Announcement

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def breach_of(said: Announcement) -> Breach:
    """The message, a function of what is said alone: a repeat after a crash has the same id and the same content."""
    passed = said.passed
    name = breach_name(said.district, said.subject, passed.episode, passed.target, passed.stage, passed.at)
    return Breach(
        id=f"{name}-{said.state}",
        source=SOURCE,
        subject=said.subject,
        time=_moment(said.ended_at or passed.at),
        datacontenttype="application/json",
        partitionkey=said.district,
        data=BreachData.model_validate(
            {
                "district": said.district,
                "school": said.school or None,
                "department": said.department or None,
                "breach": name,
                "state": said.state,
                "target": passed.target,
                "stage": passed.stage,
                "priority": said.priority,
                "audience": said.audience or None,
                "channel": said.channel or None,
                "topic": said.topic or None,
                "received_at": _moment(said.received_at),
                "reached_at": _moment(passed.at),
                "due_at": _moment(said.due_at),
                "ended_at": None if said.ended_at is None else _moment(said.ended_at),
                "waiting_since": None if said.waiting_since is None else _moment(said.waiting_since),
            }
        ),
    )


def _moment(ms: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=ms)
