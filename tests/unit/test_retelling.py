"""An event that is written anew, from the archive or at the intake, is the same event to whoever decodes it."""

from hypothesis import given

from events.codec import Decoder
from events.event import Event
from events.retelling import rewritten
from tests.unit.histories import EVENTS


@given(EVENTS)
def test_what_is_written_anew_is_the_same_event(event: Event) -> None:
    assert Decoder().decode(rewritten("riverside", "case-1", event), [], event.time) == ("riverside", "case-1", event)
