"""The native door as a client meets it: answers, refusals, and what is left when a client or the door itself goes."""

import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from ipaddress import IPv4Address
from pathlib import Path
from typing import Self
from uuid import UUID

import psutil
import pytest
from clickhouse_driver import Client
from clickhouse_driver.errors import Error, NetworkError, ServerException

from deploy.embedded import Unavailable
from deploy.embedded.clickhouse import ClickHouseServer

pytestmark = pytest.mark.embedded

FULL = os.environ.get("FRONTDESK_FULL") == "1"
MEGABYTE = 1 << 20


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouseServer]:
    with ClickHouseServer(tmp_path_factory.mktemp("clickhouse") / "data") as running:
        yield running


@pytest.fixture
def client(server: ClickHouseServer) -> Iterator[Client]:
    with connected(server) as admin:
        admin.execute("DROP DATABASE IF EXISTS trial")
        admin.execute("CREATE DATABASE trial")
    with connected(server, database="trial") as client:
        yield client


def connected(server: ClickHouseServer, **options: object) -> Client:
    return Client("127.0.0.1", port=server.native_port, **options)


def until(condition: Callable[[], object], within_s: float = 20.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come about"
        time.sleep(0.02)


def under_way(client: Client, text: str) -> int:
    """How many statements with that text run now, this question left out."""
    query = "SELECT count() FROM system.processes WHERE position(query, %(text)s) > 0 AND position(query, 'system.processes') = 0"
    return int(client.execute(query, {"text": text})[0][0])


# ---- answers


EVERY_TYPE = [
    ("UInt64", 2**64 - 1),
    ("Int8", -128),
    ("Float64", 1.5),
    ("Bool", True),
    ("String", "zäh\0lich"),
    ("FixedString(3)", "abc"),
    ("Date", date(2026, 3, 8)),
    ("DateTime64(3, 'UTC')", datetime(2026, 3, 8, 10, 0, 0, 123000, tzinfo=UTC)),
    ("Nullable(String)", None),
    ("LowCardinality(String)", "bus"),
    ("LowCardinality(Nullable(String))", None),
    ("Array(LowCardinality(String))", ["a", "b", "a"]),
    ("Array(Array(Nullable(UInt8)))", [[1, None], []]),
    ("Map(String, Array(UInt64))", {"a": [1, 2], "b": []}),
    ("Tuple(UInt8, Nullable(String), Array(Int16))", (1, None, [2])),
    ("Enum8('1h' = 1, '24h' = 2)", "24h"),
    ("Decimal(20, 4)", Decimal("12345.6789")),
    ("UUID", UUID("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")),
    ("IPv4", IPv4Address("127.0.0.1")),
]


@pytest.mark.parametrize("compression", [False, "lz4", "zstd"])
def test_every_type_comes_back_as_it_went_in(server: ClickHouseServer, client: Client, compression: str | bool) -> None:
    columns = ", ".join(f"c{index} {name}" for index, (name, _) in enumerate(EVERY_TYPE))
    row = tuple(value for _, value in EVERY_TYPE)
    client.execute(f"CREATE TABLE types ({columns}) ENGINE = MergeTree ORDER BY tuple()")

    with connected(server, database="trial", compression=compression) as other:
        other.execute("INSERT INTO types VALUES", [row] * 3)
        assert other.execute("SELECT * FROM types") == [row] * 3


def test_an_empty_result_still_has_its_columns(client: Client) -> None:
    answer = client.execute("SELECT toUInt8(number) AS n, 'x' AS s FROM numbers(10) WHERE number > 10", with_column_types=True)
    assert answer == ([], [("n", "UInt8"), ("s", "String")])


def test_the_server_is_in_utc(client: Client) -> None:
    assert client.execute("SELECT timezone() IN ('UTC', 'Etc/UTC'), toString(toDateTime(0))") == [(1, "1970-01-01 00:00:00")]


def test_many_blocks_in_and_out(client: Client) -> None:
    client.execute("CREATE TABLE many (a UInt64, b String) ENGINE = MergeTree ORDER BY a")
    client.execute("INSERT INTO many VALUES", ((n, f"value {n}") for n in range(50_000)), settings={"insert_block_size": 3_000})
    assert client.execute("SELECT * FROM many ORDER BY a") == [(n, f"value {n}") for n in range(50_000)]


def test_an_error_keeps_its_code_and_the_connection(client: Client) -> None:
    for sql, code in [
        ("SELEC 1", 62),
        ("SELECT * FROM nowhere", 60),
        ("SELECT no_such_function()", 46),
        ("SELECT throwIf(1)", 395),
        ("SELECT 1; SELECT 2", 62),
    ]:
        with pytest.raises(ServerException) as raised:
            client.execute(sql)
        assert raised.value.code == code
        assert client.execute("SELECT 1") == [(1,)]


def test_a_failing_insert_says_why_and_leaves_nothing(client: Client) -> None:
    client.execute("CREATE TABLE picky (a UInt8, CONSTRAINT small CHECK a < 10) ENGINE = MergeTree ORDER BY a")
    with pytest.raises(ServerException) as raised:
        client.execute("INSERT INTO picky VALUES", [(1,), (200,)])
    assert raised.value.code == 469
    assert client.execute("SELECT count() FROM picky") == [(0,)]


def test_a_setting_of_a_query_ends_with_it(client: Client) -> None:
    def value() -> str:
        return str(client.execute("SELECT value FROM system.settings WHERE name = 'max_block_size'")[0][0])

    before = value()
    client.execute("SELECT 1", settings={"max_block_size": 7})
    assert value() == before
    client.execute("SET max_block_size = 1234")
    client.execute("SELECT 1", settings={"max_block_size": 7})
    assert value() == "1234"


def test_sessions_do_not_share_settings_and_temporary_tables(server: ClickHouseServer, client: Client) -> None:
    client.execute("CREATE TEMPORARY TABLE mine (a UInt8)")
    with connected(server) as other, pytest.raises(ServerException) as raised:
        other.execute("SELECT * FROM mine")
    assert raised.value.code == 60


# ---- clients that go


def test_cancel_ends_the_query(server: ClickHouseServer, client: Client) -> None:
    with connected(server) as watcher:
        client.execute_with_progress("SELECT sleepEachRow(1), 'to cancel' FROM numbers(600)", settings={"max_block_size": 1})
        until(lambda: under_way(watcher, "to cancel") == 1)
        client.cancel()
        until(lambda: under_way(watcher, "to cancel") == 0)
    assert client.execute("SELECT 1") == [(1,)]


@pytest.mark.parametrize(
    "sql", ["SELECT sleepEachRow(1), 'gone' FROM numbers(600)", "INSERT INTO sink SELECT sleepEachRow(1), 'gone' FROM numbers(600)"]
)
def test_a_client_that_goes_ends_its_query(server: ClickHouseServer, client: Client, sql: str) -> None:
    client.execute("CREATE TABLE sink (a UInt8, b String) ENGINE = Memory")
    leaver = connected(server, database="trial")
    thread = threading.Thread(target=lambda: silently(lambda: leaver.execute(sql, settings={"max_block_size": 1})))
    thread.start()
    until(lambda: under_way(client, "gone") == 1)
    leaver.connection.socket.shutdown(socket.SHUT_RDWR)
    thread.join(20)
    until(lambda: under_way(client, "gone") == 0)


def silently(work: Callable[[], object]) -> None:
    with contextlib.suppress(Error, EOFError, OSError):
        work()


class CutProxy:
    """Passes a client's bytes on up to a number of them, then cuts both connections."""

    def __init__(self, port: int, limit: int) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._target, self._left = port, limit
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        inside, _ = self._listener.accept()
        with inside, socket.create_connection(("127.0.0.1", self._target)) as outside:
            back = threading.Thread(target=silently, args=(lambda: self._back(outside, inside),), daemon=True)
            back.start()
            while self._left > 0 and (data := inside.recv(min(self._left, 1 << 16))):
                outside.sendall(data)
                self._left -= len(data)
            outside.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    @staticmethod
    def _back(outside: socket.socket, inside: socket.socket) -> None:
        while data := outside.recv(1 << 16):
            inside.sendall(data)


@pytest.mark.parametrize("cut_after", [3, 40, 300, 2_000, 60_000, 300_000, 900_000])
@pytest.mark.parametrize("compression", [False, "lz4"])
def test_a_client_cut_off_leaves_no_part_of_a_block(
    server: ClickHouseServer, client: Client, cut_after: int, compression: str | bool
) -> None:
    block = 10_000
    client.execute("CREATE TABLE cut (a UInt64, b FixedString(32)) ENGINE = MergeTree ORDER BY a")
    proxy = CutProxy(server.native_port, cut_after)
    leaver = Client("127.0.0.1", port=proxy.port, database="trial", compression=compression)
    rows = ((n, os.urandom(32)) for n in range(10 * block))

    silently(lambda: leaver.execute("INSERT INTO cut VALUES", rows, settings={"insert_block_size": block, "strings_as_bytes": True}))

    until(lambda: under_way(client, "INSERT INTO cut") == 0)
    assert client.execute(f"SELECT modulo(count(), {block}) FROM cut") == [(0,)]
    assert client.execute("SELECT count() FROM cut")[0][0] < 10 * block


def test_clients_leave_no_threads_and_files_behind(server: ClickHouseServer, client: Client) -> None:
    process = psutil.Process(server.identity.pid)
    names = "SELECT count() FROM system.tables WHERE is_temporary"

    def visit() -> None:
        with connected(server) as visitor:
            visitor.execute("CREATE TEMPORARY TABLE left (a UInt8)")
            visitor.execute("SELECT * FROM numbers(10)")

    for _ in range(5):
        visit()
    files, sockets = process.num_fds(), len(process.net_connections())
    for _ in range(40):
        visit()
    until(lambda: len(process.net_connections()) <= sockets)
    until(lambda: process.num_fds() <= files + 5)
    assert client.execute(names) == [(0,)]


# ---- peers that speak something else


@pytest.mark.parametrize(
    "said",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\xff" * 4096,
        b"\x00" + b"\xff" * 9 + b"\x01",
        bytes(range(256)) * 64,
        b"\x00\x05hello\x01\x02\xbc\xa9\x03",
    ],
    ids=["http", "ones", "endless string", "everything", "half a hello"],
)
def test_garbage_harms_nobody(server: ClickHouseServer, client: Client, said: bytes) -> None:
    before = server.resident_bytes()
    with socket.create_connection(("127.0.0.1", server.native_port)) as stranger:
        stranger.sendall(said)
        stranger.shutdown(socket.SHUT_WR)
        stranger.settimeout(20)
        with contextlib.suppress(ConnectionError):
            while stranger.recv(4096):
                pass
    assert client.execute("SELECT 1") == [(1,)]
    assert server.resident_bytes() < before + 50 * MEGABYTE


def test_a_silent_peer_keeps_nobody_waiting(server: ClickHouseServer) -> None:
    with socket.create_connection(("127.0.0.1", server.native_port)) as silent, connected(server) as other:
        silent.sendall(b"\x00\x05he")
        assert other.execute("SELECT 1") == [(1,)]


def test_a_client_that_does_not_read_holds_up_only_itself(server: ClickHouseServer, client: Client) -> None:
    before = server.resident_bytes()
    slow = connected(server)
    result = slow.execute_iter("SELECT number, randomString(500), 'unread' FROM numbers(2000000)")
    next(iter(result))
    until(lambda: under_way(client, "unread") == 1)
    assert client.execute("SELECT 1") == [(1,)]
    assert server.resident_bytes() < before + 200 * MEGABYTE
    slow.disconnect()
    until(lambda: under_way(client, "unread") == 0)


# ---- the process


def test_what_keeps_it_from_starting_is_one_line_and_code_3(server: ClickHouseServer, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cases = [
        (["--data", str(server.data)], f"in use by process {server.identity.pid}"),
        (["--data", str(tmp_path / "file" / "data")], "cannot be written"),
        (["--data", str(tmp_path / "a"), "--native-port", str(server.native_port)], f"port {server.native_port} "),
        (["--data", str(tmp_path / "b"), "--password-file", str(tmp_path / "none")], "password file"),
    ]
    for arguments, expected in cases:
        done = started(*arguments)
        lines = [line for line in done.stderr.splitlines() if not line.startswith("Logging ")]
        assert done.returncode == 3, done.stderr
        assert len(lines) == 1
        assert expected in lines[0]


def test_wrong_options_are_code_2(tmp_path: Path) -> None:
    for arguments in (["--data", str(tmp_path), "--native-port", "70000"], [], ["--data", str(tmp_path), "--secure-native-port", "0"]):
        assert started(*arguments).returncode == 2


def started(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "deploy.embedded.clickhouse", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, cwd=Path(__file__).parents[2])


def test_the_handle_says_why(server: ClickHouseServer) -> None:
    with pytest.raises(Unavailable, match="in use by process") as raised:
        ClickHouseServer(server.data).start()
    assert "\n" not in str(raised.value)


def test_a_stop_loses_nothing_and_the_ports_stay(tmp_path: Path) -> None:
    server = ClickHouseServer(tmp_path / "data")
    with server:
        port = server.native_port
        with connected(server) as client, connected(server) as idle:
            idle.execute("SELECT 1")
            client.execute("CREATE TABLE kept (a UInt64) ENGINE = MergeTree ORDER BY a")
            client.execute("INSERT INTO kept VALUES", [(n,) for n in range(1000)])
            leaver = threading.Thread(
                target=lambda: silently(lambda: idle.execute("SELECT sleepEachRow(1) FROM numbers(600)", settings={"max_block_size": 1}))
            )
            leaver.start()
            until(lambda: under_way(client, "sleepEachRow") == 1)
            server.stop()
            leaver.join(20)
    with server:
        assert server.native_port == port
        with connected(server) as client:
            assert client.execute("SELECT count(), sum(a) FROM kept") == [(1000, 499500)]


def test_what_it_makes_on_the_side_stays_in_its_folder_and_does_not_pile_up(tmp_path: Path) -> None:
    left = tmp_path / "data" / "tmp" / "clickhouse-embedded-of-one-that-was-killed"
    (left / "tmp").mkdir(parents=True)
    (left.parent / "file").write_text("")
    with ClickHouseServer(tmp_path / "data") as server:
        assert psutil.Process(server.identity.pid).environ()["TMPDIR"] == str(left.parent)
        assert list(left.parent.iterdir()) == []


def test_no_acknowledged_insert_is_lost_to_kills(tmp_path: Path) -> None:
    server = ClickHouseServer(tmp_path / "data")
    acknowledged: list[int] = []
    block, blocks = 500, iter(range(1_000_000))

    def insert(stopped: threading.Event) -> None:
        with connected(server) as client:
            while not stopped.is_set():
                number = next(blocks)
                client.execute("INSERT INTO kept VALUES", [(number, n) for n in range(block)])
                acknowledged.append(number)

    for round_number in range(20 if FULL else 3):
        server.start()
        with connected(server) as client:
            client.execute("CREATE TABLE IF NOT EXISTS kept (block UInt64, n UInt64) ENGINE = MergeTree ORDER BY (block, n)")
            found = dict(client.execute("SELECT block, count() FROM kept GROUP BY block"))
        assert {number: found.get(number, 0) for number in acknowledged if found.get(number) != block} == {}, f"round {round_number}"
        assert set(found.values()) <= {block}, "a block in part"
        goal, stopped = len(acknowledged) + 15 + 3 * round_number, threading.Event()
        inserter = threading.Thread(target=lambda stopped=stopped: silently(lambda: insert(stopped)))
        inserter.start()
        until(lambda goal=goal: len(acknowledged) >= goal, 60)
        server.kill()
        stopped.set()
        inserter.join(20)
    server.start()
    with connected(server) as client:
        found = dict(client.execute("SELECT block, count() FROM kept GROUP BY block"))
    server.stop()
    assert {number for number in acknowledged if found.get(number) != block} == set()
    with pytest.raises(NetworkError):
        connected(server).execute("SELECT 1")


# ---- memory


class Peak:
    """The most resident memory that the server had while this was entered."""

    def __init__(self, server: ClickHouseServer) -> None:
        self._server, self._over = server, threading.Event()
        self.bytes = 0

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(0.02):
            self.bytes = max(self.bytes, self._server.resident_bytes())


@pytest.mark.timeout(900)
def test_rows_pass_through_bounded_memory(tmp_path: Path) -> None:
    """A million rows of a kilobyte in full, else a quarter of them."""
    thousands, allowance = (1000 if FULL else 250), 200 * MEGABYTE
    rows = (
        (thousand * 1000 + n, piece[n * 1000 : (n + 1) * 1000])
        for thousand in range(thousands)
        for piece in [os.urandom(1_000_000)]
        for n in range(1000)
    )
    with ClickHouseServer(tmp_path / "data") as server, connected(server, settings={"strings_as_bytes": True}) as client:
        client.execute("CREATE TABLE big (a UInt64, b String) ENGINE = MergeTree ORDER BY a")
        client.execute("SELECT * FROM big")
        idle = server.resident_bytes()
        with Peak(server) as inserting:
            client.execute("INSERT INTO big VALUES", rows, settings={"insert_block_size": 10_000})
        with Peak(server) as selecting:
            received = sum(len(row[1]) for row in client.execute_iter("SELECT * FROM big"))

    assert received == thousands * 1_000_000
    assert inserting.bytes < idle + allowance
    assert selecting.bytes < idle + allowance
