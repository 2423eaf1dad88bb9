"""What looks personal and what does not: 1,000 invented addresses and numbers, 10,000 names that systems give to cases and events."""

import json
import random
import re
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events import personal_data
from events.codec import Decoder
from events.contract import MODELS, judge
from events.directory import DEFAULT, Directory
from events.directory_mistake import DirectoryError
from events.personal_data import PSEUDONYMS, TEXTS, are_plain, likeness, nobody_allows
from events.rejection import Reason, Rejection
from events.schemas import example

EMAIL, TELEPHONE, SOCIAL_SECURITY = "an e-mail address", "a telephone number", "a social security number"
NOW = 1_795_442_602_120
CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
WORDS = [
    "bus",
    "late",
    "lunch",
    "lincoln",
    "high",
    "transportation",
    "nurse",
    "office",
    "absence",
    "grade",
    "kindergarten",
    "food",
    "ña",
    "autobús",
    "学校",
]
FULL_WIDTH = str.maketrans("0123456789+-.@()", "０１２３４５６７８９＋－．＠（）")  # noqa: RUF001 - as some keyboards write them
ARABIC = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")


def digits(draw: random.Random, pattern: str) -> str:
    """The pattern with a digit for each #."""
    return "".join(str(draw.randrange(10)) if character == "#" else character for character in pattern)


# -- what is personal --------------------------------------------------------------------------------------------------
def nanp(draw: random.Random) -> tuple[str, str, str]:
    """Area, exchange and line of a number that could be somebody's."""
    area = draw.choice([code for code in range(200, 990) if code % 100 != 11 and code // 10 % 10 != 9])
    exchange = draw.choice([code for code in range(200, 1000) if code % 100 != 11])
    return str(area), str(exchange), f"{draw.randrange(10_000):04}"


def north_american(draw: random.Random) -> str:
    a, b, c = nanp(draw)
    forms = [
        f"{a}-{b}-{c}",
        f"{a}.{b}.{c}",
        f"{a} {b} {c}",
        f"{a}_{b}_{c}",
        f"{a}/{b}-{c}",
        f"({a}){b}-{c}",
        f"({a}) {b}-{c}",
        f"({a}){b}{c}",
    ]
    forms += [
        f"1-{a}-{b}-{c}",
        f"1.{a}.{b}.{c}",
        f"+1{a}{b}{c}",
        f"+1-{a}-{b}-{c}",
        f"+1.{a}.{b}.{c}",
        f"+1({a}){b}-{c}",
        f"+1 ({a}) {b}-{c}",
    ]
    forms += [
        f"tel:+1-{a}-{b}-{c}",
        f"tel:{a}{b}{c}",
        f"tel:{b}-{c}",
        f"tel:{b}{c}",
        f"sms:{a}{b}{c}",
        f"sms:+1{a}{b}{c}",
        f"{a}-{b}-{c}x12",
    ]
    return draw.choice(forms)


def international(draw: random.Random) -> str:
    patterns = [
        "+52 55 #### ####",
        "+44 20 79## ####",
        "+44-7911-######",
        "+49(0)30/######",
        "+49 151 ########",
        "+33 6 ## ## ## ##",
        "+84 9# ### ## ##",
    ]
    patterns += [
        "+86 138 #### ####",
        "+63.917.###.####",
        "+502-####-####",
        "+50378######",
        "+91 98### #####",
        "+251-91-###-####",
        "tel:+82-2-###-####",
    ]
    return digits(draw, draw.choice(patterns))


def email(draw: random.Random) -> str:
    person = draw.choice(["jane.doe", "j", "jane+school", "jane_doe", "o'hara", "doe-jane", "jane%doe", "josé", "1234567"])
    domain = draw.choice(
        ["example.org", "mail.example.com", "163.com", "k12.tx.us", "bücher.example", "xn--bcher-kva.example", "例え.jp", "x.museum"]
    )
    form = draw.choice(["{}", "mailto:{}", "<{}>", '"{}"', "{}?subject=bus", "MAILTO:{}", "from={}", "{}/2", "{}-2", "acct:{}"])
    return form.format(f"{person}@{domain}")


def social_security(draw: random.Random) -> str:
    area = draw.choice([code for code in range(1, 1000) if code != 666])
    group, serial = draw.randrange(1, 100), draw.randrange(1, 10_000)
    form = draw.choice(
        [
            "{:03}-{:02}-{:04}",
            "{:03} {:02} {:04}",
            "{:03}.{:02}.{:04}",
            "{:03}_{:02}_{:04}",
            "ssn:{:03}{:02}{:04}",
            "SSN#{:03}{:02}{:04}",
            "SSN:{:03}-{:02}-{:04}",
        ]
    )
    return form.format(area, group, serial)


def disguised(draw: random.Random, text: str) -> str:
    """As systems pass it on: inside something longer, percent-encoded once or twice, in other digits."""
    if draw.random() < 0.3 and not text.lower().startswith(("ssn", "tel", "sms", "mailto")):
        text = draw.choice(
            ["case-{}", "{}-resolved", "{}:4711", "/riverside/{}", "sms.{}" if text[0] in "(+" else "sms-{}", "t/{}/2"]
        ).format(text)
    way = draw.randrange(6)
    if way == 0:
        return quote(text, safe="")
    if way == 1:
        return quote(quote(text, safe=""), safe="")
    if way == 2:
        return "".join(f"%{byte:02x}" for byte in text.encode())
    if way == 3:
        return text.translate(FULL_WIDTH)
    return text.translate(ARABIC) if way == 4 else text


PERSONAL = {EMAIL: [email], TELEPHONE: [north_american, international], SOCIAL_SECURITY: [social_security]}


def personal_names() -> Iterator[tuple[str, str]]:
    draw = random.Random(11)
    for number in range(1_000):
        kind = [EMAIL, TELEPHONE, TELEPHONE, SOCIAL_SECURITY][number % 4]
        yield disguised(draw, draw.choice(PERSONAL[kind])(draw)), kind


def test_a_thousand_addresses_and_numbers_are_told_apart() -> None:
    named = list(personal_names())
    assert len({text for text, _ in named}) > 900
    assert [(text, kind, likeness(text)) for text, kind in named if likeness(text) != kind] == []


# -- what is not -------------------------------------------------------------------------------------------------------
def ulid(draw: random.Random) -> str:
    return "01" + "".join(draw.choices(CROCKFORD, k=24))


def a_uuid(draw: random.Random) -> str:
    made = str(uuid.UUID(int=draw.getrandbits(128), version=4))
    return draw.choice([made, made.replace("-", ""), f"urn:uuid:{made}", made.upper(), f"{{{made}}}"])


def ticket(draw: random.Random) -> str:
    return digits(
        draw,
        draw.choice(
            [
                "####",
                "#####",
                "######",
                "########",
                "00########",
                "##########",
                "2345######",
                "CS00#####",
                "INC00#####",
                "HD-#####",
                "4711-##",
                "2026-#####",
            ]
        ),
    )


def snowflake(draw: random.Random) -> str:
    return digits(draw, draw.choice(["1#" + "#" * 15, "9#" + "#" * 16, "1" + "#" * 18, "###" * 4, "1900########1", "481527######"]))


def epoch(draw: random.Random) -> str:
    ms = 1_600_000_000_000 + draw.randrange(400_000_000_000)
    return draw.choice(
        [f"{ms}", f"{ms // 1000}", f"{ms}000", f"{ms // 1000}.{ms % 1000:03}", f"evt_{ms}", f"{ms}-{draw.randrange(99)}", f"sms-{ms}"]
    )


def moment_in(draw: random.Random) -> str:
    at = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(seconds=draw.randrange(10**8))
    number = draw.randrange(100, 99_999)
    forms = [
        "{n}-resolved-{at:%Y-%m-%dT%H:%M:%SZ}",
        "{at:%Y-%m-%d}",
        "{at:%Y%m%dT%H%M%S}Z",
        "{n}-{at:%Y-%m-%d}",
        "{at:%Y-%m-%dT%H:%M:%S}+00:00",
    ]
    forms += [
        "{at:%y%m%d}-{n}",
        "{at:%G-W%V-%u}",
        "{n}+364d",
        "{at:%Y-%m-%d-%H-%M-%S}",
        "{at:%Y%m%d%H%M%S}",
        "{at:%Y-%m-%dT%H:%M:%S}-0600/{n}",
    ]
    return draw.choice(forms).format(n=number, at=at)


def version(draw: random.Random) -> str:
    a, b, c = draw.randrange(20), draw.randrange(200), draw.randrange(9_999)
    forms = [
        "{a}.{b}.{c}",
        "v{a}.{b}.{c}-rc.1",
        "pkg@{a}.{b}.{c}",
        "@riverside/desk@{a}.{b}.{c}",
        "desk@{a}.{b}.rc1",
        "desk@v{a}.{b}.Final",
        "{a}.{b}.{c}+20261123",
    ]
    forms += [
        "126.0.6478.{b}",
        "10.0.22631.{c}",
        "desk@sha256:{c:064x}",
        "{a}.{b}.0-0.20261123140322-{c:012x}",
        "192.168.{b}.{a}",
        "1.3.6.1.4.1.311.212.{c}",
    ]
    return draw.choice(forms).format(a=a, b=b, c=c)


def slug(draw: random.Random) -> str:
    words = draw.sample(WORDS, draw.randrange(1, 4))
    return draw.choice(
        ["-".join(words), "_".join(words), ".".join(words), f"{words[0]}-{draw.randrange(999)}", f"ps-{draw.randrange(300)}", "hotel:101"]
    )


def source(draw: random.Random) -> str:
    n = draw.randrange(1_000)
    forms = [
        "/riverside/helpdesk",
        "/districts/{n}/schools/212/2026",
        "https://desk.riverside.example:8443/api/v2/{n}",
        "urn:example:desk:{n}",
    ]
    forms += [
        "https://desk.riverside.example/a%20b/{n}?page=2",
        "chatwoot://3/{n}",
        "//desk/{n}#top",
        "desk@localhost",
        "npm/@desk.io/{n}",
        "100%25-{n}",
    ]
    return draw.choice(forms).format(n=n)


def short_hash(draw: random.Random) -> str:
    return draw.choice(
        [
            f"{draw.getrandbits(128):032x}",
            f"s-{draw.getrandbits(16):04x}",
            f"a-{draw.randrange(99):02}",
            f"{draw.getrandbits(256):064x}",
            f"{draw.getrandbits(64):x}",
        ]
    )


HARMLESS = [ulid, a_uuid, ticket, snowflake, epoch, moment_in, version, slug, source, short_hash]


def harmless_names() -> Iterator[str]:
    draw = random.Random(12)
    for number in range(10_000):
        yield HARMLESS[number % len(HARMLESS)](draw)


def test_none_of_ten_thousand_harmless_names_is_taken_for_personal() -> None:
    assert [(text, likeness(text)) for text in harmless_names() if likeness(text)] == []


@pytest.mark.parametrize("make", [ulid, a_uuid, short_hash], ids=lambda make: make.__name__)
def test_pseudonyms_are_random_or_hashes(make: Callable[[random.Random], str]) -> None:
    draw = random.Random(13)
    assert [text for text in (make(draw) for _ in range(3_000)) if likeness(text, pseudonym=True)] == []


@pytest.mark.parametrize(
    ("text", "looks"),
    [
        ("3125550147", TELEPHONE),
        ("13125550147", TELEPHONE),
        ("３１２５５５０１４７", TELEPHONE),  # noqa: RUF001 - full width
        ("123456789", SOCIAL_SECURITY),
        ("0012345678", None),
        ("1795442602", None),  # no area begins with 1
        ("3129110147", None),  # no exchange is 911
        ("3115550147", None),  # nor an area 311
        ("000123456", None),
        ("1795442602120", None),
    ],
)
def test_digits_and_nothing_else_are_somebodys_number_only_in_place_of_a_pseudonym(text: str, looks: str | None) -> None:
    assert likeness(text) is None
    assert likeness(text, pseudonym=True) == looks


@given(st.text(max_size=20), st.integers(0, 999), st.text(max_size=20))
def test_the_cheap_question_misses_nothing(before: str, number: int, after: str) -> None:
    text, _ = NAMED[number]
    assert not are_plain(before + text + after)


NAMED = list(personal_names())
LOOKS = [
    re.compile(search.__self__.pattern, re.IGNORECASE)
    for search in (personal_data._email, personal_data._telephone, personal_data._social_security)
]


@given(st.sampled_from(LOOKS), st.data())
def test_what_looks_personal_is_asked_about(looks: re.Pattern[str], data: st.DataObject) -> None:
    assert not are_plain(data.draw(st.from_regex(looks, fullmatch=True, alphabet=st.characters(codec="ascii"))))


@pytest.mark.parametrize(
    "text",
    [
        "jane.doe@example\N{IDEOGRAPHIC FULL STOP}org",
        "jane\N{COMBINING GRAPHEME JOINER}.doe@exam\N{COMBINING GRAPHEME JOINER}ple.org",
        "312-555\N{VARIATION SELECTOR-16}-0147",
        "jane.doe&#64;example.org",
        "jane.doe%26commat;example.org",
    ],
)
def test_what_a_person_reads_is_what_counts(text: str) -> None:
    assert likeness(text) is not None


@pytest.mark.parametrize("text", ["ssn123456789", "SSN123456789", "ssn123-456789", "ssn12345-6789", "case-Ssn123456789"])
def test_a_social_security_number_may_stand_right_behind_its_name(text: str) -> None:
    assert likeness(text) == SOCIAL_SECURITY


@pytest.mark.parametrize(
    "piece",
    [
        *[
            "a@",
            "a@a.",
            "a@a-",
            "@.",
            "0@0.",
            "1-",
            "(",
            "+1",
            "+1-",
            "212-",
            "(212)",
            "tel:",
            "tel:1-",
            "%",
            "%25",
            "%2525",
            "123-45-",
            "ssn",
        ],
        "\ufdfa",
    ],
)
def test_no_name_takes_long_to_judge(piece: str) -> None:
    longest = (piece * 128)[:128]
    begun = time.process_time()
    for _ in range(20):
        likeness(longest, pseudonym=True)
        likeness(longest + "x")
    assert (time.process_time() - begun) / 40 < 0.005


# -- where it stands ---------------------------------------------------------------------------------------------------
def with_text(kind: str, name: str, text: str) -> dict[str, object]:
    event = example(MODELS[kind])
    (event["data"] if name in event["data"] else event)[name] = text
    return event


def judged(event: object, decoder: Decoder | None = None) -> object:
    """What both readers say of it, which is the same."""
    decoder = decoder or Decoder()
    value = json.dumps(event).encode()
    said, by_contract = decoder.decode(value, [], NOW), judge(value, decoder.allows)
    assert isinstance(said, Rejection) == isinstance(by_contract, Rejection)
    assert not isinstance(said, Rejection) or said == by_contract
    return said


@pytest.mark.parametrize(
    ("kind", "name"), [(kind, name) for kind in MODELS for name in sorted(TEXTS) if name in str(example(MODELS[kind]))]
)
@pytest.mark.parametrize("text", ["jane.doe@example.org", "312-555-0147", "123-45-6789"])
def test_every_text_of_every_event_is_asked(kind: str, name: str, text: str) -> None:
    event = with_text(kind, name, text)
    path = f"$.data.{name}" if name in event["data"] else f"$.{name}"
    said = judged(event)
    assert isinstance(said, Rejection)
    assert (said.reason, said.path) == (Reason.PERSONAL_DATA, path)
    assert text not in said.message
    assert judge(json.dumps(event | {"type": "com.example.ticket"}).encode(), nobody_allows) == said, "whatever else is wrong with it"


def test_the_list_of_texts_is_that_of_the_models() -> None:
    of_models = {
        name
        for model in MODELS.values()
        for fields in (model.model_fields, model.model_fields["data"].annotation.model_fields)
        for name, field in fields.items()
        if "pattern" in f"{field.metadata} {field.annotation}"
    }
    assert of_models - {"time", "datacontenttype"} == TEXTS
    assert PSEUDONYMS < TEXTS


def test_what_is_no_name_either_is_personal_first() -> None:
    assert judged(with_text("org.frontdesk.contact.v1", "stakeholder", "+1 (312) 555-0147")) == Rejection(
        Reason.PERSONAL_DATA, "$.data.stakeholder", f"looks like {TELEPHONE}: no event may hold one"
    )


# -- what a district allows --------------------------------------------------------------------------------------------
def directory(**allow: str) -> Directory:
    return Directory.parse(json.dumps(json.loads(DEFAULT.content) | {"districts": {"riverside": {"allow": allow}}}))


@pytest.mark.parametrize(("name", "text"), [("subject", "312-555-0147"), ("id", "4711@mail.riverside.example")])
def test_a_district_may_allow_what_its_ids_and_subjects_look_like(name: str, text: str) -> None:
    decoder = Decoder(directory(subject="[0-9]{3}-[0-9]{3}-[0-9]{4}", id="[0-9]+@mail[.]riverside[.]example").allows)
    event = with_text("org.frontdesk.contact.v1", name, text)
    assert not isinstance(judged(event, decoder), Rejection)
    for other in (f"x{text}", f"{text}x", f"{text}\n"):
        assert isinstance(judged(event | {name: other}, decoder), Rejection), "the pattern is of the whole value"
    assert isinstance(judged(event | {"data": event["data"] | {"district": "lakeside"}}, decoder), Rejection), "of another district"  # type: ignore[operator]
    assert isinstance(judged(with_text("org.frontdesk.contact.v1", "stakeholder", text), decoder), Rejection)


@pytest.mark.parametrize("pattern", ["(", "a)|(b", "(?=a)", r"(a)\1", "a{1000}{1000}{1000}", "x" * 201])
def test_a_pattern_that_is_none_or_costs_too_much_is_a_mistake(pattern: str) -> None:
    with pytest.raises(DirectoryError, match=r"^line 1: districts.riverside.allow.subject: .*; write"):
        directory(subject=pattern)


def test_a_pattern_costs_as_much_as_the_text_is_long() -> None:
    allows = directory(subject="(a+)+@(b|b?)+c").allows
    begun = time.process_time()
    assert not allows("riverside", "subject", "a" * 128 + "@" + "b" * 100)
    assert time.process_time() - begun < 0.1
