"""The committed routes and inhibitions in a real Alertmanager: who is told of what, once, and what is kept back meanwhile."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from deploy.embedded.process import until
from tests.support.alarm import Told, get, post, post_room

WITHIN_S = 60.0
Labels = Mapping[str, str]

NO_WORKER = {"alertname": "FrontdeskNoWorker", "severity": "page", "concerns": "pipeline", "silences": "promises"}
NOT_READY = {"alertname": "FrontdeskNotReady", "severity": "page", "concerns": "pipeline", "instance": "a:9464"}
BREAKER = {"alertname": "FrontdeskBreakerOpen", "severity": "page", "concerns": "pipeline", "partition": "3"}
LAGGING = {"alertname": "FrontdeskLagging", "severity": "page", "concerns": "pipeline", "partition": "3"}
MISSED = {"alertname": "CriticalContactMissed", "severity": "page", "concerns": "promises", "district": "lakeside", "department": "health"}
FAST = {"alertname": "ResponsesMissedFast", "severity": "page", "concerns": "promises", "district": "lakeside", "department": "food"}
SECOND = MISSED | {"at_least": "2"}
SLOWLY = {"alertname": "ResponsesMissedSlowly", "severity": "ticket", "concerns": "promises", "district": "lakeside", "department": "food"}
ANNOTATIONS = dict.fromkeys(("summary", "description", "dashboard", "runbook"), "...")


class PostRoom:
    """An Alertmanager and what it has told."""

    def __init__(self, address: str, told: list[Told]) -> None:
        self._address, self.told = address, told

    def raises(self, *alerts: Labels) -> None:
        self._send(alerts, datetime.now(UTC) + timedelta(hours=1))

    def ends(self, *alerts: Labels) -> None:
        self._send(alerts, datetime.now(UTC))

    def _send(self, alerts: Sequence[Labels], ends_at: datetime) -> None:
        body = [{"labels": dict(labels), "annotations": ANNOTATIONS, "endsAt": ends_at.isoformat()} for labels in alerts]
        post(f"{self._address}/api/v2/alerts", body)

    def stands(self, alert: Labels) -> str | None:
        """active, suppressed, unprocessed; None where it is unknown."""
        found: list[dict[str, Any]] = get(f"{self._address}/api/v2/alerts")
        return next((each["status"]["state"] for each in found if each["labels"] == alert), None)

    def wait_for(self, alert: Labels, status: str = "firing") -> Told:
        assert until(lambda: bool(self.of(alert, status)), WITHIN_S), (alert, self.told)
        return self.of(alert, status)[0]

    def of(self, alert: Labels, status: str = "firing") -> list[Told]:
        return [each for each in self.told if each.says(**alert) and each.status == status]


@pytest.fixture
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostRoom]:
    with post_room(tmp_path_factory.mktemp("alertmanager")) as (address, told):
        yield PostRoom(address, told)


def test_while_the_pipeline_is_down_promises_are_kept_back_and_told_afterwards(room: PostRoom) -> None:
    room.raises(NO_WORKER)
    assert room.wait_for(NO_WORKER).receiver == "platform-pager"
    room.raises(MISSED, NOT_READY)
    assert until(lambda: room.stands(MISSED) == room.stands(NOT_READY) == "suppressed", WITHIN_S)
    room.raises(NO_WORKER | {"alertname": "FrontdeskDeadLetters", "severity": "ticket", "silences": ""})
    assert until(lambda: len(room.told) == 2, WITHIN_S), "something that is not kept back is told meanwhile"
    assert not room.of(MISSED)
    assert not room.of(NOT_READY)

    room.ends(NO_WORKER)
    assert room.wait_for(MISSED).receiver == "pager"
    room.wait_for(NOT_READY)
    assert len(room.of(MISSED)) == 1


@pytest.mark.parametrize(("cause", "kept_back", "other"), [(BREAKER, LAGGING, LAGGING | {"partition": "4"}), (FAST, SLOWLY, MISSED)])
def test_a_cause_keeps_back_what_follows_from_it_and_nothing_else(cause: Labels, kept_back: Labels, other: Labels, room: PostRoom) -> None:
    room.raises(cause)
    room.wait_for(cause)
    room.raises(kept_back, other)
    room.wait_for(other)
    assert room.stands(kept_back) == "suppressed"
    assert not room.of(kept_back)


def test_departments_are_told_one_by_one_and_an_end_is_told_too(room: PostRoom) -> None:
    food = {**MISSED, "department": "food"}
    room.raises(MISSED, food)
    room.wait_for(MISSED)
    room.wait_for(food)
    assert all(len(each.alerts) == 1 for each in room.told)
    room.ends(food)
    room.wait_for(food, "resolved")
    assert not room.of(MISSED, "resolved")


def test_a_further_critical_contact_of_a_department_is_told_at_once(room: PostRoom) -> None:
    """Not with the next reminder, which comes an hour later."""
    first = MISSED | {"at_least": "1"}
    room.raises(first)
    room.wait_for(first)
    assert not room.of(SECOND)
    room.raises(first, SECOND)
    assert room.wait_for(SECOND).receiver == "pager"


def test_the_dead_man_s_switch_is_told_to_its_own_receiver_again_and_again(room: PostRoom) -> None:
    watchdog = {"alertname": "Watchdog", "severity": "none", "concerns": "watchdog"}
    room.raises(watchdog)
    assert room.wait_for(watchdog).receiver == "watchdog"
    assert until(lambda: len(room.of(watchdog)) > 1, 2 * WITHIN_S)
