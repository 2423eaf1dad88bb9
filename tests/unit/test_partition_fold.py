"""One Kafka partition: what it takes in, gives out, remembers and forgets."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from events.rejection import Reason
from projections.archive import Archived
from projections.capacity import MOST_EVENTS
from projections.case import ENCODE, FOLD, decode_case, events_of
from projections.changes import Changes
from projections.partition import Partition
from projections.rows import CASE_COLUMNS, EVENT_COLUMNS, WINDOW_COLUMNS, row_version, window_version
from projections.stream_time import CLOCK_KEY, MOST_AHEAD_MS
from tests.support.stories import (
    DAY,
    DISTRICT,
    MIN,
    PROMISES,
    SOURCE,
    START,
    H,
    Promises,
    Tables,
    contact,
    entries,
    folded,
    rating,
    reply,
    resolution,
    rows,
)

if TYPE_CHECKING:
    from events.event import Event

KEY = b"riverside case-1"


def at(offset: int, event: Event, timestamp: int, subject: str = "case-1", *, backfill: bool = False) -> tuple[Any, ...]:
    return offset, timestamp, backfill, DISTRICT, subject, event


def case_rows(changes: Changes) -> list[dict[str, Any]]:
    return rows(changes.cases, CASE_COLUMNS)


def test_a_batch_gives_rows_and_records_of_all_it_touched() -> None:
    partition = Partition(3, PROMISES, epoch=2)
    assert partition.fold(entries([contact(0, "c"), reply(1 * H, "r")], first=10)) == []
    changes = partition.drain()
    assert [row["id"] for row in rows(changes.events, EVENT_COLUMNS)] == ["c", "r"]
    assert [row["version"] for row in rows(changes.events, EVENT_COLUMNS)] == [row_version(2, 10, 1), row_version(2, 11, 1)]
    (case,) = case_rows(changes)
    assert (case["status"], case["partition"], case["last_offset"], case["version"]) == ("answered", 3, 11, row_version(2, 11, 1))
    assert [key for key, _ in changes.changelog] == [KEY, CLOCK_KEY]
    windows = rows(changes.windows, WINDOW_COLUMNS)
    assert {row["version"] for row in windows} == {window_version((START + H) // MIN, 12, 1)}
    assert {(row["scope"], row["contact_n"]) for row in windows if row["window"] == "24h"} == {
        ("district", 1),
        ("school", 1),
        ("department", 1),
        ("school_department", 1),
    }


def test_nothing_changes_twice() -> None:
    partition, _ = folded(entries([contact(0)]))
    assert partition.drain() == Changes()


def test_what_only_repeats_is_written_too() -> None:
    log = entries([contact(0, "c")])
    partition, _ = folded(log)
    partition.fold([at(7, log[0][5], START)])
    changes = partition.drain()
    assert len(rows(changes.events, EVENT_COLUMNS)) == 1
    assert [row["last_offset"] for row in case_rows(changes)] == [7]
    assert [key for key, _ in changes.changelog] == [KEY, CLOCK_KEY]


def test_the_clock_follows_the_records_and_never_goes_back() -> None:
    partition = Partition(0, PROMISES)
    partition.fold([at(0, contact(0), START + 5), at(1, reply(1), START + 3)])
    assert partition.clock == START + 5
    partition.advance(START)
    assert partition.clock == START + 5
    partition.advance(START + H)
    assert partition.clock == START + H


def test_a_timestamp_ahead_of_what_is_allowed_does_not_move_the_clock() -> None:
    partition = Partition(0, PROMISES)
    partition.fold([at(0, contact(0), START), at(1, reply(1), START + DAY)], wall=START + H - MOST_AHEAD_MS)
    assert partition.clock == START


def test_a_moved_clock_is_written_once_a_minute() -> None:
    partition, _ = folded(entries([contact(0)]))
    partition.advance(START + MIN - 1)
    assert partition.drain().changelog == []
    partition.advance(START + MIN)
    assert [key for key, _ in partition.drain().changelog] == [CLOCK_KEY]


def test_the_clock_survives() -> None:
    _, tables = folded(entries([contact(0), reply(5 * H)]))
    heir = Partition(0, PROMISES)
    heir.restore(*tables.changelog[-1])
    heir.restore(CLOCK_KEY, ENCODE((START, 0)))
    assert heir.clock == START + 5 * H


def test_an_old_event_of_an_unknown_case_is_too_late() -> None:
    partition = Partition(0, PROMISES)
    rejected = partition.fold(
        [at(0, contact(0), START + 100 * DAY + 1), at(1, contact(0), START + DAY, "case-2"), at(2, contact(1), 0, "case-3")]
    )
    assert [(index, rejection.reason, rejection.path) for index, rejection in rejected] == [
        (0, Reason.TOO_LATE, "$.time"),
        (1, Reason.TOO_LATE, "$.time"),
    ]
    assert [key for key, _ in partition.drain().changelog] == [b"riverside case-3", CLOCK_KEY]


def test_an_old_event_of_a_remembered_case_is_not() -> None:
    partition = Partition(0, PROMISES)
    assert partition.fold([at(0, contact(150 * DAY), START + 150 * DAY), at(1, reply(0), START + 150 * DAY)]) == []


def test_a_backfilled_event_is_never_too_late() -> None:
    partition = Partition(0, PROMISES)
    assert partition.fold([at(0, contact(0), START + 500 * DAY, backfill=True)]) == []


def test_a_full_case_rejects() -> None:
    partition = Partition(0, PROMISES)
    rejected = partition.fold(entries([contact(0), *(reply(i + 1, f"reply-number-{i:04}") for i in range(MOST_EVENTS))]))
    assert [(index, rejection.reason) for index, rejection in rejected] == [(MOST_EVENTS, Reason.CASE_FULL)]
    changes = partition.drain()
    assert len(changes.events[0]) == MOST_EVENTS
    assert case_rows(changes)[0]["last_offset"] == MOST_EVENTS - 1


def test_a_late_contact_that_takes_over_deletes_the_key_that_was() -> None:
    partition, _ = folded(entries([reply(2 * H, "r")]))
    partition.fold([at(5, reply(1 * H, "q"), START)])
    stays, gone = case_rows(partition.drain())
    assert (stays["episode"], stays["is_deleted"]) == (f"{SOURCE} q", 0)
    assert (gone["episode"], gone["opened_at"], gone["is_deleted"]) == (f"{SOURCE} r", START + 2 * H, 1)
    assert gone["version"] == stays["version"] == row_version(1, 5, 1)


def test_a_key_between_two_records_of_one_batch_is_deleted_too() -> None:
    # A worker that died may have written it: its batch may have ended in between.
    changes = folded(entries([reply(2 * H, "r"), reply(1 * H, "q"), contact(0, "c")]))[1]
    assert {(row["episode"][-1], row["is_deleted"]) for row in changes.cases.values()} == {("c", 0), ("q", 1), ("r", 1)} - {("q", 0)}


def test_a_key_that_came_back_is_not_deleted() -> None:
    #  a resolution at day 10 joins c-2 to the first question, until it turns out to have happened at day 1
    log = entries([contact(0, "c-1"), resolution(H, "x"), contact(20 * DAY, "c-2"), resolution(10 * DAY, "y"), resolution(1 * DAY, "y")])
    _, together = folded(log)
    _, apart = folded(log, (1, 2, 3, 4))
    assert {row["episode"][-3:] for row in together.standing().values()} == {"c-1", "c-2"}
    assert together.standing() == apart.standing()


def test_a_change_of_school_moves_the_episode_to_other_cells() -> None:
    partition = Partition(0, PROMISES)
    partition.fold(entries([contact(0, "c", school="south"), reply(1 * H)]))
    partition.drain()
    partition.fold([at(5, contact(0, "c", school="north"), START)])
    counts = {(row["school"], row["contact_n"], row["response_n"], row["message_n"]) for row in window_rows(partition, "school")}
    assert counts == {("south", 0, 0, 0), ("north", 1, 1, 1)}


def window_rows(partition: Partition, scope: str) -> list[dict[str, Any]]:
    return [row for row in rows(partition.drain().windows, WINDOW_COLUMNS) if row["scope"] == scope and row["window"] == "24h"]


def test_spam_takes_everything_back() -> None:
    partition = Partition(0, PROMISES)
    partition.fold(entries([contact(0), contact(1 * H), reply(2 * H), rating(3 * H)]))
    (before,) = window_rows(partition, "district")
    assert (before["contact_n"], before["message_n"], before["stakeholder_n"], before["rating_n"]) == (1, 2, 1, 1)
    partition.fold(entries([resolution(4 * H, outcome="spam")], first=9))
    (after,) = window_rows(partition, "district")
    assert not any(value for name, value in after.items() if name.endswith("_n"))


def test_a_due_case_is_forgotten_with_a_tombstone() -> None:
    partition, tables = folded(entries([contact(0, "c"), resolution(1 * H, "x")]))
    partition.advance(START + 1 * H + 100 * DAY)
    assert partition.forget(2) == 0
    partition.advance(START + 1 * H + 100 * DAY + 1)
    assert partition.forget(1) == 0, "its last record is not committed"
    assert partition.forget(2) == 1
    tables.write(partition.drain())
    assert tables.changelog[-2:-1] == [(KEY, None)]
    assert len(partition) == len(tables.restored()) == 0


def test_an_open_case_is_remembered_for_400_days() -> None:
    partition, _ = folded(entries([contact(0)]))
    partition.advance(START + 400 * DAY)
    assert partition.forget(9) == 0
    partition.advance(START + 400 * DAY + 1)
    assert partition.forget(9) == 1


def test_a_case_touched_lately_is_remembered() -> None:
    partition, _ = folded([at(0, resolution(0), START), at(1, resolution(1), START + 50 * DAY)])
    partition.advance(START + 149 * DAY)
    assert partition.forget(9) == 0


def test_a_case_at_work_is_not_forgotten() -> None:
    partition = Partition(0, PROMISES)
    partition.fold(entries([resolution(0)]))
    partition.advance(START + 500 * DAY)
    assert partition.forget(9) == 0


def test_after_the_tombstone_a_duplicate_is_too_late_and_a_backfilled_one_needs_the_archive() -> None:
    question, answer, end = contact(0, "c"), reply(1 * H, "r"), resolution(2 * H, "x")
    partition, tables = folded(entries([question, answer, end]))
    whole = dict(tables.standing())
    partition.advance(START + 200 * DAY)
    partition.forget(3)
    again = at(8, answer, START + 200 * DAY)
    assert [rejection.reason for _, rejection in partition.fold([again])] == [Reason.TOO_LATE]
    resent = [at(9, answer, START + 200 * DAY, backfill=True)]
    assert partition.archive.wanted(resent) == [(DISTRICT, "case-1")]
    partition.archive.add(Archived(DISTRICT, "case-1", 2, [end, question, answer]))
    partition.fold(resent)
    assert partition.archive.wanted([at(10, end, START + 200 * DAY, backfill=True)]) == []
    tables.write(partition.drain())
    strip = {"version": 0, "last_offset": 0}
    assert {k: v | strip for k, v in tables.standing().items()} == {k: v | strip for k, v in whole.items()}
    assert len(tables.restored()) == 1


def test_what_is_remembered_or_young_needs_no_archive() -> None:
    partition, _ = folded(entries([contact(0)]))
    now = START + 150 * DAY
    young, known = at(1, contact(149 * DAY), now, "case-2", backfill=True), at(2, reply(1), now, backfill=True)
    assert partition.archive.wanted([young, known, at(3, contact(0), now, "case-3")]) == []
    assert partition.archive.wanted([]) == []


def test_what_is_older_than_all_that_is_remembered_of_a_case_needs_it() -> None:
    partition, _ = folded(entries([contact(50 * DAY)]))
    now = START + 200 * DAY
    older, between = at(1, reply(49 * DAY), now), at(2, reply(51 * DAY), now)
    assert partition.archive.wanted([between]) == []
    assert partition.archive.wanted([older, between]) == [(DISTRICT, "case-1")]
    assert partition.archive.wanted([at(1, reply(49 * DAY), START + 149 * DAY)]) == [], "nothing so young was ever forgotten"


def test_a_case_that_begins_in_a_batch_may_have_been_forgotten_before() -> None:
    partition, now = Partition(0, PROMISES), START + 200 * DAY
    begins, older = at(0, contact(199 * DAY), now), at(1, reply(0), now)
    assert partition.archive.wanted([older]) == [], "too late"
    assert partition.archive.wanted([begins, older]) == [(DISTRICT, "case-1")]


@pytest.mark.parametrize("cuts", [(), (1,), (2,), (1, 2)])
def test_what_is_lent_does_not_make_an_event_come_in_time(cuts: tuple[int, ...]) -> None:
    #  forgotten: c    then a late reply, a new contact, another late reply: only the last one meets a remembered case
    log = [
        at(5, reply(H, "q"), START + 200 * DAY),
        at(6, contact(200 * DAY, "d"), START + 200 * DAY),
        at(7, reply(2 * H, "r"), START + 200 * DAY),
    ]
    partition, _ = folded(entries([contact(0, "c")]))
    partition.advance(START + 200 * DAY)
    partition.store.records.clear()
    refused = []
    for begin, end in pairwise([0, *cuts, len(log)]):
        batch = log[begin:end]
        if partition.archive.wanted(batch):
            partition.archive.add(Archived(DISTRICT, "case-1", 0, [contact(0, "c")]))
        refused += [batch[index][0] for index, _ in partition.fold(batch)]
    assert refused == [5]
    [record] = partition.store.records.values()
    assert [event.id for event in events_of(decode_case(record))] == ["c", "r", "d"]


def test_all_cells_are_written_after_a_restart_and_claimed_ones_with_zeros() -> None:
    _, tables = folded(entries([contact(0)]))
    heir = tables.restored()
    heir.claim([("riverside", "school", "old-school", "")])
    schools = {(row["school"], row["contact_n"]) for row in window_rows(heir, "school")}
    assert schools == {("lincoln-high", 1), ("old-school", 0)}


def test_a_claimed_cell_is_written_until_the_clock_is_past_the_row_that_it_has() -> None:
    heir = Partition(0, PROMISES)
    heir.advance(START)
    heir.claim([("riverside", "district", "", "")])
    written = []
    for ms in (0, MIN - 1, MIN, 2 * MIN):
        heir.advance(START + ms)
        written.append(len(window_rows(heir, "district")))
    assert written == [1, 1, 1, 0]


def test_records_of_a_foreign_writer_can_be_taken_in_later() -> None:
    own, tables = folded(entries([contact(0, "c"), reply(1 * H, "r")]))
    _, foreign = folded(entries([contact(0, "c"), rating(1 * H, name="q")]))
    own.restore(*foreign.changelog[0])
    own.restored()
    tables.write(own.drain())
    (row,) = tables.standing().values()
    assert (row["replies"], row["rating"]) == (1, 1.0)
    counts = {(row["contact_n"], row["response_n"], row["rating_n"]) for key, row in tables.windows.items() if key[-1] == "24h"}
    assert counts == {(1, 1, 1)}


def test_a_record_of_another_fold_is_folded_again_and_its_old_keys_are_deleted() -> None:
    _, tables = folded(entries([contact(0, "c"), reply(1 * H, "r")]))
    record = msgspec.msgpack.decode(tables.latest()[KEY])
    opening, others, events = record[6][0][:3]
    # Another version thought that the case had two questions.
    elsewhere = (opening[0], opening[1] + 5, opening[2], "other", *opening[4:])
    tables.changelog[0] = (KEY, ENCODE((99, *record[1:4], 3, [], [(opening, others, events, "its own"), (elsewhere, 0, b"", "its own")])))
    heir = tables.restored()
    assert heir.pending == 1
    changes = heir.drain()
    assert decode_case(dict(changes.changelog)[KEY]).fold == FOLD  # type: ignore[arg-type] # no tombstone
    assert [(row["episode"].split()[1], row["is_deleted"]) for row in case_rows(changes)] == [("c", 0), ("other", 1)]
    assert heir.pending == 0


def test_what_is_made_anew_can_be_drained_in_parts() -> None:
    _, tables = folded([entry for i in range(5) for entry in entries([contact(0)], f"case-{i}", i)])
    heir = tables.restored(directory=Promises(2, H))
    counts = []
    while heir.pending:
        changes = heir.drain(2)
        assert {row["directory_revision"] for row in case_rows(changes)} == {2}
        counts.append(len(case_rows(changes)))
    assert counts == [2, 2, 1]


def test_a_case_made_anew_and_touched_is_drained_once() -> None:
    _, tables = folded(entries([contact(0)]))
    heir = tables.restored(directory=Promises(2, H))
    heir.fold(entries([reply(1 * H)], first=4))
    assert [row["last_offset"] for row in case_rows(heir.drain())] == [4]
    assert heir.pending == 0


def test_an_older_record_behind_a_newer_one_loses_nothing_and_is_mended() -> None:
    _, tables = folded(entries([contact(0), reply(1 * H), resolution(2 * H)]), (1, 2))
    older, newer = [value for key, value in tables.changelog if key == KEY][::2]
    tables.changelog += [(KEY, older)]
    heir = tables.restored()
    assert dict(heir.drain().changelog)[KEY] == newer


def test_a_tombstone_ends_what_was_before() -> None:
    _, tables = folded(entries([contact(0)]))
    tables.changelog.append((KEY, None))
    tables.changelog += folded(entries([contact(200 * DAY, "other")], first=7))[1].changelog
    (record,) = (value for key, value in tables.restored().store.records.items() if key == KEY)
    assert decode_case(record).count == 1


@pytest.mark.parametrize("goes_on", [False, True])
def test_a_tombstone_of_one_who_did_not_know_the_latest_event_ends_nothing(goes_on: bool) -> None:
    log = entries([contact(0, "c"), resolution(H, "x"), reply(300 * DAY, "r"), reply(301 * DAY, "s")])
    plain, _ = folded(log)
    _, tables = folded(log[:3])
    tables.changelog.append((KEY, None))
    if goes_on:  # by one who had not read that tombstone yet
        tables.changelog += folded(log)[1].changelog
    heir = tables.restored()
    heir.fold(log[3:])
    tables.write(heir.drain())
    assert tables.restored().store.records == plain.store.records


def test_an_empty_changelog_is_a_fresh_partition() -> None:
    heir = Tables().restored()
    assert (heir.clock, len(heir), heir.drain()) == (0, 0, Changes())
