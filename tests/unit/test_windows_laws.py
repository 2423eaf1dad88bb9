"""Windows against brute force: whatever comes, in whatever batches, a row is what the window rule says over everything that was said."""

from collections import Counter
from collections.abc import Iterable, Iterator
from math import ceil
from typing import Any, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from projections.measures import CONTACT, MEASURES, MESSAGE, QUALITY, RATING, REOPENED, RESOLUTION, RESOLUTION_DUE, RESPONSE, RESPONSE_DUE
from projections.rows import WINDOW_COLUMNS
from projections.windows import Windows

NUMBERS = [name for name in WINDOW_COLUMNS[6:-2] if "_p50_" not in name and "_p90_" not in name]
RULE = {"1h": (1, 60), "24h": (15, 96), "7d": (120, 84), "28d": (720, 56)}
START = 29_733_127
PLACES = [
    ("north", "lincoln", "bus"),
    ("north", "lincoln", "food"),
    ("north", "lee", "bus"),
    ("north", "lee", ""),
    ("north", "", "bus"),
    ("west", "", ""),
]

Key = tuple[str, str, str, str, str]


class Fact(NamedTuple):
    measure: int
    minute: int
    place: tuple[str, str, str]
    a: int
    b: int


class Message(NamedTuple):
    minute: int
    place: tuple[str, str, str]
    stakeholder: str


# --- brute force: independent of everything in projections.windows ---


def cells_of(district: str, school: str, department: str) -> Iterator[tuple[str, str, str, str]]:
    yield district, "district", "", ""
    if school:
        yield district, "school", school, ""
    if department:
        yield district, "department", "", department
    if school and department:
        yield district, "school_department", school, department


def holds(window: str, as_of: int, minute: int) -> bool:
    width, panes = RULE[window]
    return minute <= as_of and minute // width > as_of // width - panes


def nearest_rank(values: Iterable[int], share: tuple[int, int]) -> int:
    ordered = sorted(values)
    return ordered[ceil(len(ordered) * share[0] / share[1]) - 1] if ordered else 0


def durations(prefix: str, facts: list[Fact]) -> dict[str, int]:
    row = {f"{prefix}_n": len(facts)}
    for clock, values in (("_ms", [f.a for f in facts]), ("_business_ms", [f.b for f in facts])):
        row |= {
            f"{prefix}_sum{clock}": sum(values),
            f"{prefix}_p50{clock}": nearest_rank(values, (1, 2)),
            f"{prefix}_p90{clock}": nearest_rank(values, (9, 10)),
        }
    return row


def promises(prefix: str, facts: list[Fact]) -> dict[str, int]:
    kept = sum(f.a for f in facts)
    return {f"{prefix}_due_n": len(facts), f"{prefix}_kept_n": kept, f"{prefix}_missed_n": len(facts) - kept}


def expected(facts: list[Fact], messages: list[Message]) -> dict[str, int]:
    of = {measure: [f for f in facts if f.measure == measure] for measure in range(len(MEASURES))}
    scores = [f.a for f in of[RATING]]
    return {
        "contact_n": len(of[CONTACT]),
        "message_n": len(messages),
        "stakeholder_n": len({m.stakeholder for m in messages} - {""}),
        **durations("response", of[RESPONSE]),
        **durations("resolution", of[RESOLUTION]),
        **promises("response", of[RESPONSE_DUE]),
        **promises("resolution", of[RESOLUTION_DUE]),
        "resolution_reopened_n": len(of[REOPENED]),
        "quality_n": len(of[QUALITY]),
        "quality_sum": sum(f.a for f in of[QUALITY]),
        "rating_n": len(scores),
        "rating_sum_bp": sum(scores),
        "rating_sum_squares_bp2": sum(score * score for score in scores),
        "rating_satisfied_n": sum(score >= 7500 for score in scores),
    }


def recomputed(facts: Counter[Fact], messages: Counter[Message], as_of: int) -> dict[Key, dict[str, int]]:
    keys = {(*cell, window) for thing in (*facts, *messages) for cell in cells_of(*thing.place) for window in RULE}
    return {
        key: expected(
            [f for f in facts.elements() if key[:4] in cells_of(*f.place) and holds(key[4], as_of, f.minute)],
            [m for m in messages.elements() if key[:4] in cells_of(*m.place) and holds(key[4], as_of, m.minute)],
        )
        for key in keys
    }


# --- what comes in ---

minutes = st.one_of(
    st.integers(-70, 5),
    st.integers(-1_460, -1_420),
    st.integers(-10_100, -9_940),
    st.integers(-40_330, -39_580),
    st.integers(-60_000, 4_000),
)
lengths = st.one_of(st.integers(0, 2_000), st.integers(0, 10**7), st.integers(0, 400 * 86_400_000))
values = {
    RESPONSE: st.tuples(lengths, lengths),
    RESOLUTION: st.tuples(lengths, lengths),
    RESPONSE_DUE: st.tuples(st.integers(0, 1), st.just(0)),
    RESOLUTION_DUE: st.tuples(st.integers(0, 1), st.just(0)),
    QUALITY: st.tuples(st.integers(0, 1), st.just(0)),
    RATING: st.tuples(st.sampled_from([0, 2500, 5000, 7499, 7500, 10_000]), st.just(0)),
}
places = st.sampled_from(PLACES)
said = st.sampled_from([each for each in range(len(MEASURES)) if each != MESSAGE]).flatmap(
    lambda measure: st.builds(
        lambda minute, place, value: Fact(measure, minute, place, *value), minutes, places, values.get(measure, st.just((1, 0)))
    )
)
written = st.builds(Message, minutes, places, st.sampled_from(["", "ana", "ben", "cy"]))
steps = st.one_of(st.sampled_from([0, 1, 2, 14, 15, 59, 60, 61, 360, 720, 1_440, 10_080, 40_320, 144_000]), st.integers(0, 3_000))
doings = st.lists(
    st.one_of(
        said,
        said,
        written,
        st.tuples(st.just("advance"), steps),
        st.tuples(st.just("take back"), st.integers(0, 50)),
        st.tuples(st.just("read"), st.just(0)),
    ),
    max_size=60,
)


class Told:
    """A `Windows` and, beside it, everything that it was told and the last row that it gave of each key."""

    def __init__(self) -> None:
        self.windows = Windows()
        self.windows.advance(START)
        self.as_of = START
        self.facts: Counter[Fact] = Counter()
        self.messages: Counter[Message] = Counter()
        self.rows: dict[Key, dict[str, Any]] = {}

    def do(self, what: Any) -> None:
        match what:
            case Fact() | Message():
                self.say(what._replace(minute=self.as_of + what.minute), 1)
            case "advance", step:
                self.as_of += step
                self.windows.advance(self.as_of)
            case "take back", number:
                there = [*self.facts.elements(), *self.messages.elements()]
                if there:
                    self.say(there[number % len(there)], -1)
            case "read", _:
                self.read()

    def say(self, what: Fact | Message, sign: int) -> None:
        place = self.windows.place(*what.place)
        if isinstance(what, Fact):
            self.facts[what] += sign
            self.windows.add([what.measure, what.minute, place, what.a, what.b, sign])
        else:
            self.messages[what] += sign
            self.windows.add_message(what.minute, place, what.stakeholder, sign)

    def read(self) -> None:
        self.rows |= rows_of(self.windows.changed())


def rows_of(columns: list[Any]) -> dict[Key, dict[str, Any]]:
    named = zip(*columns, strict=True)
    return {row[:5]: dict(zip(WINDOW_COLUMNS[5:-2], row[5:], strict=True)) for row in named}


def is_close(found: float, true: int) -> bool:
    return abs(found - true) <= 0.025 * true


def agree(found: dict[str, Any], true: dict[str, int]) -> bool:
    return all(found[name] == true[name] if name in NUMBERS else is_close(found[name], true[name]) for name in true)


@settings(max_examples=300, deadline=None)
@given(doings)
def test_the_last_row_of_every_key_is_what_brute_force_finds(doings: list[Any]) -> None:
    told = Told()
    for what in doings:
        told.do(what)
    told.read()
    for key, true in recomputed(told.facts, told.messages, told.as_of).items():
        if key in told.rows:
            assert agree(told.rows[key], true), (key, told.rows[key], true)
        else:
            assert not any(true.values()), key


@settings(max_examples=100, deadline=None)
@given(doings)
def test_every_cell_can_be_asked_for_at_the_end(doings: list[Any]) -> None:
    told = Told()
    for what in doings:
        told.do(what)
    told.windows.touch_all()
    rows = rows_of(told.windows.changed())
    truth = recomputed(told.facts, told.messages, told.as_of)
    assert all(key in rows and agree(rows[key], true) for key, true in truth.items())
    assert all(row["as_of"] == told.as_of * 60 for row in rows.values())


@settings(max_examples=100, deadline=None)
@given(doings)
def test_when_time_passes_and_where_batches_end_makes_no_difference(doings: list[Any]) -> None:
    told = Told()
    for what in doings:
        told.do(what)
    at_once = Told()
    at_once.windows.advance(told.as_of)
    for things in (told.facts, told.messages):
        for thing in things.elements():
            at_once.say(thing, 1)
    told.windows.touch_all()
    at_once.windows.touch_all()
    late, early = rows_of(told.windows.changed()), rows_of(at_once.windows.changed())
    assert {key: late[key] for key in early} == early
    assert not any(any(value for name, value in late[key].items() if name != "as_of") for key in late.keys() - early.keys())


@settings(max_examples=100, deadline=None)
@given(st.lists(st.one_of(said, written), max_size=40), st.lists(steps, max_size=4), st.lists(steps, max_size=4))
def test_what_is_taken_back_leaves_nothing(things: list[Fact | Message], before: list[int], after: list[int]) -> None:
    told = Told()
    for thing in things:
        told.do(thing)
    for step in before:
        told.do(("advance", step))
        told.read()
    for number in range(len(things)):
        told.do(("take back", number * 7))
        told.read()
    for step in after:
        told.do(("advance", step))
        told.read()
    assert not any(any(value for name, value in row.items() if name != "as_of") for row in told.rows.values())
    assert len(told.windows._stakeholders) == 0


@settings(max_examples=100, deadline=None)
@given(st.lists(said, max_size=40), st.lists(steps, max_size=4))
def test_schools_add_up_to_their_district(things: list[Fact], times: list[int]) -> None:
    told = Told()
    for thing in things:
        if thing.place[1]:
            told.do(thing)
    for step in times:
        told.do(("advance", step))
    told.read()
    sums: dict[tuple[str, str, str], Counter[str]] = {}
    for (district, scope, _, _, window), row in told.rows.items():
        if scope in {"district", "school"}:
            sums.setdefault((district, scope, window), Counter()).update({name: int(row[name]) for name in NUMBERS})
    assert all(sums[district, "school", window] == total for (district, scope, window), total in sums.items() if scope == "district")
