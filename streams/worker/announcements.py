"""What a partition has to say of its promises, as CloudEvents for `frontdesk.breaches`."""

from datetime import UTC, datetime, timedelta

from events.breach import SOURCE, Breach, BreachData, breach_name
from projections.announcement import Announcement

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def breach_of(notification: Announcement) -> Breach:
    """The message, a function of the announcement alone: a repeat after a crash has the same id and the same content."""
    passed = notification.passed
    name = breach_name(notification.district, notification.subject, passed.episode, passed.target, passed.stage, passed.at)
    return Breach(
        id=f"{name}-{notification.state}",
        source=SOURCE,
        subject=notification.subject,
        time=_moment(notification.ended_at or passed.at),
        datacontenttype="application/json",
        partitionkey=notification.district,
        data=BreachData.model_validate(
            {
                "district": notification.district,
                "school": notification.school or None,
                "department": notification.department or None,
                "breach": name,
                "state": notification.state,
                "target": passed.target,
                "stage": passed.stage,
                "priority": notification.priority,
                "audience": notification.audience or None,
                "channel": notification.channel or None,
                "topic": notification.topic or None,
                "received_at": _moment(notification.received_at),
                "reached_at": _moment(passed.at),
                "due_at": _moment(notification.due_at),
                "ended_at": None if notification.ended_at is None else _moment(notification.ended_at),
                "waiting_since": None if notification.waiting_since is None else _moment(notification.waiting_since),
            }
        ),
    )


def _moment(ms: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=ms)
