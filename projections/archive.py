"""Forgotten cases that come back: which of them the next fold may need, and what the archive has of them.

Whatever was forgotten is older than 100 days by the watermark. So only an event that is so old itself, and older than all that
is remembered of its case, may meet it: a backfilled one, or one of a case that began anew after it was forgotten.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from projections.case_store import REMEMBERED_MS, case_key

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from events.event import Event
    from events.rejection import Rejection
    from projections.accounting import Accounting
    from projections.case import CaseWork
    from projections.case_store import CaseStore, Key
    from projections.partition import Entry
    from projections.stream_time import StreamTime


class Archived(NamedTuple):
    """What ClickHouse has of a case: all its events in any order, both contents of a conflict, and the keys of its rows in `cases`."""

    district: str
    subject: str
    last_offset: int
    events: Sequence[Event]
    keys: Collection[Key] = ()


class Archive:
    """What is at hand of it for one fold. Mutable, owned by one partition."""

    def __init__(self, store: CaseStore, time: StreamTime) -> None:
        self.at_hand: dict[bytes, Archived] = {}
        self._store = store
        self._time = time

    def add(self, archived: Archived) -> None:
        """Have this at hand for the next fold, which takes it where it needs it: where, does not depend on batches."""
        self.at_hand[case_key(archived.district, archived.subject)] = archived

    def wanted(self, entries: Sequence[Entry]) -> list[tuple[str, str]]:
        """The (district, subject) of which the archive may know more than is remembered, and `fold` may need it for these records."""
        horizon = max(self._time.watermark, max((entry[1] for entry in entries), default=0)) - REMEMBERED_MS
        old = [entry for entry in entries if entry[5].time < horizon]
        begins = {(entry[3], entry[4]): self._begins(entry[3], entry[4]) for entry in old}
        begun = None
        wanted: dict[tuple[str, str], None] = {}
        for _, _, backfill, district, subject, event in old:
            name = (district, subject)
            first = begins[name]
            if first is None and not backfill:
                begun = begun or {(e[3], e[4]) for e in entries if e[2] or e[5].time >= horizon}
                if name not in begun:
                    continue  # too late
            if first is None or event.time < first:
                wanted[name] = None
        return list(wanted)

    def _begins(self, district: str, subject: str) -> int | None:
        """Time of the first event that is remembered of a case; None where it is not remembered."""
        key = case_key(district, subject)
        return self._store.case(key).episodes[0].opening.time if key in self._store.records else None

    def unite(self, event: Event, key: bytes, work: CaseWork, known_at: int, accounting: Accounting) -> Rejection | None:
        """Unite what is remembered of a case, perhaps nothing, with what is at hand of it, if the event is older than that.

        Rows of other keys that it has had are deleted. Where all of it would be too much for one case nothing is united, and the
        event is refused: returns why.
        """
        archived = self.at_hand.get(key)
        if archived is None or not work.begins_after(event):
            return None
        refusal = work.refusal_with(archived.events, event)
        if refusal is None:
            del self.at_hand[key]
            before = accounting.balance(work)
            work.unite(archived.events, archived.last_offset, archived.keys, self._store.directory, known_at)
            accounting.post(before, work)
        return refusal
