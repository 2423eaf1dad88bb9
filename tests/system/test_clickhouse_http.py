"""The HTTP door: what curl, clickhouse-connect and Grafana say to a ClickHouse server, and what they hear."""

import gzip
import json
import os
import socket
import time
import urllib.error
import urllib.parse
import urllib.request
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO

import clickhouse_connect
import pandas as pd
import pyarrow.parquet
import pytest
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError
from clickhouse_driver import Client as NativeClient

from deploy.embedded.clickhouse import ClickHouseServer, User

pytestmark = pytest.mark.embedded

MEGABYTE = 1 << 20
SECRET, ODD = "secret", "pass:wörd"  # of users that live as long as a test


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouseServer]:
    users = (User("default"), User("writer", ODD), User("reader", SECRET, readonly=True))
    with ClickHouseServer(tmp_path_factory.mktemp("clickhouse") / "data", users=users) as running:
        yield running


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes
    headers: dict[str, str]

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def code(self) -> str | None:
        return self.headers.get("X-ClickHouse-Exception-Code")


Ask = Callable[..., Answer]


@pytest.fixture
def ask(server: ClickHouseServer) -> Ask:
    def asked(body: bytes | str | None = None, *, path: str = "/", headers: dict[str, str] | None = None, **parameters: object) -> Answer:
        data = body.encode() if isinstance(body, str) else body
        url = f"http://127.0.0.1:{server.http_port}{path}?{urllib.parse.urlencode(parameters)}"
        request = urllib.request.Request(url, data, headers or {})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - the URL begins with http
                return Answer(answer.status, answer.read(), dict(answer.headers))
        except urllib.error.HTTPError as error:
            return Answer(error.code, error.read(), dict(error.headers))

    return asked


@pytest.fixture
def table(ask: Ask) -> str:
    ask("DROP TABLE IF EXISTS trial")
    assert ask("CREATE TABLE trial (a UInt64, b String DEFAULT concat('b', toString(a))) ENGINE = MergeTree ORDER BY a").status == 200
    return "trial"


def basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + b64encode(f"{user}:{password}".encode()).decode()}


def until(condition: Callable[[], object], within_s: float = 20.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come about"
        time.sleep(0.02)


# ---- queries


def test_ping_and_greeting(ask: Ask) -> None:
    assert ask(path="/ping").text == "Ok.\n"
    assert ask().text == "Ok.\n"


def test_the_query_is_in_the_url_or_in_the_body_or_in_both(ask: Ask) -> None:
    assert ask(query="SELECT 1").text == "1\n"
    assert ask("SELECT 2").text == "2\n"
    assert ask(" + 1", query="SELECT 2").text == "3\n"


def test_parameters_and_settings(ask: Ask) -> None:
    answer = ask(query="SELECT {n:UInt8} + 1, {s:String}", param_n=4, param_s="it's")
    assert answer.text == "5\tit\\'s\n"
    assert ask(query="SELECT getSetting('max_block_size')", max_block_size=77).text == "77\n"
    assert ask(query="SELECT 1", no_such_setting=1).code == "115"


@pytest.mark.parametrize(
    "result_format",
    ["JSON", "JSONCompact", "JSONEachRow", "CSVWithNames", "TabSeparatedWithNamesAndTypes", "Parquet", "CSVWithNamesAndTypes"],
)
@pytest.mark.parametrize("rows", [0, 3, 100_000])
def test_every_format_is_whole(ask: Ask, result_format: str, rows: int) -> None:
    query = f"SELECT number, toString(number) AS s FROM numbers({rows})"
    in_query, by_default = ask(f"{query} FORMAT {result_format}"), ask(query, default_format=result_format)
    assert in_query.status == by_default.status == 200
    assert in_query.headers["X-ClickHouse-Format"] == result_format
    assert count(result_format, in_query.body) == count(result_format, by_default.body) == rows


def count(result_format: str, body: bytes) -> int:
    if result_format in ("JSON", "JSONCompact"):
        return len(json.loads(body)["data"])
    if result_format == "Parquet":
        return int(pyarrow.parquet.read_table(BytesIO(body)).num_rows)
    heads = {"CSVWithNames": 1, "CSVWithNamesAndTypes": 2, "TabSeparatedWithNamesAndTypes": 2, "JSONEachRow": 0}
    return len(body.decode().splitlines()) - heads[result_format]


def test_the_headers_that_clients_read(ask: Ask) -> None:
    answer = ask(query="SELECT 1 FORMAT JSON", query_id="mine")
    assert answer.headers["X-ClickHouse-Query-Id"] == "mine"
    assert answer.headers["X-ClickHouse-Timezone"] == "UTC"
    assert "read_rows" in json.loads(answer.headers["X-ClickHouse-Summary"])
    assert answer.headers["Content-Type"].startswith("application/json")


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("SELEC 1", 400, "62"),
        ("SELECT * FROM nowhere", 404, "60"),
        ("SELECT 1 FORMAT NoSuchFormat", 404, "73"),
        ("SELECT throwIf(1)", 500, "395"),
        ("SELECT 1; SELECT 2", 400, "62"),
        ("INSERT INTO nowhere FORMAT CSV\n1", 404, "60"),
        ("", 400, "62"),
    ],
)
def test_errors_have_code_and_status(ask: Ask, query: str, status: int, code: str) -> None:
    answer = ask(query)
    assert (answer.status, answer.code) == (status, code)
    assert answer.text.startswith(f"Code: {code}. DB::Exception: ")


def test_an_error_in_the_middle_breaks_the_answer_off(server: ClickHouseServer) -> None:
    query = urllib.parse.quote("SELECT throwIf(number = 900000, 'too far') FROM numbers(1000000) SETTINGS max_threads = 1")
    with socket.create_connection(("127.0.0.1", server.http_port)) as sock:
        sock.sendall(f"GET /?query={query} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        sock.settimeout(60)
        received = b""
        try:
            while piece := sock.recv(1 << 16):
                received += piece
        except ConnectionError:
            pass
    assert not received.endswith(b"0\r\n\r\n")
    assert b"200 OK" not in received or b"too far" in received[-4096:] or received.count(b"\n") < 900_000


# ---- users


@pytest.mark.parametrize(("user", "password"), [("nobody", ""), ("writer", ""), ("writer", "x"), ("reader", "SECRET")])
def test_strangers_stay_outside(ask: Ask, user: str, password: str) -> None:
    answers = [ask("SELECT 1", headers=basic(user, password)), ask("SELECT 1", user=user, password=password)]
    answers.append(ask("SELECT 1", headers={"X-ClickHouse-User": user, "X-ClickHouse-Key": password}))
    assert [(answer.status, answer.code) for answer in answers] == [(403, "516")] * 3


def test_broken_credentials_are_refused(ask: Ask) -> None:
    assert ask("SELECT 1", headers={"Authorization": "Basic %%%"}).status == 401


def test_users_come_in_by_every_way(ask: Ask) -> None:
    assert ask("SELECT 1", headers=basic("writer", ODD)).text == "1\n"
    assert ask("SELECT 1", user="writer", password=ODD).text == "1\n"


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("DROP TABLE trial", "164"),
        ("INSERT INTO trial (a) VALUES (1)", "164"),
        ("INSERT INTO trial FORMAT CSV\n1,2", "164"),
        ("SELECT file('/etc/hostname')", "497"),
    ],
)
def test_a_reader_only_reads(ask: Ask, table: str, query: str, code: str) -> None:
    assert ask(query, user="reader", password=SECRET).code == code
    assert ask(f"SELECT count() FROM {table} FORMAT JSONEachRow", user="reader", password=SECRET).text == '{"count()":0}\n'
    assert ask(f"SELECT count() FROM {table} FORMAT JSON", user="reader", password=SECRET).status == 200


def test_get_changes_nothing(ask: Ask, table: str) -> None:
    assert ask(query=f"DROP TABLE {table}").code == "164"
    assert ask(query=f"INSERT INTO {table} (a) VALUES (1)").code == "164"
    assert ask(f"EXISTS {table}").text == "1\n"


# ---- inserts


@pytest.mark.parametrize(
    ("head", "data"),
    [
        ("FORMAT CSV", '1,"x"\n2,"y"\n'),
        ("FORMAT JSONEachRow", '{"a": 1, "b": "x"}\n{"a": 2, "b": "y"}\n'),
        ("VALUES", "(1, 'x'), (2, 'y');"),
        ("(a, b) FORMAT TabSeparated", "1\tx\n2\ty\n"),
        ("SETTINGS max_insert_block_size = 1 FORMAT CSV", "1,x\n2,y\n"),
    ],
)
def test_rows_in_any_format(ask: Ask, table: str, head: str, data: str) -> None:
    sql = f"INSERT INTO {table} {head}"
    ask(f"{sql}\n{data}")
    assert ask(f"SELECT * FROM {table} ORDER BY a").text == "1\tx\n2\ty\n"
    answer = ask(data, query=sql)
    assert json.loads(answer.headers["X-ClickHouse-Summary"])["written_rows"] == "2"
    assert ask(f"SELECT count() FROM {table}").text == "4\n"


def test_columns_left_out_take_their_defaults(ask: Ask, table: str) -> None:
    ask(f'INSERT INTO {table} FORMAT JSONEachRow {{"a": 5}}')
    assert ask(f"SELECT b FROM {table}").text == "b5\n"


def test_rows_that_do_not_fit_are_refused(ask: Ask, table: str) -> None:
    assert ask(f"INSERT INTO {table} FORMAT CSV\nnot a number,1\n").code in ("27", "72")
    assert ask(f"SELECT count() FROM {table}").text == "0\n"


def test_compressed_bodies(ask: Ask, table: str) -> None:
    answer = ask(gzip.compress(b"1,x\n2,y\n"), query=f"INSERT INTO {table} FORMAT CSV", headers={"Content-Encoding": "gzip"})
    assert answer.status == 200
    assert ask(f"SELECT count() FROM {table}").text == "2\n"


@pytest.mark.parametrize("encoding", ["gzip", "zstd", "lz4", "deflate", "unheard-of"])
def test_bodies_that_are_not_what_they_say_are_refused(ask: Ask, table: str, encoding: str) -> None:
    answer = ask(b"1,x\n2,y\n", query=f"INSERT INTO {table} FORMAT CSV", headers={"Content-Encoding": encoding})
    assert answer.code in ("48", "117")
    assert ask(f"SELECT count() FROM {table}").text == "0\n"


@pytest.mark.parametrize("text", [b"\x04\x22M\x18", b"\xff\xfe\x00", b"\x00"])
def test_a_text_that_is_no_statement_is_refused(ask: Ask, text: bytes) -> None:
    assert ask(text).code == "62"


def test_a_huge_body_passes_in_pieces(server: ClickHouseServer, ask: Ask, table: str) -> None:
    before, rows = server.resident_bytes(), 200_000
    body = b"".join(b"%d,%s\n" % (n, b"x" * 500) for n in range(rows))
    assert ask(body, query=f"INSERT INTO {table} FORMAT CSV").status == 200
    assert ask(f"SELECT count() FROM {table}").text == f"{rows}\n"
    assert server.resident_bytes() < before + 300 * MEGABYTE


def test_a_query_longer_than_anyone_writes_is_refused(ask: Ask) -> None:
    assert ask(b"SELECT 1 -- " + b"x" * (65 * MEGABYTE)).code == "62"
    assert ask("SELECT 1").text == "1\n"


def test_a_body_cut_off_leaves_nothing(server: ClickHouseServer, ask: Ask, table: str) -> None:
    running = "SELECT count() FROM system.processes WHERE query LIKE '%:cut*/%' AND query NOT LIKE '%system.processes%'"
    query = urllib.parse.quote(f"INSERT INTO {table} FORMAT CSV")
    with socket.create_connection(("127.0.0.1", server.http_port)) as sock:
        head = f"POST /?query={query}&query_id=cut HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n"
        sock.sendall(head.encode() + b"1,one\n" * 20_000 + b"2,tw")
        until(lambda: ask(running).text == "1\n")
    until(lambda: ask(running).text == "0\n")
    assert ask(f"SELECT count() FROM {table}").text == "0\n"


@pytest.mark.parametrize(
    "said", [b"\x00\x01\x02" * 100, b"GET\r\n\r\n", b"POST / HTTP/1.1\r\nContent-Length: -5\r\n\r\n", os.urandom(4096)]
)
def test_garbage_harms_nobody(server: ClickHouseServer, ask: Ask, said: bytes) -> None:
    with socket.create_connection(("127.0.0.1", server.http_port)) as sock:
        sock.sendall(said)
        sock.shutdown(socket.SHUT_WR)
    assert ask("SELECT 1").text == "1\n"


def test_a_client_that_goes_ends_its_query(server: ClickHouseServer, ask: Ask) -> None:
    running = "SELECT count() FROM system.processes WHERE query LIKE '%:leaver*/%' AND query NOT LIKE '%system.processes%'"
    query = urllib.parse.quote("SELECT sleepEachRow(1) FROM numbers(600) SETTINGS max_block_size = 1")
    with socket.create_connection(("127.0.0.1", server.http_port)) as sock:
        sock.sendall(f"GET /?query_id=leaver&query={query} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        until(lambda: ask(running).text == "1\n")
    until(lambda: ask(running).text == "0\n")


# ---- sessions


def test_a_session_keeps_settings_and_tables_for_its_time(ask: Ask) -> None:
    assert ask("CREATE TEMPORARY TABLE mine (a UInt8)", session_id="s1").status == 200
    assert ask("SET max_threads = 3", session_id="s1").status == 200
    assert ask("SELECT count(), getSetting('max_threads') FROM mine", session_id="s1").text == "0\t3\n"
    assert ask("SELECT * FROM mine").code == "60"
    assert ask("SELECT * FROM mine", session_id="s1", user="writer", password=ODD).code == "60"


def test_a_session_expires(ask: Ask) -> None:
    ask("SELECT 1", session_id="short", session_timeout=0)
    until(lambda: ask("SELECT 1", session_id="short", session_timeout=0, session_check=1).code == "372")
    assert ask("SELECT 1", session_id="x", session_timeout="soon").code == "374"


def test_a_session_serves_one_request_at_a_time(server: ClickHouseServer, ask: Ask) -> None:
    query = urllib.parse.quote("SELECT sleepEachRow(1) FROM numbers(600) SETTINGS max_block_size = 1")
    with socket.create_connection(("127.0.0.1", server.http_port)) as sock:
        sock.sendall(f"GET /?session_id=one&query={query} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        until(lambda: ask("SELECT 1", session_id="one", session_check=1).code == "373")
    until(lambda: ask("SELECT 1", session_id="one").text == "1\n")


# ---- clickhouse-connect


@pytest.fixture
def client(server: ClickHouseServer) -> Iterator[Client]:
    made = clickhouse_connect.get_client(host="127.0.0.1", port=server.http_port)
    yield made
    made.close()


@pytest.mark.parametrize("compress", [False, "lz4", "zstd", "gzip"])
def test_connect_inserts_and_queries(server: ClickHouseServer, table: str, compress: str | bool) -> None:
    client = clickhouse_connect.get_client(host="127.0.0.1", port=server.http_port, compress=compress)
    client.insert(table, [[n, f"v{n}"] for n in range(1000)], column_names=["a", "b"])
    result = client.query("SELECT a, b FROM {t:Identifier} WHERE a >= {least:UInt64} ORDER BY a", parameters={"t": table, "least": 998})
    assert result.result_rows == [(998, "v998"), (999, "v999")]
    assert result.column_names == ("a", "b")
    client.close()


def test_connect_knows_empty_results(client: Client, table: str) -> None:
    result = client.query(f"SELECT * FROM {table}")
    assert result.result_rows == []
    assert result.column_names == ("a", "b")


def test_connect_carries_data_frames(client: Client, table: str) -> None:
    client.insert_df(table, pd.DataFrame({"a": range(5), "b": list("abcde")}))
    frame = client.query_df(f"SELECT * FROM {table} ORDER BY a")
    assert frame["a"].tolist() == [0, 1, 2, 3, 4]
    assert frame["b"].tolist() == list("abcde")
    assert client.query_arrow(f"SELECT * FROM {table}").num_rows == 5


def test_connect_streams(client: Client) -> None:
    with client.query_row_block_stream("SELECT number FROM numbers(300000)", settings={"max_block_size": 10_000}) as blocks:
        assert sum(len(block) for block in blocks) == 300_000


def test_connect_commands_and_errors(client: Client, table: str) -> None:
    assert client.command(f"SELECT count() FROM {table}") == 0
    assert client.ping()
    with pytest.raises(DatabaseError, match="Code: 60"):
        client.query("SELECT * FROM nowhere")
    with pytest.raises(DatabaseError, match="Code: 516"):
        clickhouse_connect.get_client(host="127.0.0.1", port=int(client.url.rsplit(":", 1)[1]), username="writer", password=SECRET)


def test_connect_as_a_reader(server: ClickHouseServer, table: str) -> None:
    reader = clickhouse_connect.get_client(host="127.0.0.1", port=server.http_port, username="reader", password=SECRET)
    assert reader.query(f"SELECT count() FROM {table}").result_rows == [(0,)]
    with pytest.raises(DatabaseError, match="Code: 164"):
        reader.insert(table, [[1, "x"]], column_names=["a", "b"])
    reader.close()


def test_both_doors_open_on_the_same_data(server: ClickHouseServer, ask: Ask, table: str) -> None:
    with NativeClient("127.0.0.1", port=server.native_port) as native:
        native.execute(f"INSERT INTO {table} VALUES", [(7, "native")])
    assert ask(f"SELECT * FROM {table}").text == "7\tnative\n"
