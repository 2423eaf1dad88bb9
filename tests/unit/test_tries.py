"""Wrong secrets: so many from one client, so many from all; and nobody who knows is shut out by others who guess."""

from dataclasses import dataclass

from streams.http.tries import ALL, EACH, KNOWN_S, MOST_CLIENTS, Tries


@dataclass
class Watch:
    at: float = 1_000.0

    def __call__(self) -> float:
        return self.at


def guess(tries: Tries, client: str, times: int) -> None:
    for number in range(times):
        tries.failed(client, f"{client} {number}")


def test_one_client_may_be_wrong_ten_times_and_then_once_in_six_seconds() -> None:
    tries = Tries(watch := Watch())
    guess(tries, "a", EACH.at_once - 1)
    assert tries.wait_s("a") == 0
    tries.failed("a", "one more")
    assert tries.wait_s("a") == EACH.every_s
    assert tries.wait_s("b") == 0
    watch.at += EACH.every_s
    assert tries.wait_s("a") == 0
    tries.failed("a", "another")
    assert tries.wait_s("a") == EACH.every_s
    watch.at += EACH.every_s * EACH.at_once
    guess(tries, "a", EACH.at_once - 1)
    assert tries.wait_s("a") == 0, "all is forgiven"


def test_the_same_wrong_secret_is_one_guess() -> None:
    tries = Tries(Watch())
    for _ in range(100):
        tries.failed("a", "of yesterday")
    assert tries.wait_s("a") == 0


def test_many_clients_are_limited_together_but_for_those_who_know() -> None:
    tries = Tries(watch := Watch())
    tries.succeeded("known")
    for number in range(ALL.at_once):
        tries.failed(f"of a crowd {number}", "x")
    assert tries.wait_s("new") > 0
    assert tries.wait_s("known") == 0
    guess(tries, "known", EACH.at_once)
    assert tries.wait_s("known") > 0, "who knew once may guess no more than others"
    watch.at += KNOWN_S + 1
    for number in range(ALL.at_once):
        tries.failed(f"of a crowd {number}", "y")
    assert tries.wait_s("known") > 0


def test_no_more_clients_are_remembered_than_so_many() -> None:
    tries = Tries(Watch())
    for number in range(MOST_CLIENTS + 5):
        tries.failed(str(number), "x")
        tries.succeeded(str(number))
    assert len(tries._debts) == len(tries._known) == MOST_CLIENTS
    assert str(MOST_CLIENTS + 4) in tries._debts
