"""What is to be said of promises, once more from the rules alone: every case looked at before and after each record, on the whole list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from tests.oracles.plain_facts import plain_facts
from tests.support.stories import H

if TYPE_CHECKING:
    from collections.abc import Sequence

    from events.event import Event
    from projections.announcement import Announcement
    from projections.partition import Entry

Name: TypeAlias = tuple[str, str, int, str, str, str, int]
"""District, subject, opened_at, episode, target, stage, the instant."""
Words: TypeAlias = dict[Name, str]
"""Of each instant that passed, the last word: raised, cleared or withdrawn."""


def last_words(said: Sequence[Announcement]) -> Words:
    """What whoever listens knows in the end."""
    return {name_of(each): each.state for each in said}


def name_of(said: Announcement) -> Name:
    return said.district, said.subject, *said.passed


def plain_words(log: Sequence[Entry], end: int, directory: Any) -> Words:
    """The last words when every record of the log has been told of and the clock has come to `end`."""
    words: Words = {}
    cases: dict[tuple[str, str], Known] = {}
    clock = 0
    for _, timestamp, _, district, subject, event in log:
        clock = max(clock, timestamp)
        case = cases.setdefault((district, subject), Known(district, subject, directory))
        before = case.passed(clock)
        case.add(event, timestamp)
        after = case.passed(clock)
        words |= {name: "raised" for name, state in before.items() if state == "raised"}
        words |= dict.fromkeys(before.keys() - after.keys(), "withdrawn")
        words |= {name: state for name, state in after.items() if before.get(name) != state}
    for case in cases.values():
        words |= {name: "raised" for name, state in case.passed(end).items() if state == "raised"}
    return words


class Known:
    """What is known of a case by and by."""

    def __init__(self, district: str, subject: str, directory: Any) -> None:
        self.of = district, subject
        self.directory = directory
        self.events: list[Event] = []
        self.facts: list[dict[str, Any]] = []
        self.since: dict[tuple[int, str], int] = {}
        """Key of an episode -> timestamp of the record since which it is known."""

    def add(self, event: Event, timestamp: int) -> None:
        self.events.append(event)
        self.facts = plain_facts(self.events, self.directory, self.of[0])
        keys = [(facts["opened_at"], facts["episode"]) for facts in self.facts]
        self.since = {key: self.since.get(key, max(timestamp, key[0])) for key in keys}

    def passed(self, clock: int) -> Words:
        found: Words = {}
        for facts in self.facts:
            key = facts["opened_at"], facts["episode"]
            if facts["received_at"] is None or facts["status"] == "spam":
                continue
            for target, ended_at in (("response", facts["answered_at"]), ("resolution", facts["first_resolved_at"])):
                for stage, column in (("warning", "warn_at"), ("breach", "due_at")):
                    at = facts[f"{target}_{column}"]
                    news = at is not None and self.since[key] - 1 * H <= at < clock
                    if news and (ended_at is None or ended_at > at):
                        found[*self.of, *key, target, stage, at] = "raised" if ended_at is None else "cleared"
        return found
