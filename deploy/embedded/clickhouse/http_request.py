"""What an HTTP request asks for: who, what, with which settings, and how the answer shall look.

The query is in the URL, in the body, or begins in the URL and goes on in the body; settings are every other URL parameter.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from aiohttp import BasicAuth, web

from deploy.embedded.clickhouse.failure import refused
from deploy.embedded.clickhouse.http_session import Wanted

OWN_PARAMETERS = frozenset(
    {
        "query",
        "database",
        "default_format",
        "user",
        "password",
        "query_id",
        "session_id",
        "session_timeout",
        "session_check",
        "compress",
        "decompress",
        "client_protocol_version",
        "quota_key",
        "role",
        "stacktrace",
        "buffer_size",
        "close_session",
        "wait_end_of_query",
    }
)
REQUIRED_PASSWORD = 194
PARAMETER = "param_"


@dataclass(frozen=True, slots=True)
class Ask:
    """One request, read as far as its head. `read_only`: a GET may not change anything."""

    user: str
    password: str = field(repr=False)
    anonymous: bool
    session: Wanted
    query_id: str
    sql: str
    database: str
    default_format: str
    settings: dict[str, str]
    parameters: dict[str, str]
    revision: int
    compressed: bool
    decompress: bool
    read_only: bool


def ask_of(request: web.Request) -> Ask:
    """Reads URL and headers; Failure if they contradict each other or are not well formed."""
    query = request.query
    user, password, anonymous = credentials_of(request.headers, query)
    return Ask(
        user=user,
        password=password,
        anonymous=anonymous,
        session=Wanted(query.get("session_id", ""), query.get("session_timeout", ""), query.get("session_check") == "1"),
        query_id=query.get("query_id", ""),
        sql=query.get("query", ""),
        database=request.headers.get("X-ClickHouse-Database") or query.get("database", ""),
        default_format=query.get("default_format") or request.headers.get("X-ClickHouse-Format") or "TabSeparated",
        settings={name: value for name, value in query.items() if name not in OWN_PARAMETERS and not name.startswith(PARAMETER)},
        parameters=parameters_of(query),
        revision=number_of(query.get("client_protocol_version", "0")),
        compressed=query.get("compress") == "1",
        decompress=query.get("decompress") == "1",
        read_only=request.method == "GET",
    )


def parameters_of(fields: Mapping[str, str]) -> dict[str, str]:
    """The values of {name:Type} in the query."""
    return {name.removeprefix(PARAMETER): value for name, value in fields.items() if name.startswith(PARAMETER)}


def credentials_of(headers: Mapping[str, str], query: Mapping[str, str]) -> tuple[str, str, bool]:
    """(user, password, were none given): basic auth, else ClickHouse's own headers, else the URL."""
    authorization = headers.get("Authorization", "")
    if authorization.lower().startswith("basic"):
        try:
            given = BasicAuth.decode(authorization, encoding="utf-8")
        except ValueError as error:
            raise refused(REQUIRED_PASSWORD, "REQUIRED_PASSWORD", f"Authorization header is not valid: {error}") from error
        return given.login, given.password, False
    user = headers.get("X-ClickHouse-User", query.get("user"))
    password = headers.get("X-ClickHouse-Key", query.get("password"))
    return user or "default", password or "", user is None and password is None


def number_of(text: str) -> int:
    return int(text) if text.isdecimal() else 0
