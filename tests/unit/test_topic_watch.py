"""Which changes of a topic stop a worker, and which news of the brokers do not."""

import asyncio
from dataclasses import dataclass, field, replace

import pytest
from aiokafka.errors import KafkaConnectionError

from streams.kafka.identity import TopicIdentity
from streams.settings import Settings
from streams.worker.watches.topics import TopicLost, TopicWatch, watch_of

SETTINGS = Settings()
EVENTS, CHANGELOG, DEAD_LETTERS = SETTINGS.topic, SETTINGS.changelog_topic, SETTINGS.dead_letter_topic


@dataclass
class Brokers:
    """What they know of the topics; `away` while they do not answer."""

    topics: dict[str, TopicIdentity | None] = field(
        default_factory=lambda: {name: TopicIdentity(f"id of {name}", 8) for name in (EVENTS, CHANGELOG, DEAD_LETTERS)}
    )
    away: Exception | None = None
    asked: int = 0

    async def ask(self, names: list[str]) -> dict[str, TopicIdentity | None]:
        self.asked += 1
        if self.away is not None:
            raise self.away
        return {name: self.topics[name] for name in names}

    def watch(self) -> TopicWatch:
        events, changelog, dead_letters = (self.topics[name] for name in (EVENTS, CHANGELOG, DEAD_LETTERS))
        assert events is not None
        assert changelog is not None
        assert dead_letters is not None
        made = watch_of(SETTINGS, events=events, changelog_topic=CHANGELOG, changelog=changelog, dead_letters=dead_letters)
        made._ask = self.ask
        return made

    def change(self, name: str, **others: object) -> None:
        known = self.topics[name]
        assert known is not None
        self.topics[name] = replace(known, **others)  # type: ignore[arg-type] # fields of the example


async def test_topics_that_stay_as_they_were() -> None:
    assert await Brokers().watch().look()


def test_the_note_names_both_topics_that_an_offset_belongs_to() -> None:
    assert Brokers().watch().note == f"id of {EVENTS} id of {CHANGELOG}"


@pytest.mark.parametrize("name", [EVENTS, CHANGELOG, DEAD_LETTERS])
async def test_a_topic_is_lost_when_it_is_missing_twice(name: str) -> None:
    brokers = Brokers()
    watch = brokers.watch()
    brokers.topics[name] = None
    assert not await watch.look()
    with pytest.raises(TopicLost, match=f"topic {name} was deleted while the worker ran"):
        await watch.look()


async def test_a_topic_that_a_broker_did_not_know_for_a_moment_is_not_lost() -> None:
    brokers = Brokers()
    watch, known = brokers.watch(), brokers.topics[EVENTS]
    for _ in range(3):
        brokers.topics[EVENTS] = None
        assert not await watch.look()
        brokers.topics[EVENTS] = known
        assert await watch.look()


@pytest.mark.parametrize("name", [EVENTS, CHANGELOG])
@pytest.mark.parametrize(
    ("others", "what"), [({"topic_id": "new"}, "made anew"), ({"partitions": 9}, "has 9 partitions and had 8")], ids=["anew", "larger"]
)
async def test_a_topic_that_became_another_one_is_lost_at_once(name: str, others: dict[str, object], what: str) -> None:
    brokers = Brokers()
    watch = brokers.watch()
    brokers.change(name, **others)
    with pytest.raises(TopicLost, match=what) as lost:
        await watch.look()
    assert f"`frontdesk rebuild{' --from log' * (name == CHANGELOG)}`" in str(lost.value)


async def test_dead_letters_may_go_to_a_topic_that_was_made_anew() -> None:
    brokers = Brokers()
    watch = brokers.watch()
    brokers.change(DEAD_LETTERS, topic_id="new", partitions=1)
    assert await watch.look()


@pytest.mark.parametrize("away", [KafkaConnectionError("away"), TimeoutError()])
async def test_brokers_that_do_not_answer_say_nothing_about_topics(away: Exception) -> None:
    brokers = Brokers()
    watch = brokers.watch()
    brokers.away = away
    assert not await watch.look()
    await watch.explain()


async def test_a_failure_of_kafka_is_explained_by_the_topic_that_is_gone() -> None:
    brokers = Brokers()
    watch = brokers.watch()
    await watch.explain()
    brokers.topics[CHANGELOG] = None
    with pytest.raises(TopicLost, match=CHANGELOG):
        await watch.explain()


async def test_it_goes_on_looking(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.worker.watches.topics.LOOK_EVERY_S", 0.001)
    brokers = Brokers()
    watch = brokers.watch()
    following = asyncio.create_task(watch.follow())
    async with asyncio.timeout(10):
        while brokers.asked < 3:  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.001)
        brokers.change(EVENTS, topic_id="new")
        with pytest.raises(TopicLost):
            await following
