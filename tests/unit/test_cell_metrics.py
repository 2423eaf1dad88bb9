"""Cells on `/metrics`: well-formed, bounded, and told only by whoever holds them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.exposition import choose_encoder
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
from prometheus_client.parser import text_string_to_metric_families

from events.directory import DEFAULT, Directory
from events.event import Contacted
from projections.partition import Partition
from sinks.cell_metrics import CELL_METRICS, labels
from streams.worker.cells import Cells

MONDAY = 1_789_999_200_000
"""9:00 in Chicago, where the default directory's offices are open from 8 to 16."""
HOUR = 3_600_000
ROUTED = Directory.parse("""
revision: 1
zone: America/Chicago
hours: {monday: 08:00-16:00}
targets:
  urgent: {response: 4 business hours}
  critical: {response: 2 business hours}
districts:
  riverside:
    route: riverside-office
    departments:
      department-0: {route: nurses}
""")


def partition(number: int, *districts: str, schools: int = 2, departments: int = 1, at: int = MONDAY) -> Partition:
    """One urgent question for each school and department of each district, asked at nine and not answered."""
    asked = [
        Contacted(at, f"/{district}", f"{school}-{department}", f"school-{school}", f"department-{department}", priority="urgent")
        for district in districts
        for school in range(schools)
        for department in range(departments)
    ]
    made = Partition(number, DEFAULT)
    made.fold([(i, at, False, event.source[1:], event.id, event) for i, event in enumerate(asked)])
    made.drain(wall=at)
    return made


@dataclass
class Desk:
    partitions: dict[int, Partition] = field(default_factory=lambda: {0: partition(0, "riverside"), 1: partition(1, "hillside")})
    is_assigned: bool = True
    recovering: list[int] = field(default_factory=list)
    directory: Any = DEFAULT
    wall: int = MONDAY
    away: bool = False
    beats: int = 0

    def now(self) -> int:
        return self.wall

    def beat(self) -> None:
        self.beats += 1

    def passes(self, hours: float) -> Desk:
        self.wall += round(hours * HOUR)
        for each in self.partitions.values():
            each.advance(self.wall)
            each.drain(wall=self.wall)
        return self

    def cells(self, limit: int = 5_000) -> Cells:
        return Cells(self, self, limit, self.beat, lambda: self.away)

    def samples(self, limit: int = 5_000) -> dict[tuple[str, tuple[str, ...]], float]:
        families = text_string_to_metric_families(self.cells(limit).exposition())
        return {(s.name.removeprefix("frontdesk_"), tuple(s.labels.values())): s.value for f in families for s in f.samples}


DISTRICT = ("riverside", "district", "", "")


def test_a_question_that_waits_is_told_in_its_three_cells() -> None:
    samples = Desk().passes(0.5).samples()
    for cell, count in ((DISTRICT, 2), (("riverside", "school", "school-0", ""), 1), (("riverside", "department", "", "department-0"), 2)):
        assert samples["open_episodes", cell] == samples["waiting_episodes", cell] == count
        assert samples["oldest_waiting_seconds", cell] == 1_800
    assert not [key for key in samples if "school_department" in key[1]]
    assert samples["last_contact_timestamp_seconds", ("riverside",)] == MONDAY / 1000


def test_promises_pass_and_are_due_and_missed() -> None:
    processor = Desk().passes(3.5)
    assert processor.samples()["overdue_episodes", (*DISTRICT, "response", "warning", "urgent")] == 2
    samples = processor.passes(0.75).samples()
    assert samples["overdue_episodes", (*DISTRICT, "response", "breach", "urgent")] == 2
    assert ("overdue_episodes", (*DISTRICT, "response", "warning", "urgent")) not in samples
    for window in ("30m", "2h", "4h", "24h"):
        assert samples["due", (*DISTRICT, "response", window)] == samples["missed", (*DISTRICT, "response", window)] == 2
    assert ("due", (*DISTRICT, "resolution", "24h")) not in samples


@pytest.mark.parametrize(("hours", "is_open"), [(0, 1), (6.9, 1), (7, 0), (23, 1), (5 * 24, 0)])
def test_a_district_is_open_in_its_hours(hours: float, is_open: int) -> None:
    assert Desk().passes(hours).samples()["district_open", ("riverside",)] == is_open


def test_every_gauge_is_told_with_its_labels_and_in_both_formats() -> None:
    processor = Desk(directory=ROUTED).passes(4.5)
    processor.partitions[2] = partition(2, "laketown", at=MONDAY - 72 * HOUR)
    processor.partitions[2].fold(
        [(99, processor.wall, False, "laketown", "old", Contacted(MONDAY - 100 * HOUR, "/laketown", "old", priority="critical"))]
    )
    processor.partitions[2].drain(wall=processor.wall)
    registry = CollectorRegistry()
    Gauge("frontdesk_ready", "Stands before them", registry=registry).set(1)
    for accept, parse in (("", text_string_to_metric_families), ("application/openmetrics-text; version=1.0.0", open_metrics)):
        encode, _ = choose_encoder(accept)
        families = {family.name: family for family in parse(processor.cells().added_to(encode(registry)).decode())}
        assert families["frontdesk_ready"].samples[0].value == 1
        for metric in CELL_METRICS:
            family = families[metric.name]
            assert (family.type, family.documentation) == ("gauge", metric.meaning)
            assert {tuple(sample.labels) for sample in family.samples} == {metric.labels}, metric.name


def test_whom_alerts_go_to_is_told_where_the_directory_says_so() -> None:
    routes = {key[1] for key in Desk(directory=ROUTED).samples() if key[0] == "alert_route"}
    assert routes == {
        ("riverside", "district", "", "", "riverside-office"),
        ("riverside", "school", "school-0", "", "riverside-office"),
        ("riverside", "school", "school-1", "", "riverside-office"),
        ("riverside", "department", "", "department-0", "nurses"),
    }


def test_names_may_have_quotes_in_them() -> None:
    processor = Desk({0: partition(0, 'river"si\\de')})
    assert processor.samples()["open_episodes", ('river"si\\de', "district", "", "")] == 2


# -- told by one worker only ----------------------------------------------------------------------------------------------
def told(processor: Desk) -> set[str]:
    return {key[1][0] for key in processor.samples() if key[0] == "open_episodes"}


def test_what_is_taken_away_or_not_known_yet_is_not_told() -> None:
    processor = Desk()
    assert told(processor) == {"riverside", "hillside"}
    processor.recovering = [1]
    assert told(processor) == {"riverside"}
    processor.recovering, processor.is_assigned = [], False
    assert told(processor) == set()
    processor.is_assigned, processor.partitions = True, {1: processor.partitions[1]}
    assert told(processor) == {"hillside"}
    processor.away = True
    assert told(processor) == set()


def test_a_worker_that_was_stopped_too_long_ends_before_it_tells() -> None:
    processor = Desk()
    processor.samples()
    assert processor.beats == 1


def test_two_workers_never_share_a_series_and_together_tell_all() -> None:
    whole = Desk()
    one, other = Desk({0: whole.partitions[0]}), Desk({1: whole.partitions[1]})
    alone = ("metric_cells_left_out", ())
    assert one.samples().keys() & other.samples().keys() == {alone}
    assert one.samples().keys() | other.samples().keys() == whole.samples().keys()


# -- what would page is not told of other times ---------------------------------------------------------------------------
def test_a_partition_that_is_over_an_hour_behind_tells_of_nothing_that_pages() -> None:
    processor = Desk(directory=ROUTED).passes(4.5)
    processor.wall += 2 * HOUR
    kinds = {name for name, _ in processor.samples()}
    assert kinds & {"overdue_episodes", "due", "missed", "last_contact_timestamp_seconds", "district_open", "alert_route"} == set()
    assert kinds >= {"open_episodes", "waiting_episodes"}


# -- bounded --------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("limit", "cells", "left_out"), [(10, 8, 0), (8, 8, 0), (7, 2, 6), (2, 2, 6), (1, 1, 7)])
def test_there_are_never_more_cells_than_allowed(limit: int, cells: int, left_out: int) -> None:
    """Two districts, of two schools and a department each."""
    samples = Desk().passes(4.5).samples(limit)
    shown = {key[1][:4] for key in samples if len(key[1]) > 1}
    assert len(shown) == cells
    assert samples["metric_cells_left_out", ()] == left_out


def test_the_labels_of_many_cells_are_kept_in_bounds() -> None:
    assert labels.cache_info().maxsize == 50_000


def test_the_promised_share_is_told_for_each_district_as_the_directory_says() -> None:
    processor = Desk()
    processor.directory = Directory.parse(
        "revision: 1\nzone: America/Chicago\nhours: {monday: 08:00-16:00}\ndistricts: {riverside: {promised_share: 0.95}}"
    )
    told = [line for line in processor.cells().exposition().splitlines() if line.startswith("frontdesk_promised_share{")]
    assert told == ['frontdesk_promised_share{district="riverside"} 0.95', 'frontdesk_promised_share{district="hillside"} 0.9']
