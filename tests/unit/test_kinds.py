"""The registry of kinds: whole, in order, and an event told again as it was published is the same event to whoever decodes it."""

from typing import get_args

from hypothesis import given

from events.cloudevents import structured
from events.codec import Decoder
from events.event import KIND, Event
from events.kinds import KINDS, MEMBERS, retold
from projections.rows import EVENT_COLUMNS
from tests.unit.histories import EVENTS


@given(EVENTS)
def test_what_is_told_again_is_the_same_event(event: Event) -> None:
    wire = structured(retold("riverside", "case-1", event))
    assert Decoder().decode(wire.value, wire.headers, event.time) == ("riverside", "case-1", event)


def test_the_kinds_take_effect_in_the_order_of_their_tags() -> None:
    assert [KIND[kind.record] for kind in KINDS] == list(range(len(KINDS)))
    assert {kind.record for kind in KINDS} == set(get_args(Event))


def test_the_archive_has_a_column_for_whatever_an_event_may_say() -> None:
    assert set(MEMBERS) == set(EVENT_COLUMNS[EVENT_COLUMNS.index("department") + 1 : EVENT_COLUMNS.index("partition")])
