"""Whether the topics are still those that a worker began with.

Kafka's clients know a topic by its name. One that is deleted and made again bears the old name, its offsets begin anew, and a
consumer that stands at offset 900 reads on there once the new one is longer than that: a hole that nobody would see. So the ids
are looked at when partitions are assigned, every few seconds, and once more when Kafka fails, so that the cause is told and not
its consequence. A broker that is away says nothing about topics, and is not taken for a loss.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

import structlog
from aiokafka.errors import KafkaError

from events.exit_code import ExitCode
from streams.kafka import TopicIdentity, topic_identities
from streams.settings import Settings

LOOK_EVERY_S: Final = 2.0
ANSWER_WITHIN_S: Final = 5.0
MISSED_BEFORE_LOST: Final = 2
"""Looks, one after the other, that do not find a topic: a broker that has just started may not know all of them yet."""

EVENTS_LOST: Final = (
    "What was counted stands in the tables; what nobody had read is lost unless its publishers send it again. "
    "Make the topic again if it is gone (`frontdesk migrate`), then `frontdesk rebuild` counts what there is into fresh tables"
)
STATE_LOST: Final = (
    "The events are all there, but what was known of each case is gone with it, and no offset is committed any more. "
    "Make it again if it is gone (`frontdesk migrate`), then `frontdesk rebuild --from log` computes the state again"
)
DEAD_LETTERS_LOST: Final = (
    "Nothing can be set aside, and nothing is dropped instead. Make it again if it is gone (`frontdesk migrate`) and start the worker: "
    "it goes on exactly here. What was set aside before is still in the events topic, where `frontdesk dead-letters` finds it"
)

Asked = Mapping[str, TopicIdentity | None]
log = structlog.get_logger("topics")


class TopicLost(Exception):
    """A topic that the worker needs was deleted, made anew or given other partitions while it worked."""

    exit_code = ExitCode.REFUSED


@dataclass(frozen=True)
class Known:
    """A topic as it was at the start. `remedy` says what its loss means and what to do.

    Where only its name counts, one that was made anew or given more partitions does as well.
    """

    name: str
    identity: TopicIdentity
    remedy: str
    only_name: bool = False


class TopicWatch:
    """Looks at the topics of one worker. `ask` gives the brokers' answer, or raises aiokafka's `KafkaError`."""

    def __init__(self, topics: tuple[Known, ...], ask: Callable[[list[str]], Awaitable[Asked]], note: str) -> None:
        """`note` names the incarnation of events and state; it is kept beside each committed offset."""
        self.note = note
        self._topics = topics
        self._ask = ask
        self._missed = dict.fromkeys((topic.name for topic in topics), 0)

    async def look(self) -> bool:
        """Compare. False when the brokers do not answer, or a topic may be missing; raises `TopicLost` when one is."""
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                found = await self._ask([topic.name for topic in self._topics])
        except (KafkaError, TimeoutError) as failure:
            log.debug("the topics could not be looked at", why=str(failure) or type(failure).__name__)
            return False
        for topic in self._topics:
            self._compare(topic, found[topic.name])
        return not any(self._missed.values())

    async def follow(self) -> None:
        """Until cancelled, or until one is lost."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            await self.look()

    async def explain(self) -> None:
        """After a failure of Kafka: raise `TopicLost` if that is why."""
        for _ in range(MISSED_BEFORE_LOST):
            if await self.look():
                return

    def _compare(self, topic: Known, now: TopicIdentity | None) -> None:
        was = topic.identity
        self._missed[topic.name] = 0 if now is not None else self._missed[topic.name] + 1
        if now is None and self._missed[topic.name] < MISSED_BEFORE_LOST:
            return
        if now is None:
            what = "was deleted"
        elif topic.only_name:
            return
        elif now.topic_id != was.topic_id:
            what = f"was deleted and made anew (its id was {was.topic_id} and is {now.topic_id}): its offsets have begun again"
        elif now.partitions != was.partitions:
            what = f"has {now.partitions} partitions and had {was.partitions}: districts have other places now"
        else:
            return
        raise TopicLost(f"topic {topic.name} {what} while the worker ran, so it stops. {topic.remedy}")


def watch_of(
    settings: Settings, *, events: TopicIdentity, changelog_topic: str, changelog: TopicIdentity, dead_letters: TopicIdentity
) -> TopicWatch:
    """The watch of a worker that was started with these."""
    topics = (
        Known(settings.topic, events, EVENTS_LOST),
        Known(changelog_topic, changelog, STATE_LOST),
        Known(settings.dead_letter_topic, dead_letters, DEAD_LETTERS_LOST, only_name=True),
    )
    return TopicWatch(topics, partial(topic_identities, settings), f"{events.topic_id} {changelog.topic_id}")
