"""Clients that hang up, trickle or lie hurt nobody else: the door goes on serving, and what a stranger may hold is bounded."""

import contextlib
import os
import random
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from clickhouse_driver import Client
from clickhouse_driver.errors import Error, ServerException

from deploy.embedded.clickhouse import ClickHouseServer
from deploy.embedded.clickhouse.frame import HEAD_BYTES, LZ4, ZSTD, checksum
from deploy.embedded.clickhouse.native import HELLO_TIMEOUT_S, MOST_STRANGERS
from deploy.embedded.clickhouse.wire import string, varint

pytestmark = pytest.mark.embedded

HANG_UPS, AT_ONCE = 200, 6
MEGABYTE = 1 << 20
REVISION = 54460
PASSWORD = "open sesame"  # of a server that lives as long as a test


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouseServer]:
    folder = tmp_path_factory.mktemp("clickhouse")
    (folder / "password").write_text(PASSWORD)
    with ClickHouseServer(folder / "data", password_file=folder / "password") as running, connected(running) as client:
        client.execute("CREATE TABLE sink (a UInt64, b String) ENGINE = Null")
        yield running


def connected(server: ClickHouseServer, **options: object) -> Client:
    return Client("127.0.0.1", port=server.native_port, **({"password": PASSWORD} | options))


def serves(server: ClickHouseServer) -> None:
    with connected(server, connect_timeout=5, send_receive_timeout=10) as client:
        assert client.execute("SELECT sum(number) FROM numbers(1000)") == [(499500,)]


def until(condition: Callable[[], object], within_s: float = 20.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come about"
        time.sleep(0.02)


def hello(password: str = PASSWORD) -> bytes:
    return b"\0" + string("test") + varint(1) + varint(1) + varint(REVISION) + string("") + string("default") + string(password)


def query(sql: str, compressed: bool = False) -> bytes:
    """A query packet without client info, and the empty block that follows one that is not compressed."""
    head = b"\1" + string("") + b"\0" + string("") + string("") + varint(2) + varint(int(compressed)) + string(sql) + string("")
    return head if compressed else head + b"\2" + string("") + b"\0\0\0"


# ---- clients that hang up


@pytest.mark.timeout(280)
def test_hang_ups_at_random_moments_leave_it_serving(server: ClickHouseServer) -> None:
    draw = random.Random(8)
    ways = [reading, reading_by_rows, sending, selecting_into, in_the_handshake, within_a_block]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for number in range(HANG_UPS):
            pool.submit(ways[number % len(ways)], server, draw.random())
            if number % 40 == 0:
                serves(server)
    assert server.alive()
    serves(server)
    with connected(server) as client:
        until(lambda: client.execute("SELECT count() FROM system.processes") == [(1,)])


def hanging_up(client: Client, work: Callable[[], object], after_s: float) -> None:
    def cut() -> None:
        with contextlib.suppress(OSError, AttributeError):
            client.connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.connection.socket.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(after_s, cut)
    timer.start()
    with contextlib.suppress(Error, EOFError, OSError):
        work()
    timer.cancel()
    client.disconnect()


def reading(server: ClickHouseServer, moment: float) -> None:
    client = connected(server, compression=moment < 0.5)
    hanging_up(client, lambda: client.execute("SELECT number, toString(number) FROM numbers(3000000)"), moment * 0.3)


def reading_by_rows(server: ClickHouseServer, moment: float) -> None:
    client = connected(server)
    rows = client.execute_iter("SELECT number, randomString(100) FROM numbers(1000000)", settings={"max_block_size": 500})
    hanging_up(client, lambda: [next(rows) for _ in range(int(moment * 5000))], 10)


def sending(server: ClickHouseServer, moment: float) -> None:
    client = connected(server, compression=moment < 0.5)
    rows = ((n, "x" * 50) for n in range(100_000))
    hanging_up(client, lambda: client.execute("INSERT INTO sink VALUES", rows, settings={"insert_block_size": 5000}), moment * 0.3)


def selecting_into(server: ClickHouseServer, moment: float) -> None:
    client = connected(server)
    hanging_up(client, lambda: client.execute("INSERT INTO sink SELECT number, toString(number) FROM numbers(20000000)"), moment * 0.3)


def in_the_handshake(server: ClickHouseServer, moment: float) -> None:
    with socket.create_connection(("127.0.0.1", server.native_port)) as sock:
        sock.sendall(hello()[: int(moment * len(hello()))])


def within_a_block(server: ClickHouseServer, moment: float) -> None:
    block = (
        string("a") + string("UInt64") + b"\0" + struct.pack("<Q", 1) * 1000 + string("b") + string("String") + b"\0" + string("x") * 1000
    )
    packets = string("") + query("INSERT INTO sink FORMAT Native") + b"\2" + string("") + b"\0" + varint(2) + varint(1000) + block
    with socket.create_connection(("127.0.0.1", server.native_port)) as sock:
        sock.sendall(hello())
        sock.recv(4096)
        sock.sendall(packets[: int(moment * len(packets))])
        time.sleep(moment * 0.1)  # of what is drawn: a moment at which to go


def test_a_statement_that_only_says_that_the_engine_has_ended_ends_nothing(server: ClickHouseServer) -> None:
    with connected(server) as client:
        with pytest.raises(ServerException) as raised:
            client.execute("SELECT throwIf(1, 'Code: 236. DB::Exception: ended. (ABORTED)')")
        assert raised.value.code in {236, 395}
        assert client.execute("SELECT 1") == [(1,)]


# ---- before the password


@pytest.mark.parametrize(("user", "password"), [("default", ""), ("default", "Open sesame"), ("default", "x" * 4000), ("nobody", PASSWORD)])
def test_strangers_stay_outside(server: ClickHouseServer, user: str, password: str) -> None:
    with connected(server, user=user, password=password) as stranger, pytest.raises(ServerException) as raised:
        stranger.execute("SELECT 1")
    assert raised.value.code == 516
    assert PASSWORD not in str(raised.value)


def test_a_stranger_has_to_be_brief(server: ClickHouseServer) -> None:
    before = server.resident_bytes()
    for said in (b"\0" + varint(1 << 30), b"\0" + string("x" * 5000), hello("x" * 5000), b"\0" + string("a") + b"\xff" * 100_000):
        with socket.create_connection(("127.0.0.1", server.native_port)) as stranger:
            stranger.settimeout(HELLO_TIMEOUT_S * 2)
            with contextlib.suppress(ConnectionError):
                stranger.sendall(said)
                assert stranger.recv(4096) == b""
    assert server.resident_bytes() < before + 20 * MEGABYTE
    serves(server)


def test_a_stranger_that_trickles_has_to_go_in_time(server: ClickHouseServer) -> None:
    begun = time.monotonic()
    with socket.create_connection(("127.0.0.1", server.native_port)) as stranger, contextlib.suppress(ConnectionError):
        stranger.sendall(b"\0" + varint(4000))
        while time.monotonic() < begun + 3 * HELLO_TIMEOUT_S:
            stranger.sendall(b"x")
            stranger.settimeout(0.2)
            with contextlib.suppress(TimeoutError):
                assert stranger.recv(1) == b""
                break
    assert time.monotonic() < begun + 2 * HELLO_TIMEOUT_S


def test_no_crowd_of_strangers_keeps_others_out_for_long(server: ClickHouseServer) -> None:
    with connected(server) as known, contextlib.ExitStack() as crowd:
        known.execute("SELECT 1")
        for _ in range(MOST_STRANGERS + 20):
            crowd.enter_context(socket.create_connection(("127.0.0.1", server.native_port)))
        time_out = time.monotonic() + 2 * HELLO_TIMEOUT_S
        assert known.execute("SELECT 1") == [(1,)]
        with pytest.raises((Error, EOFError, OSError)), connected(server) as late:
            late.execute("SELECT 1")

        def answered() -> bool:
            with contextlib.suppress(Error, EOFError, OSError), connected(server) as other:
                return bool(other.execute("SELECT 1"))
            return False

        until(answered, time_out - time.monotonic())


# ---- after it


@pytest.mark.parametrize("method", [LZ4, ZSTD])
@pytest.mark.parametrize("claim", [1 << 20, 60 << 20, (1 << 32) - 1])
def test_a_frame_that_claims_too_much_costs_nothing(server: ClickHouseServer, method: int, claim: int) -> None:
    before = server.resident_bytes()
    head = struct.pack("<BII", method, HEAD_BYTES + 4, claim) + b"\0\0\0\0"
    with socket.create_connection(("127.0.0.1", server.native_port)) as liar:
        liar.sendall(hello())
        liar.recv(4096)
        liar.sendall(string("") + query("SELECT 1", compressed=True) + b"\2" + string("") + checksum(head) + head)
        liar.settimeout(20)
        with contextlib.suppress(ConnectionError):
            while liar.recv(4096):
                pass
    assert server.resident_bytes() < before + 20 * MEGABYTE
    serves(server)


def test_slow_senders_hold_nothing_that_others_need(server: ClickHouseServer) -> None:
    with contextlib.ExitStack() as slow:
        for _ in range(40):
            sock = slow.enter_context(socket.create_connection(("127.0.0.1", server.native_port)))
            sock.sendall(hello())
            sock.recv(4096)
            sock.sendall(string("") + query("INSERT INTO sink FORMAT Native") + b"\2" + string("") + b"\0" + varint(2) + varint(1000))
        with connected(server) as client:
            until(lambda: client.execute("SELECT count() FROM system.processes")[0][0] > 40)
            begun = time.monotonic()
            client.execute("INSERT INTO sink VALUES", [(1, "a")])
            serves(server)
            assert time.monotonic() < begun + 5


def test_the_password_is_in_no_process_list_log_or_environment(server: ClickHouseServer) -> None:
    process = Path("/proc", str(server.identity.pid))
    seen = [(process / name).read_bytes() for name in ("cmdline", "environ")]
    seen += [
        Path(folder, name).read_bytes()
        for folder, _, names in os.walk(server.data)
        for name in names
        if name.endswith((".log", ".json", ".xml"))
    ]
    assert not any(PASSWORD.encode() in text for text in seen)


def test_the_data_folder_is_the_owners_alone(server: ClickHouseServer) -> None:
    assert server.data.stat().st_mode & 0o777 == 0o700
