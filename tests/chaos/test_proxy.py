"""The proxy does what it says, and nothing else: each fault before an echo, before ClickHouse, before Kafka."""

import asyncio
import socket
import socketserver
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from clickhouse_driver import Client, errors

from deploy.embedded.clickhouse import ClickHouseServer
from deploy.embedded.kafka import Kafka
from tests.chaos.proxy import OFFSET_FETCH, ClickHouseProxy, KafkaProxy, Proxy

PATIENCE_S = 20


# -- any server -----------------------------------------------------------------------------------------------------------
class Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        while piece := self.request.recv(1 << 16):
            self.request.sendall(piece)


@pytest.fixture
def echo() -> Iterator[int]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Echo) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def connected(proxy: Proxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), PATIENCE_S)


def answered(line: socket.socket, said: bytes) -> bytes:
    line.sendall(said)
    return received(line, len(said))


def received(line: socket.socket, size: int) -> bytes:
    got = b""
    while len(got) < size and (piece := line.recv(size - len(got))):
        got += piece
    return got


def test_forwards_both_ways_and_much(echo: int) -> None:
    said = bytes(range(256)) * (1 << 12)
    with Proxy(echo) as proxy, connected(proxy) as line:
        sender = threading.Thread(target=line.sendall, args=(said,))
        sender.start()
        assert received(line, len(said)) == said
        sender.join()
        assert proxy.seen.connections == 1


def test_refuse_cuts_what_is_there_and_resets_what_comes_until_restored(echo: int) -> None:
    with Proxy(echo) as proxy, connected(proxy) as line:
        assert answered(line, b"before") == b"before"
        proxy.refuse()
        assert is_cut(line)
        with connected(proxy) as second:
            assert is_cut(second)
        assert proxy.seen.refused == 1
        proxy.restore()
        with connected(proxy) as third:
            assert answered(third, b"after") == b"after"


def test_a_target_that_is_down_looks_like_one(echo: int) -> None:
    with socket.socket() as nobody, Proxy() as proxy:
        nobody.bind(("127.0.0.1", 0))
        proxy.target_port = nobody.getsockname()[1]
        with connected(proxy) as line:
            assert is_cut(line)
        proxy.target_port = echo
        with connected(proxy) as line:
            assert answered(line, b"up") == b"up"


def test_hold_takes_connections_and_forwards_nothing_until_restored(echo: int) -> None:
    with Proxy(echo) as proxy, connected(proxy) as line:
        assert answered(line, b"before") == b"before"
        proxy.hold()
        line.sendall(b"held")
        with connected(proxy) as second:
            second.sendall(b"also")
            for silent in (line, second):
                silent.settimeout(0.3)
                with pytest.raises(TimeoutError):
                    silent.recv(1)
                silent.settimeout(PATIENCE_S)
            proxy.restore()
            assert received(line, 4) == b"held"
            assert received(second, 4) == b"also"


def test_delay_is_latency_each_way_and_no_narrow_line(echo: int) -> None:
    said = b"x" * (1 << 20)
    with Proxy(echo) as proxy, connected(proxy) as line:
        proxy.delay(0.25)
        began = time.monotonic()
        sender = threading.Thread(target=line.sendall, args=(said,))
        sender.start()
        assert received(line, 1) == b"x"
        assert time.monotonic() - began >= 0.5
        assert received(line, len(said) - 1) == said[1:]
        sender.join()
        assert time.monotonic() - began < 0.5 * len(said) / (1 << 16), "each piece waited for the one before"
        proxy.restore()
        assert answered(line, b"quick") == b"quick"


def test_cut_leaves_the_door_open(echo: int) -> None:
    with Proxy(echo) as proxy, connected(proxy) as line:
        assert answered(line, b"before") == b"before"
        proxy.cut()
        assert is_cut(line)
        with connected(proxy) as second:
            assert answered(second, b"after") == b"after"


def is_cut(line: socket.socket) -> bool:
    try:
        return line.recv(1) == b""
    except ConnectionResetError:
        return True


# -- ClickHouse -----------------------------------------------------------------------------------------------------------
@pytest.fixture
def table(clickhouse: ClickHouseServer, request: pytest.FixtureRequest) -> str:
    name = f"{request.node.name}"
    with Client("127.0.0.1", clickhouse.native_port) as client:
        client.execute(f"CREATE TABLE {name} (n UInt32) ENGINE = MergeTree ORDER BY n")
    return name


def rows(clickhouse: ClickHouseServer, table: str) -> list[int]:
    with Client("127.0.0.1", clickhouse.native_port) as client:
        return [n for (n,) in client.execute(f"SELECT n FROM {table} ORDER BY n")]


def insert(client: Client, table: str, *numbers: int) -> None:
    client.execute(f"INSERT INTO {table} (n) VALUES", [(n,) for n in numbers])


@pytest.mark.embedded
def test_a_lost_reply_is_of_rows_that_landed(clickhouse: ClickHouseServer, table: str) -> None:
    with ClickHouseProxy(clickhouse.native_port) as proxy, Client("127.0.0.1", proxy.port) as client:
        insert(client, table, 1)
        proxy.lose_replies(2)
        for n in (2, 3):
            with pytest.raises((errors.Error, EOFError, OSError)):
                insert(client, table, n)
            client.disconnect()
        insert(client, table, 4)
        assert rows(clickhouse, table) == [1, 2, 3, 4]
        assert (proxy.seen.inserts, proxy.seen.lost_replies, proxy.seen.tables[table]) == (2, 2, 2)


@pytest.mark.embedded
@pytest.mark.parametrize("is_new", [True, False])
def test_an_answer_is_an_exception_and_no_row(clickhouse: ClickHouseServer, is_new: bool) -> None:
    name = f"answers_{is_new}"
    with ClickHouseProxy(clickhouse.native_port) as proxy, Client("127.0.0.1", proxy.port) as client:
        client.execute(f"CREATE TABLE {name} (n UInt32) ENGINE = MergeTree ORDER BY n")
        proxy.answer(252, "TOO_MANY_PARTS", 2)
        for _ in range(2):
            with pytest.raises(errors.ServerException) as caught:
                insert(client, name, 1)
            assert caught.value.code == 252
            assert "TOO_MANY_PARTS" in str(caught.value)
            if is_new:
                client.disconnect()
        assert client.execute(f"SELECT count() FROM {name}") == [(0,)]
        insert(client, name, 2)
        assert rows(clickhouse, name) == [2]
        assert (proxy.seen.inserts, proxy.seen.answers) == (1, 2)


@pytest.mark.embedded
def test_answers_go_on_until_restored_and_questions_pass(clickhouse: ClickHouseServer, table: str) -> None:
    with ClickHouseProxy(clickhouse.native_port) as proxy, Client("127.0.0.1", proxy.port) as client:
        proxy.answer(241, "MEMORY_LIMIT_EXCEEDED")
        for _ in range(3):
            with pytest.raises(errors.ServerException):
                insert(client, table, 1)
            assert client.execute("SELECT 1") == [(1,)]
        proxy.restore()
        insert(client, table, 2)
        assert rows(clickhouse, table) == [2]
        assert proxy.seen.answers == 3


# -- Kafka ----------------------------------------------------------------------------------------------------------------
@pytest.mark.embedded
def test_clients_of_a_broker_use_the_port_that_it_advertises_and_answers_come_late(tmp_path: Path) -> None:
    with KafkaProxy() as proxy, Kafka(tmp_path, advertised=proxy.port) as kafka:
        proxy.target_port = kafka.port
        bootstrap = f"127.0.0.1:{proxy.port}"
        asyncio.run(send(bootstrap))
        before = proxy.seen.connections
        assert before >= 2, "the producer went past the proxy"

        proxy.delay_responses(lambda: 0.4, keys=(OFFSET_FETCH,))
        assert asyncio.run(committed(bootstrap)) == 1
        assert proxy.seen.delayed >= 1
        proxy.restore()
        delayed = proxy.seen.delayed
        asyncio.run(committed(bootstrap))
        assert proxy.seen.delayed == delayed


async def send(bootstrap: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic("late", 1, 1)])
    await admin.close()
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap)
    await producer.start()
    await producer.send_and_wait("late", b"value")
    await producer.stop()
    consumer = AIOKafkaConsumer("late", bootstrap_servers=bootstrap, group_id="late", auto_offset_reset="earliest")
    await consumer.start()
    await consumer.getone()
    await consumer.commit()
    await consumer.stop()


async def committed(bootstrap: str) -> int | None:
    """What the group has committed, as a consumer of it asks."""
    consumer = AIOKafkaConsumer("late", bootstrap_servers=bootstrap, group_id="late", auto_offset_reset="earliest")
    await consumer.start()
    offset: int | None = await consumer.committed(TopicPartition("late", 0))
    await consumer.stop()
    return offset
