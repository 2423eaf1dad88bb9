"""What a rebuild decides before it does anything: which source, which epoch, and what has to be done first."""

import os
import socket
from dataclasses import replace

import psutil
import pytest

from projections.rows import row_version, window_version
from sinks.clickhouse.comparison import EXAMPLES, Contrast
from sinks.clickhouse.queries import LogIdentity
from sinks.clickhouse.rebuilds import ABANDONED, BUILT, SWITCHED, Rebuild
from sinks.clickhouse.staging import written_since
from streams.kafka.identity import TopicIdentity
from streams.rebuild.archive import batches
from streams.rebuild.journal import SILENT_S, is_alive, owner
from streams.rebuild.plan import Found, RebuildRefused, planned
from streams.terminal.screen import left

FOUND = Found(
    topic=TopicIdentity("a", 8), log=LogIdentity("a", 8, 1), known=[], workers=False, directory=(3, "x"), directory_in_force=(3, "x")
)
OTHER = replace(FOUND, topic=TopicIdentity("b", 8))
MORE = replace(FOUND, topic=TopicIdentity("a", 9))
BEGUN = planned(FOUND, None, "frontdesk")


def test_what_suits_is_the_archive_and_a_new_log_is_counted_from_the_topic() -> None:
    assert (BEGUN.number, BEGUN.source, BEGUN.epoch, BEGUN.database) == (1, "events", 1, "frontdesk__rebuild_1")
    assert planned(FOUND, "topic", "d").source == "topic"
    for found in (OTHER, MORE):
        for source in (None, "topic"):
            assert (planned(found, source, "d").source, planned(found, source, "d").epoch) == ("log", 2)


def test_an_epoch_and_a_number_are_used_once_also_when_they_were_given_up() -> None:
    known = [replace(BEGUN, number=5, epoch=4, state=ABANDONED), replace(BEGUN, state=SWITCHED)]
    plan = planned(replace(OTHER, known=known), None, "d")
    assert (plan.number, plan.epoch) == (6, 5)
    assert planned(replace(FOUND, known=known), None, "d").epoch == 1


def test_the_same_log_can_be_counted_anew_for_a_changelog_that_was_lost() -> None:
    for source in ("log", "log+events"):
        plan = planned(FOUND, source, "d")
        assert (plan.source, plan.epoch, plan.is_of_log) == (source, 2, True)
        assert planned(OTHER, source, "d").source == source


def test_what_is_under_way_goes_on() -> None:
    under_way = replace(BEGUN, state=BUILT, done=7)
    for source in (None, "events"):
        assert planned(replace(FOUND, known=[under_way], workers=True), source, "d") is under_way


def test_the_worker_of_a_killed_rebuild_may_still_be_in_the_group() -> None:
    under_way = replace(planned(OTHER, None, "d"), read_to=[0])
    assert planned(replace(OTHER, known=[under_way], workers=True), None, "d") is under_way


REFUSED: dict[str, tuple[Found, str | None, str]] = {
    "nothing was ever written": (replace(FOUND, log=None), None, "nothing to rebuild"),
    "workers of the old log": (replace(OTHER, workers=True), None, "stop them"),
    "workers of the same log that is to be counted anew": (replace(FOUND, workers=True), "log", "stop them"),
    "the archive of another log": (OTHER, "events", "--from log.events"),
    "an older directory": (replace(FOUND, directory=(2, "y")), None, "revision 3 of the directory is in force"),
    "other content under the same revision": (replace(FOUND, directory=(3, "y")), None, "a higher revision"),
    "workers with an older directory": (replace(FOUND, directory=(4, "y"), workers=True), None, "restart them with it first"),
    "another source than was begun": (replace(FOUND, known=[BEGUN]), "topic", "reads from events, not topic"),
    "another log than was begun": (replace(OTHER, known=[BEGUN]), None, "of another topic"),
    "another directory than was begun": (
        replace(FOUND, known=[replace(BEGUN, directory_revision=2)]),
        None,
        "is of revision 2 of the directory",
    ),
    "another fold than was begun": (replace(FOUND, known=[replace(BEGUN, fold=0)]), None, "folds differently"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_it_is_refused(case: str) -> None:
    found, source, why = REFUSED[case]
    with pytest.raises(RebuildRefused, match=why):
        planned(found, source, "d")


def test_a_newer_directory_is_taken_where_nobody_works() -> None:
    assert planned(replace(FOUND, directory=(4, "y")), None, "d").directory_revision == 4


# -- whose turn it is -----------------------------------------------------------------------------------------------------
def test_an_owner_is_alive_while_its_process_runs_or_elsewhere_while_it_is_heard_of() -> None:
    mine, elsewhere = owner(), "elsewhere 1 2"
    assert is_alive(mine, 10 * SILENT_S)
    assert not is_alive(f"{socket.gethostname()} {os.getpid()} {int(psutil.Process().create_time()) - 99}", 0)
    assert is_alive(elsewhere, SILENT_S - 1)
    assert not is_alive(elsewhere, SILENT_S + 1)


# -- which rows workers wrote meanwhile -----------------------------------------------------------------------------------
def version_of(condition: str) -> int:
    return int(condition.partition("toUInt128('")[2].partition("'")[0])


def test_rows_of_the_recorded_offset_and_later_are_the_workers() -> None:
    least = version_of(written_since("cases", 0, 1, 100, 0))
    assert row_version(1, 99, 5) < least <= row_version(1, 100, 0)
    clock = 30_000_000 * 60_000 + 59_999
    least = version_of(written_since("windows", 0, 1, 100, clock))
    for before in (window_version(30_000_000, 100, 1 << 31), window_version(29_999_999, 999, 1)):
        assert before < least
    for later in (window_version(30_000_000, 101, 0), window_version(30_000_001, 0, 0)):
        assert later >= least


# -- small things ---------------------------------------------------------------------------------------------------------
def test_contrasts_add_up() -> None:
    found = Contrast("cases") + Contrast("cases", 1, 2, 3, 4, ("a", "b")) + Contrast("cases", 1, 0, 0, 1, ("c", "d"))
    assert found == Contrast("cases", 2, 2, 3, 5, ("a", "b", "c"))
    assert (found.differs, len(found.examples)) == (10, EXAMPLES)


def test_an_estimate_is_given_once_there_is_a_pace() -> None:
    assert left(100, 0, 5) == left(0, 10, 5) == ""
    assert left(100, 50, 30) == ", about 60 s left"
    assert left(1_000, 50, 30) == ", about 10 min left"


def test_batches_are_full_but_the_last() -> None:
    assert list(batches(range(5), 2)) == [[0, 1], [2, 3], [4]]


def test_a_rebuild_knows_whether_it_is_under_way() -> None:
    assert BEGUN.is_under_way
    assert not replace(BEGUN, state=SWITCHED).is_under_way
    assert isinstance(BEGUN, Rebuild)
