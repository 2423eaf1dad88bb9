"""The books of one partition: what each change of a case moves in the windows, and in what there is to announce of promises.

Nothing here knows a case. A balance is taken before a change and compared with the one after it; only the difference is posted,
so taking back is exact. What an event that comes last can move at most is known beforehand, which saves most of the comparing.
"""

from __future__ import annotations

from functools import partial
from itertools import zip_longest
from typing import TYPE_CHECKING, Final, TypeAlias

from events.event import Contacted
from projections.announcement import NOTHING, Announcement, Standing, changed, may_stand, standing
from projections.case import FOLD, decode_case, decode_head
from projections.case_store import Replaced, case_named, district_of
from projections.contribution import (
    MINUTE_MS,
    Contributions,
    Message,
    There,
    added_by,
    contributions,
    differences,
    is_measured,
    message_differences,
    messages,
)
from projections.promises import OpenPromises

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from events.event import Rated, Replied, Resolved
    from projections.case import Case, CaseWork
    from projections.episode import Episode
    from projections.stream_time import StreamTime
    from projections.windows import Windows

Measured: TypeAlias = tuple[Contributions, list[Message]]
NOT_MEASURED: Final[Measured] = ([], [])
Balance: TypeAlias = tuple[list[Measured], Standing]
"""What each episode of a case contributes, and which of its promises have passed."""
NO_BALANCE: Final[Balance] = ([], NOTHING)
POSTED_AT_ONCE: Final = 60_000
"""Numbers handed to the windows at once while they are rebuilt: keeps memory flat."""


class Accounting:
    """Mutable, owned by one partition. Promises are looked at as of `time`, which the partition moves."""

    def __init__(self, windows: Windows, time: StreamTime) -> None:
        self.windows = windows
        self.promises = OpenPromises()
        self._time = time
        self._contributions: list[int] = []
        self._places: dict[str, There] = {}

    def start_anew(self) -> None:
        """Know of no case; the windows are empty, as of the clock. What is to be announced stays."""
        self.windows, self._places, self._contributions = type(self.windows)(), {}, []
        self.windows.advance(self._time.as_of // MINUTE_MS)
        self.promises.forget_all()

    # -- one case, before and after -----------------------------------------------------------------------------------
    def balance(self, work: CaseWork) -> Balance:
        """What a case comes to as it is now."""
        episodes = work.case.episodes
        return (self._measured(work.district, episodes), self.passed(work)) if episodes else NO_BALANCE

    def passed(self, work: CaseWork) -> Standing:
        """Which promises of a case have passed as it is now. Asking the last episode first is enough for nearly all."""
        episodes, now = work.case.episodes, self._time.now
        if not episodes or (len(episodes) == 1 and not may_stand(episodes[0], now)):
            return NOTHING
        return standing(work.district, work.subject, episodes, now)

    def post(self, before: Balance, work: CaseWork) -> None:
        """Note what has changed since `before`.

        At each event, not at the end of a batch: a worker that died may have announced what stood between any two of them.
        """
        self._post(before[0], self._measured(work.district, work.case.episodes))
        self._post_passed(before[1], work)

    def post_own(self, passed: Standing, work: CaseWork, event: Contacted | Replied | Resolved | Rated, episode: Episode) -> None:
        """Note what an event has changed that adds only something of its own to its episode; `passed` is of before."""
        place = self.place_in(work.district)
        here = place(episode.opening.school, episode.opening.department)
        if isinstance(event, Contacted):
            self.windows.add_message(event.time // MINUTE_MS, here, event.stakeholder, 1)
        else:
            self._contributions += added_by(event, episode, here, place)
        if passed:
            self._post_passed(passed, work)

    def _post_passed(self, passed: Standing, work: CaseWork) -> None:
        passes = self.passed(work)
        if passed or passes:
            self.promises.announce(changed(passed, passes))

    # -- whole cases --------------------------------------------------------------------------------------------------
    def add(self, district: str, case: Case) -> None:
        """Note all that a case contributes which the windows do not have at all: as `post` would, at four fifths of the time."""
        flat, place = self._contributions, self.place_in(district)
        for episode in case.episodes:
            if is_measured(episode):
                here = place(episode.opening.school, episode.opening.department)
                for contribution in contributions(episode, here, place):
                    flat += contribution
                    flat.append(1)
                for message in messages(episode, here):
                    self.windows.add_message(*message, 1)
        if len(flat) > POSTED_AT_ONCE:
            self.hand_over()

    def replace(self, replaced: Replaced) -> Sequence[Episode]:
        """Note what changed when a case was made anew that is in the books. Returns its episodes of before."""
        district, before, after = district_of(replaced.key), decode_case(replaced.record).episodes, replaced.case
        self.announce_replaced(replaced)
        self._post(self._measured(district, before), self._measured(district, after.episodes))
        self.promises.keep(replaced.key, district, after.episodes, self.place_in, moved=True)
        return before

    def announce_replaced(self, replaced: Replaced) -> None:
        """Note what there is to announce when a case takes the place of what a record tells, as of when all was announced."""
        if decode_head(replaced.record).fold == FOLD:
            district, subject = case_named(replaced.key)
            now = self.promises.announced_to
            passed = standing(district, subject, decode_case(replaced.record).episodes, now)
            self.promises.announce(changed(passed, standing(district, subject, replaced.case.episodes, now)))

    # -- what is given out --------------------------------------------------------------------------------------------
    def announcements(self, wall: int, case_of: Callable[[bytes], Case]) -> list[Announcement]:
        """Take what there is to announce of promises: what events changed, and what has passed since the last time."""
        promises, now = self.promises, self._time.now
        for key in promises.come_due(now):
            district, subject = case_named(key)
            passed = standing(district, subject, case_of(key).episodes, now)
            promises.announce(each for each in passed.values() if each.state == "raised" and each.passed.at >= promises.announced_to)
        return promises.take(now, wall)

    def settled(self) -> Windows:
        """The windows as of the clock, with all that was noted."""
        self.windows.advance(self._time.as_of // MINUTE_MS)
        self.hand_over()
        return self.windows

    def hand_over(self) -> None:
        """Give the windows what was noted; in bulk, which costs them a tenth."""
        if self._contributions:
            self.windows.add(self._contributions)
            self._contributions = []

    # -- differences --------------------------------------------------------------------------------------------------
    def _measured(self, district: str, episodes: Sequence[Episode]) -> list[Measured]:
        place = self.place_in(district)
        return [_measured(episode, place) for episode in episodes]

    def _post(self, before: Sequence[Measured], after: Sequence[Measured]) -> None:
        """The old minus, the new plus, episode by episode."""
        for old, new in zip_longest(before, after, fillvalue=NOT_MEASURED):
            self._contributions += differences(old[0], new[0])
            if old[1] != new[1]:
                for message, sign in message_differences(old[1], new[1]):
                    self.windows.add_message(*message, sign)

    def place_in(self, district: str) -> There:
        place = self._places.get(district)
        if place is None:
            place = self._places[district] = partial(self.windows.place, district)
        return place


def _measured(episode: Episode, place: There) -> Measured:
    if not is_measured(episode):
        return NOT_MEASURED
    here = place(episode.opening.school, episode.opening.department)
    return contributions(episode, here, place), messages(episode, here)
