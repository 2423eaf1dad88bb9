"""The registry of kinds: whole and in order; and an event that is written anew is the same to whoever decodes it."""

from typing import get_args

from hypothesis import given

from events.codec import Decoder
from events.event import KIND, Event
from events.kinds import KINDS, MEMBERS, rewritten
from projections.rows import EVENT_COLUMNS
from tests.support.histories import EVENTS


@given(EVENTS)
def test_what_is_written_anew_is_the_same_event(event: Event) -> None:
    assert Decoder().decode(rewritten("riverside", "case-1", event), [], event.time) == ("riverside", "case-1", event)


def test_the_kinds_take_effect_in_the_order_of_their_tags() -> None:
    assert [KIND[kind.record] for kind in KINDS] == list(range(len(KINDS)))
    assert {kind.record for kind in KINDS} == set(get_args(Event))


def test_the_archive_has_a_column_for_whatever_an_event_may_say() -> None:
    assert set(MEMBERS) == set(EVENT_COLUMNS[EVENT_COLUMNS.index("department") + 1 : EVENT_COLUMNS.index("partition")])
