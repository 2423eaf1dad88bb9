"""What was set aside, and the ways back, on real servers: shown, mended, sent again, discarded."""

import asyncio
import json
import random
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiokafka.admin import NewPartitions

from deploy.embedded.clickhouse import ClickHouseServer
from deploy.embedded.kafka import Kafka
from projections.rows import CASE_COLUMNS, EVENT_COLUMNS, WINDOW_COLUMNS
from sinks.clickhouse.dead_letters import OPEN, Selection, find
from streams.cli import run
from streams.clock import WallClock
from streams.dead_letters import Original, originals, redrive
from streams.kafka.client import administration
from streams.kafka.publisher import STRUCTURED, STRUCTURED_BACKFILL
from streams.kafka.topics import partition_counts
from streams.settings import Settings
from streams.terminal.configuration import environment_of
from streams.terminal.outcome import ExitCode
from streams.warehouse import clickhouse_of
from tests.support.workers import POLL_S, fresh_settings, publish, query, wait_until_counted, worker

pytestmark = [pytest.mark.embedded, pytest.mark.timeout(120)]

DISTRICTS = ("riverside", "hillside", "lakeside", "woodside", "seaside")
BROKEN = 1_000
HOUR_S = 3_600
OF_THE_WAY = {"partition", "offset", "produced_at", "backfill", "version", "last_offset", "as_of"}
"""Columns that tell how an event came, not what is known."""


def events(count: int, begin_s: int) -> list[tuple[str, bytes]]:
    """(district, event) of cases of about four events, in five districts, within ten hours."""
    draw = random.Random(11)
    made = []
    for number in range(count):
        district = draw.choice(DISTRICTS)
        kind = ("contact", "contact", "reply", "resolution", "rating")[draw.randrange(5)]
        data: dict[str, Any] = {
            "district": district,
            "school": f"school-{draw.randrange(4)}",
            "department": f"department-{draw.randrange(3)}",
        }
        data |= {"score": draw.randint(1, 5)} if kind == "rating" else {}
        data |= {"stakeholder": f"s-{draw.randrange(300)}"} if kind == "contact" else {}
        event = {
            "specversion": "1.0",
            "id": f"e-{number}",
            "source": "/invented",
            "type": f"org.frontdesk.{kind}.v1",
            "subject": f"case-{draw.randrange(-(-count // 4))}",
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(begin_s + draw.randrange(10 * HOUR_S))),
            "data": data,
        }
        made.append((district, json.dumps(event).encode()))
    return made


def broken(value: bytes, way: int) -> bytes:
    return (value[:-2], value.replace(b"org.frontdesk", b"org.backdesk"), value.replace(b'"specversion"', b'"version"'), b"\xff" + value)[
        way
    ]


def content(settings: Settings, table: str, columns: tuple[str, ...]) -> list[tuple[Any, ...]]:
    """What is known, whatever way it came."""
    named = ", ".join(f"`{c}`" for c in columns if c not in OF_THE_WAY)
    return query(settings, f"SELECT {named} FROM {table} FINAL WHERE {'contact_n > 0' if table == 'windows' else '1'} ORDER BY ALL")


TABLES = {"events": EVENT_COLUMNS, "cases": CASE_COLUMNS, "windows": WINDOW_COLUMNS}


def everything(settings: Settings) -> dict[str, list[tuple[Any, ...]]]:
    return {table: content(settings, table, columns) for table, columns in TABLES.items()}


def wait_for(condition: Callable[[], bool], within_s: float = 40) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(POLL_S)


def states(settings: Settings) -> dict[str, int]:
    return dict(query(settings, "SELECT state, count() FROM dead_letters FINAL GROUP BY state"))


def mended(settings: Settings, whole: dict[bytes, bytes]) -> int:
    """Find all that is open, put each record's own bytes right, and send it. Returns how many were sent."""
    with clickhouse_of(settings).connect() as client:
        letters = find(client, Selection(state=OPEN), 10_000)
    records = asyncio.run(originals(settings, letters))
    repaired = {place: Original(r.key, whole[r.value or b""], r.headers) for place, r in records.items()}
    return asyncio.run(redrive(settings, letters, repaired, WallClock())).sent


def test_a_thousand_broken_records_mended_and_redriven_are_as_if_they_never_had_been_broken(
    kafka: Kafka, clickhouse: ClickHouseServer, tmp_path: Path
) -> None:
    whole = events(4_000, begin_s=int(time.time()) // (12 * HOUR_S) * 12 * HOUR_S - 61 * HOUR_S)
    draw = random.Random(12)
    hit = set(draw.sample(range(len(whole)), BROKEN))
    sent = [(district, broken(value, draw.randrange(4)) if n in hit else value) for n, (district, value) in enumerate(whole)]
    repair = {sent[n][1]: whole[n][1] for n in hit}
    clean = fresh_settings("never_broken", kafka, clickhouse)
    mine = fresh_settings("broken_and_mended", kafka, clickhouse)
    log, other = tmp_path / "worker.log", tmp_path / "clean.log"

    with worker(mine, log) as child, worker(clean, other) as undisturbed:
        asyncio.run(publish(clean, whole, STRUCTURED))
        asyncio.run(publish(mine, sent, STRUCTURED))
        wait_until_counted(clean, undisturbed, other)
        wait_until_counted(mine, child, log)
        assert states(mine) == {"open": BROKEN}
        assert everything(mine) != everything(clean)

        assert mended(mine, repair) == BROKEN
        wait_until_counted(mine, child, log)
        wait_for(lambda: everything(mine) == everything(clean))  # both clocks are in the same minute
        assert states(mine) == {"redriven": BROKEN}

        assert mended(mine, repair) == 0, "nothing is open any more"
        with clickhouse_of(mine).connect() as client:
            again = [replace(letter, version=0) for letter in find(client, Selection(state="redriven"), 10_000)]
        records = asyncio.run(originals(mine, again))
        repaired = {place: Original(r.key, repair[r.value or b""], r.headers) for place, r in records.items()}
        assert asyncio.run(redrive(mine, again, repaired, WallClock())).sent == BROKEN
        wait_until_counted(mine, child, log)
        wait_for(lambda: everything(mine) == everything(clean))


# -- the commands ------------------------------------------------------------------------------------------------------
Said = Callable[[], tuple[str, str]]


@pytest.fixture
def few(kafka: Kafka, clickhouse: ClickHouseServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """One good event and three bad ones of one district, counted; the settings are those of the commands."""
    settings = fresh_settings(f"few_{tmp_path.name}"[:60], kafka, clickhouse, partitions=2)
    for name, value in environment_of(settings).items():
        monkeypatch.setenv(name, value)
    [(district, good), (_, unknown), *_] = [each for each in events(60, int(time.time()) - 20 * HOUR_S) if each[0] == "riverside"]
    sent = [(district, value) for value in (good, b'{"cut', broken(unknown, 1), b'[red]"no object"[/]')]
    with worker(settings, tmp_path / "worker.log") as child:
        asyncio.run(publish(settings, sent, STRUCTURED_BACKFILL))
        wait_until_counted(settings, child, tmp_path / "worker.log")
    return settings


def test_the_commands_from_list_to_discard(few: Settings, capfdbinary: pytest.CaptureFixture[bytes], tmp_path: Path) -> None:
    def said(*arguments: str) -> tuple[int, bytes, str]:
        code = run(["dead-letters", *arguments])
        out, err = capfdbinary.readouterr()
        assert b"Traceback" not in err
        return code, out, err.decode()

    code, out, _ = said("list", "--format", "json")
    letters = json.loads(out)
    assert (code, [(x["offset"], x["reason"], x["state"]) for x in letters]) == (
        0,
        [(1, "not_json", "open"), (2, "unknown_type", "open"), (3, "not_json", "open")],
    )
    partition = str(letters[0]["partition"])

    assert [x["offset"] for x in json.loads(said("list", "--reason", "not_json", "--from-offset", "2", "--format", "json")[1])] == [3]
    assert [x["offset"] for x in json.loads(said("list", "--source", "/invented", "--format", "json")[1])] == [2]
    assert [x["offset"] for x in json.loads(said("list", "--source", "", "--format", "json")[1])] == [1, 3]
    assert json.loads(said("list", "--before", "2020-01-01", "--format", "json")[1]) == []
    code, out, err = said("list", "--limit", "2")
    assert (code, out.count(b"not_json"), err) == (0, 1, "2 of 3: --limit shows more\n")

    assert said("show", "--partition", partition, "--offset", "1", "--raw") == (0, b'{"cut', "")
    shown = json.loads(said("show", "--partition", partition, "--offset", "1", "--format", "json")[1])
    assert (shown["value"], shown["headers"]) == ('{"cut', [list(map(str, (n, c.decode()))) for n, c in STRUCTURED_BACKFILL])
    assert b'value       [red]"no object"[/]' in said("show", "--partition", partition, "--offset", "3")[1]
    assert said("show", "--partition", partition, "--offset", "99")[0] == ExitCode.USAGE

    code, _, err = said("redrive", "--partition", partition)
    assert code == ExitCode.REFUSED
    assert f"stopped at partition {partition}, offset 1" in err
    assert states(few) == {"open": 3}

    file = tmp_path / "mended.json"
    file.write_bytes([value for district, value in events(60, int(time.time()) - 20 * HOUR_S) if district == "riverside"][2])
    one = ("--partition", partition, "--offset", "1")
    assert said("redrive", "--partition", partition, "--with", str(file))[0] == ExitCode.USAGE
    assert said("redrive", *one, "--with", str(file))[::2] == (0, "1 records are sent and marked as redriven\n")
    assert said("redrive", *one, "--with", str(file))[::2] == (0, "nothing to redrive: no open dead letter is meant\n")

    assert said("discard")[0] == ExitCode.USAGE
    assert said("discard", "--reason", "unknown_type")[::2] == (0, "1 records are discarded\n")
    assert states(few) == {"open": 1, "redriven": 1, "discarded": 1}
    assert [x["state"] for x in json.loads(said("list", "--state", "any", "--format", "json")[1])] == ["redriven", "discarded", "open"]

    for nonsense in (
        ("list", "--since", "noon"),
        ("list", "--since", "2026-02-01", "--before", "2026-01-01"),
        ("list", "--offset", "3", "--to-offset", "4"),
        ("list", "--from-offset", "5", "--to-offset", "4"),
        ("list", "--limit", "0"),
        ("redrive",),
        ("redrive", "--all", "--partition", "1"),
        ("redrive", *one, "--with", str(tmp_path / "nowhere")),
        ("accept", "--partition", "2", "--until", "5"),
        ("accept", "--partition", partition, "--until", "0"),
        ("accept", "--partition", partition, "--until", "99"),
    ):
        code, _, err = said(*nonsense)
        assert (code, err.count("frontdesk: "), err.count("\n")) == (ExitCode.USAGE, 1, 1), (nonsense, err)


async def grown(settings: Settings, topic: str, partitions: int) -> None:
    async with administration(settings) as admin:
        await admin.create_partitions({topic: NewPartitions(partitions)})
        while (await partition_counts(admin))[topic] < partitions:  # noqa: ASYNC110 - Kafka tells nobody when it is done
            await asyncio.sleep(POLL_S)


def test_they_are_found_whatever_partitions_the_topics_got(
    kafka: Kafka, clickhouse: ClickHouseServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    #  2 partitions each --- dead letters get 16 --- a record is set aside, in one of the new ones --- events get 20
    settings, log = fresh_settings("letters_grown", kafka, clickhouse, partitions=2), tmp_path / "worker.log"
    asyncio.run(grown(settings, settings.dead_letter_topic, 16))
    with worker(settings, log) as child:
        asyncio.run(publish(settings, [("riverside", b'{"cut')], STRUCTURED))
        wait_until_counted(settings, child, log)
    [(partition,)] = query(settings, "SELECT partition FROM dead_letters FINAL")
    one = ("--partition", str(partition), "--offset", "0")
    for name, value in environment_of(settings).items():
        monkeypatch.setenv(name, value)
    assert run(["dead-letters", "show", *one, "--raw"]) == 0
    assert capfdbinary.readouterr().out == b'{"cut'

    asyncio.run(grown(settings, settings.topic, 20))
    monkeypatch.setenv("FRONTDESK_PARTITIONS", "20")
    assert run(["dead-letters", "show", *one, "--raw"]) == 0
    assert capfdbinary.readouterr().out == b'{"cut'
    (file := tmp_path / "mended.json").write_bytes(events(1, int(time.time()) - 20 * HOUR_S)[0][1])
    assert run(["dead-letters", "redrive", *one, "--with", str(file)]) == 0
    assert states(settings) == {"redriven": 1}


PRIVATE = "312-555-0147"


def test_of_personal_data_nothing_is_left_to_show_or_to_send_again(
    few: Settings, capfdbinary: pytest.CaptureFixture[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def said(*arguments: str) -> tuple[int, str]:
        code = run(["dead-letters", *arguments])
        out, err = capfdbinary.readouterr()
        assert PRIVATE.encode() not in out + err
        return code, (out + err).decode()

    [(_, whole), *_] = [each for each in events(60, int(time.time()) - 20 * HOUR_S) if each[0] == "riverside"][5:]
    private = json.dumps(json.loads(whole) | {"subject": PRIVATE, "source": f"tel:{PRIVATE}"}).encode()
    with worker(few, tmp_path / "second.log") as child:
        asyncio.run(publish(few, [("riverside", private)], STRUCTURED_BACKFILL))
        wait_until_counted(few, child, tmp_path / "second.log")
    [letter] = json.loads(said("list", "--reason", "personal_data", "--format", "json")[1])
    assert (letter["path"], letter["source"], letter["bytes"]) == ("$.source", "", len(private))
    one = ("--partition", str(letter["partition"]), "--offset", str(letter["offset"]))
    assert "nothing of the record was kept" in said("show", *one)[1]
    assert "nothing of the record was kept" in json.loads(said("show", *one, "--format", "json")[1])["not_kept"]
    assert said("show", *one, "--raw")[0] == ExitCode.REFUSED
    code, told = said("redrive", *one)
    assert (code, "nothing of the record was kept" in told) == (ExitCode.REFUSED, True)

    (tmp_path / "mended.json").write_bytes(private.replace(f"tel:{PRIVATE}".encode(), b"/invented"))
    code, told = said("redrive", *one, "--with", str(tmp_path / "mended.json"))
    assert (code, "still refused (personal_data $.subject" in told) == (ExitCode.REFUSED, True)
    (tmp_path / "allows.yaml").write_text(f"revision: 1\nzone: UTC\nhours: {{monday: '08:00-16:00'}}\ndistricts: {{riverside: {ALLOWED}}}")
    monkeypatch.setenv("FRONTDESK_DIRECTORY", str(tmp_path / "allows.yaml"))
    assert said("redrive", *one, "--with", str(tmp_path / "mended.json"))[0] == ExitCode.OK


ALLOWED = "{allow: {subject: '[0-9]{3}-[0-9]{3}-[0-9]{4}'}}"


def test_redriving_stops_before_what_would_be_too_late_again_and_as_history_it_is_taken(
    kafka: Kafka, clickhouse: ClickHouseServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings, log = fresh_settings("too_late_again", kafka, clickhouse), tmp_path / "worker.log"
    for name, value in environment_of(settings).items():
        monkeypatch.setenv(name, value)
    old = events(30, int(time.time()) - 120 * 24 * HOUR_S)
    new = events(1, int(time.time()) - 20 * HOUR_S)
    with worker(settings, log) as child:
        asyncio.run(publish(settings, [*((d, v) for d, v in new), *((d, v.replace(b"case-", b"old-")) for d, v in old)], STRUCTURED))
        wait_until_counted(settings, child, log)
        assert query(settings, "SELECT reason, count() FROM dead_letters FINAL GROUP BY reason") == [("too_late", len(old))]

        assert run(["dead-letters", "redrive", "--all"]) == ExitCode.REFUSED
        assert "0 records before it were sent" in capsys.readouterr().err
        assert states(settings) == {"open": len(old)}

        assert run(["dead-letters", "redrive", "--all", "--backfill", "--limit", "20"]) == 0
        assert run(["dead-letters", "redrive", "--all", "--backfill"]) == 0
        wait_until_counted(settings, child, log)
    assert states(settings) == {"redriven": len(old)}
    assert query(settings, "SELECT countIf(backfill = 1), count() FROM events FINAL") == [(len(old), len(old) + 1)]
