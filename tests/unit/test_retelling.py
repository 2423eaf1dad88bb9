"""An event of the archive, told again as it was published, is the same event to whoever decodes it."""

from hypothesis import given

from events.cloudevents import structured
from events.codec import Decoder
from events.event import Event
from events.retelling import retold
from tests.unit.histories import EVENTS


@given(EVENTS)
def test_what_is_told_again_is_the_same_event(event: Event) -> None:
    wire = structured(retold("riverside", "case-1", event))
    assert Decoder().decode(wire.value, wire.headers, event.time) == ("riverside", "case-1", event)
