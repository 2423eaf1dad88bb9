"""The HTTP door: for curl, clickhouse-connect, Grafana and whoever has no driver.

aiohttp speaks HTTP in one thread of its own; every request is worked on in another, because the engine's calls block. A client
that goes away ends its statement.
"""

import asyncio
import json
import logging
import socket
import threading
import uuid
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from aiohttp import web

from deploy.embedded import Unavailable
from deploy.embedded.clickhouse.access import READ_ONLY_CLASS, READONLY, UNKNOWN_CLASS, Access
from deploy.embedded.clickhouse.engine import Engine
from deploy.embedded.clickhouse.failure import Failure, refused
from deploy.embedded.clickhouse.http_exchange import Exchange, Gone, Receive, decoded, unframed
from deploy.embedded.clickhouse.http_insert import begun, rest_of, take_upload, upload_of
from deploy.embedded.clickhouse.http_request import Ask, ask_of, parameters_of
from deploy.embedded.clickhouse.http_result import Look, Question, send_result
from deploy.embedded.clickhouse.http_session import Sessions
from deploy.embedded.clickhouse.http_status import status_of
from deploy.embedded.clickhouse.reply import DISPLAY
from deploy.embedded.clickhouse.running import Running, Statement
from deploy.embedded.clickhouse.statement import format_of, is_set, is_use
from deploy.embedded.clickhouse.users import Users
from deploy.embedded.clickhouse.wire import ProtocolError
from deploy.embedded.port import HOST

WORKERS = 64
EXPIRE_EVERY_S = 1.0
SHUTDOWN_S = 1.0
INCORRECT_DATA = 117
HEADERS = {"X-ClickHouse-Server-Display-Name": DISPLAY, "X-ClickHouse-Timezone": "UTC"}
GREETING = "Ok.\n"

log = logging.getLogger(__name__)


class HttpDoor:
    """Listens on 127.0.0.1."""

    def __init__(self, port: int, engine: Engine, running: Running, users: Users) -> None:
        try:
            self._listener = socket.create_server((HOST, port))
        except OSError as error:
            raise Unavailable(f"port {port} for HTTP cannot be had: {error.strerror}") from error
        self.port = int(self._listener.getsockname()[1])
        self._version = engine.version
        self._running = running
        self._users = users
        self._sessions = Sessions(engine)
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="http")
        self._loop = asyncio.new_event_loop()
        self._stopped = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),), name="http", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, deadline_s: float) -> bool:
        """Ends all connections; False if some were still busy at the deadline."""
        self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join(deadline_s)
        if self._thread.is_alive():
            return False
        self._pool.shutdown()
        self._sessions.close()
        return True

    async def _serve(self) -> None:
        application = web.Application()
        application.router.add_get("/ping", greet)
        application.router.add_route("*", "/", self._handle)
        runner = web.AppRunner(application, handler_cancellation=True, shutdown_timeout=SHUTDOWN_S, access_log=None)
        await runner.setup()
        await web.SockSite(runner, self._listener).start()
        while not self._stopped.is_set():
            await self._in_thread(self._sessions.expire)
            await waited(self._stopped, EXPIRE_EVERY_S)
        await runner.cleanup()

    def _in_thread(self, work: Any, *arguments: Any) -> asyncio.Future[Any]:
        return asyncio.get_running_loop().run_in_executor(self._pool, work, *arguments)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        if request.method == "GET" and "query" not in request.query:
            return await greet(request)
        query_id = request.query.get("query_id") or str(uuid.uuid4())
        exchange = Exchange(request)
        with self._running.entered(query_id) as statement:
            work = self._in_thread(self._work, exchange, statement)
            try:
                await asyncio.shield(work)
            except asyncio.CancelledError:
                exchange.give_up()
                await self._in_thread(self._running.end, statement)
                await asyncio.wait([work])
                raise
        return exchange.response or web.Response()

    # ---- from here on in a thread of the request's own

    def _work(self, exchange: Exchange, statement: Statement) -> None:
        headers = {**HEADERS, "X-ClickHouse-Query-Id": statement.query_id}
        try:
            self._answer(exchange, statement, headers)
        except Gone:
            log.debug("client of %s is gone", statement.query_id)
        except (Failure, ProtocolError, EOFError) as error:
            failure = error if isinstance(error, Failure) else refused(INCORRECT_DATA, "INCORRECT_DATA", str(error))
            self._refuse(exchange, failure, headers)

    def _answer(self, exchange: Exchange, statement: Statement, headers: Mapping[str, str]) -> None:
        ask = ask_of(exchange.request)
        user = self._users.authenticate(ask.user, ask.password)
        with self._sessions.entered(user, ask.session) as access:
            access.session.use(ask.database)
            access.borrow(ask.settings, ask.settings.keys())
            self._run(exchange, ask, access, statement, headers)

    def _run(self, exchange: Exchange, ask: Ask, access: Access, statement: Statement, headers: Mapping[str, str]) -> None:
        receive, text, parameters = opened(exchange, ask)
        head = begun(text, receive)
        if upload := upload_of(head):
            admit(access, ask, f"INSERT INTO {upload.insert.table} VALUES")
            summary = take_upload(access.session, upload, receive, statement.mark, partial(self._running.end, statement))
            exchange.begin(200, {**headers, "X-ClickHouse-Summary": json.dumps(summary)})
            return
        sql = self._running.translated(rest_of(head, receive).strip())
        if admit(access, ask, sql):
            look = Look(format_of(sql) or ask.default_format, ask.revision, ask.compressed)
            send_result(exchange, access.session, Question(sql, statement, parameters), look, headers)
        else:
            exchange.begin(200, headers)

    def _refuse(self, exchange: Exchange, failure: Failure, headers: Mapping[str, str]) -> None:
        if exchange.response is not None:
            exchange.break_off()
            return
        status = status_of(failure.code)
        code = {"X-ClickHouse-Exception-Code": str(failure.code), "Content-Type": "text/plain; charset=UTF-8"}
        if status == web.HTTPUnauthorized.status_code:
            code["WWW-Authenticate"] = 'Basic realm="ClickHouse"'
        try:
            exchange.begin(status, {**headers, **code})
            exchange.send(f"{failure} (version {self._version})\n".encode())
        except Gone:
            log.debug("nobody left to tell %s", failure)


def opened(exchange: Exchange, ask: Ask) -> tuple[Receive, str, Mapping[str, str]]:
    """(the body, the text that stands before it, the query's parameters); a form's fields say the last two."""
    if not exchange.request.content_type.startswith("multipart/"):
        receive = decoded(exchange.receive, exchange.request.headers.get("Content-Encoding", ""))
        return (unframed(receive) if ask.decompress else receive), ask.sql, ask.parameters
    fields = {name: value.decode(errors="replace") for name, value in exchange.form().items()}
    return bytes, ask.sql or fields.get("query", ""), {**ask.parameters, **parameters_of(fields)}


def admit(access: Access, ask: Ask, sql: str) -> bool:
    """Failure for what the user may not do at all, or not with GET; then whether the engine has to run it still."""
    if ask.read_only and not (is_set(sql) or is_use(sql)):
        kind = access.session.classify(sql)["query_class"].name
        if kind not in (READ_ONLY_CLASS, UNKNOWN_CLASS):
            raise refused(READONLY, "READONLY", "Cannot execute query in readonly mode. For queries over HTTP, method GET implies readonly")
    return access.admit(sql)


async def greet(_: web.Request) -> web.Response:
    return web.Response(text=GREETING, headers=HEADERS)


async def waited(event: asyncio.Event, seconds: float) -> None:
    """Until the event, or for so long."""
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return
