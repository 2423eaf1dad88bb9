"""Random histories: few identities, few instants and few names, so that everything that can collide does."""

from __future__ import annotations

from dataclasses import astuple, replace
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from events.event import Contacted, Event, Rated, Replied, Resolved
from tests.oracles import story
from tests.support.stories import DAY, DISTRICT, START, H

if TYPE_CHECKING:
    from projections.partition import Entry


MOMENTS = st.one_of(
    st.integers(0, 12).map(lambda i: START + i * H // 2),
    st.integers(0, 50).map(lambda i: START + i * DAY),
    st.integers(0, 50 * DAY).map(lambda ms: START + ms),
)
SOURCES = st.sampled_from(["/riverside/helpdesk", "/riverside/web"])
NAMES = st.sampled_from(["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "long-enough-to-be-told-apart", "k" * 40])
SCHOOLS = st.sampled_from(["", "", "north", "south"])
DEPARTMENTS = st.sampled_from(["", "nursing", "office"])
HEAD = (MOMENTS, SOURCES, NAMES, SCHOOLS, DEPARTMENTS)
"""With what every event begins."""
STAKEHOLDERS = st.sampled_from(["", "s-1", "s-2"])

CONTACTS = st.builds(
    Contacted,
    *HEAD,
    STAKEHOLDERS,
    st.sampled_from(["", "family"]),
    st.sampled_from(["", "web"]),
    st.sampled_from(["", "es"]),
    st.sampled_from(["", "bus-late"]),
    st.sampled_from(["routine", "urgent", "critical"]),
    st.booleans(),
)
REPLIES = st.builds(Replied, *HEAD, st.just(""), st.booleans(), st.booleans())
RESOLUTIONS = st.builds(Resolved, *HEAD, st.sampled_from(["resolved", "spam"]))
RATINGS = st.builds(Rated, *HEAD, st.sampled_from([1.0, 2.0, 5.0]))
EVENTS: st.SearchStrategy[Event] = st.one_of(CONTACTS, REPLIES, REPLIES, RESOLUTIONS, RATINGS)


def histories(most: int = 14) -> st.SearchStrategy[list[Event]]:
    """Lists of events of one case, with repeats and conflicts, in any order."""
    return st.lists(EVENTS, min_size=1, max_size=most)


@st.composite
def logs(draw: Any, most: int = 20) -> list[Entry]:
    """Records of a few cases, as they could lie in the log of one partition."""
    told = draw(st.lists(st.tuples(st.sampled_from(["case-1", "case-2"]), EVENTS), min_size=1, max_size=most))
    return [(i, START + 50 * DAY + i, False, DISTRICT, subject, event) for i, (subject, event) in enumerate(told)]


# -- the whole story of a case ------------------------------------------------------------------------------------------
REVISIONS = st.sampled_from([0, 0, 0, 0, 0, 1, 2])
RETRACTED = st.sampled_from([False, False, False, False, False, True])
PRIORITIES = st.sampled_from(["routine", "urgent", "critical"])
SELDOM_PRIORITIES = st.sampled_from(["", "", "", "routine", "urgent", "critical"])

TOLD_CONTACTS = st.builds(
    story.Contacted,
    *HEAD,
    STAKEHOLDERS,
    st.sampled_from(["", "family"]),
    st.sampled_from(["", "web", "phone"]),
    st.sampled_from(["", "es"]),
    st.sampled_from(["", "bus-late"]),
    PRIORITIES,
    st.sampled_from([True, True, False]),
    REVISIONS,
    RETRACTED,
)
TOLD_CHANGES = st.builds(
    story.Changed,
    *HEAD,
    SELDOM_PRIORITIES,
    st.sampled_from(["", "", "meals"]),
    st.sampled_from(["", "", "staff"]),
    st.sampled_from(["", "", "so"]),
    st.sampled_from(["", "", "district", "stakeholder", "stakeholder", "third_party"]),
    st.just(""),
    st.booleans(),
    REVISIONS,
    RETRACTED,
).filter(lambda change: astuple(change)[3:10] != ("",) * 7)
TOLD_REPLIES = st.builds(
    story.Replied,
    *HEAD,
    st.just(""),
    st.sampled_from([True, True, False]),
    st.sampled_from([True, True, False]),
    st.sampled_from(["", "", "", "stakeholder", "third_party"]),
    st.sampled_from(["", "es"]),
    REVISIONS,
    RETRACTED,
)
TOLD_RESOLUTIONS = st.builds(
    story.Resolved,
    *HEAD,
    st.sampled_from(["resolved", "resolved", "no_action", "duplicate", "spam"]),
    st.just(""),
    st.sampled_from([True, True, False]),
    st.just(""),
    REVISIONS,
    RETRACTED,
)
TOLD_RATINGS = st.builds(
    lambda at, source, name, school, department, score, settled, *rest: story.Rated(
        at, source, name, school, department, score, 1.0, 5.0, score > 0, settled, *rest
    ),
    *HEAD,
    st.sampled_from([0.0, 1.0, 2.0, 5.0]),
    st.sampled_from(["yes", "no"]),
    st.sampled_from([(), ("speed",), ("courtesy", "outcome")]),
    st.sampled_from([0, 1, 5]),
    REVISIONS,
    RETRACTED,
)
TOLD: st.SearchStrategy[story.Event] = st.one_of(
    TOLD_CONTACTS, TOLD_CONTACTS, TOLD_CHANGES, TOLD_CHANGES, TOLD_REPLIES, TOLD_RESOLUTIONS, TOLD_RATINGS
)


def told_histories(most: int = 14) -> st.SearchStrategy[list[story.Event]]:
    """Lists of events of one case that say all that may be said: hand-offs, waiting, robots, duplicates, corrections, retractions."""
    begun = st.builds(
        lambda first, rest: [replace(first, time=START, retracted=False), *rest], TOLD_CONTACTS, st.lists(TOLD, min_size=5, max_size=most)
    )
    return st.one_of(st.lists(TOLD, min_size=1, max_size=most), begun)
