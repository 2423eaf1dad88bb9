"""Topics that somebody else makes at the same moment, at a broker that hears of it after its controller."""

from __future__ import annotations

from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from aiokafka.admin import NewTopic
from aiokafka.errors import KafkaTimeoutError, TopicAlreadyExistsError

import streams.kafka.topics
from streams.kafka.topics import TopicMismatch, changelog_of, ensure_changelog, ensure_topics, forget_changelog, topics
from streams.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

SETTINGS = Settings(partitions=4)


class Cluster:
    """A controller that does all at once, and a broker that shows it `behind` questions later."""

    def __init__(self, behind: int) -> None:
        self.topics: dict[str, int] = {}
        self._behind = behind
        self._shown: list[dict[str, int]] = [{}] * (behind + 1)

    async def describe_topics(self) -> list[dict[str, Any]]:
        self._shown = [*self._shown[1:], dict(self.topics)]
        return [{"topic": name, "partitions": [None] * count} for name, count in self._shown[0].items()]

    async def create_topics(self, new: Sequence[NewTopic]) -> SimpleNamespace:
        answers = [(each.name, TopicAlreadyExistsError.errno if each.name in self.topics else 0) for each in new]
        self.topics = {each.name: each.num_partitions for each in new} | self.topics
        return SimpleNamespace(topic_errors=answers)

    async def delete_topics(self, names: list[str]) -> None:
        for name in names:
            del self.topics[name]


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    cluster = Cluster(behind=3)

    @asynccontextmanager
    async def administration(_: Settings) -> AsyncIterator[Cluster]:
        yield cluster

    monkeypatch.setattr(streams.kafka.topics, "administration", administration)
    return cluster


async def test_what_somebody_else_has_just_made_otherwise_is_refused(cluster: Cluster) -> None:
    await cluster.create_topics([NewTopic(SETTINGS.topic, num_partitions=5, replication_factor=1)])
    with pytest.raises(TopicMismatch, match="has 5 partitions, but FRONTDESK_PARTITIONS is 4"):
        await ensure_topics(SETTINGS)


async def test_whoever_comes_next_sees_what_was_made(cluster: Cluster) -> None:
    assert cluster.topics == {}
    assert await ensure_topics(SETTINGS) == [topic.name for topic in topics(SETTINGS)]
    assert await ensure_topics(SETTINGS) == []


async def test_a_changelog_that_is_forgotten_can_be_made_anew_at_once(cluster: Cluster) -> None:
    await ensure_changelog(SETTINGS, 2, 4)
    await forget_changelog(SETTINGS, 2)
    await ensure_changelog(SETTINGS, 2, 8)
    assert cluster.topics == {changelog_of(SETTINGS, 2): 8}


async def test_a_broker_that_never_shows_it_is_told(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams.kafka.topics, "PROPAGATED_WITHIN_S", 0.1)
    monkeypatch.setattr(cluster, "_shown", [{}] * 1_000)
    with pytest.raises(KafkaTimeoutError, match="does not show its topics"):
        await ensure_topics(SETTINGS)
