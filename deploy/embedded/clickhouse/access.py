"""What a user may do in a session. The engine has one user; readers are held back here.

Two locks stand one behind the other. The engine's own `readonly = 1` refuses every writing statement, temporary table and
foreign source. What it lets through (scalar `file`, INTO OUTFILE, KILL, DESCRIBE of a foreign source) the door refuses, on
the engine's own reading of the statement and on its tokens. As `readonly = 1` refuses settings too, a reader's session is
made anew, with its settings first and the lock last, whenever harmless settings change.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Protocol

from deploy.embedded.clickhouse.engine import Engine
from deploy.embedded.clickhouse.failure import Failure, refused
from deploy.embedded.clickhouse.session import SYNTAX_ERROR, Session
from deploy.embedded.clickhouse.statement import assignments_of, is_insert, is_set, is_use
from deploy.embedded.clickhouse.token import called_names
from deploy.embedded.clickhouse.users import User

READONLY = 164
ACCESS_DENIED = 497
READ_ONLY_CLASS, UNKNOWN_CLASS = "READ_ONLY", "UNKNOWN"
# Table functions that make up rows or read what the user may read anyway; every other one reaches outside the database.
HARMLESS_FUNCTIONS = frozenset(
    "cluster dictionary format fuzzJSON generateRandom generateSeries generate_series input loop merge mergeTreeIndex mergeTreeProjection "
    "null numbers numbers_mt primes values view viewExplain viewIfPermitted zeros zeros_mt".lower().split()
)
FOREIGN_FUNCTIONS = frozenset({"file", "python"})
HARMLESS_SETTING = re.compile(
    r"max_(execution_time|threads|block_size|result_rows|result_bytes|rows_to_read|bytes_to_read|query_size|ast_\w+|final_threads)"
    r"|(result|timeout|read)_overflow_mode|output_format_\w+|format_\w+|date_time_\w+|session_timezone|final|extremes|join_use_nulls"
    r"|do_not_merge_across_partitions_select_final|use_query_cache|log_\w+|send_\w+|wait_end_of_query|http_\w+|enable_http_compression"
    r"|connect_timeout\w*|\w+_timeout|interactive_delay|priority|cancel_http_readonly_queries_on_client_close|add_http_cors_header"
    r"|strings_as_\w+|optimize_\w+|prefer_\w+|any_join_\w+|joined_\w+|group_by_\w+|allow_experimental_(analyzer|json_type|object_type)"
)


class Access(Protocol):
    """A user's session. `admit` raises Failure for what the user may not do, and says whether the engine has to run it still."""

    session: Session

    def borrow(self, settings: Mapping[str, str], important: Collection[str] = ()) -> None: ...
    def admit(self, sql: str) -> bool: ...
    def close(self) -> None: ...


def access_of(user: User, engine: Engine) -> Access:
    return ReadAccess(engine) if user.readonly else FullAccess(engine)


class FullAccess:
    """Everything, one statement at a time."""

    def __init__(self, engine: Engine) -> None:
        self.session = engine.session()

    def borrow(self, settings: Mapping[str, str], important: Collection[str] = ()) -> None:
        self.session.borrow(settings, important)

    def admit(self, sql: str) -> bool:
        refuse_empty(sql)
        if not is_insert(sql):
            self.session.check_single(sql)
        return True

    def close(self) -> None:
        self.session.close()


class ReadAccess:
    """Reading, and settings that only change how results look or when to give up."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._settings: dict[str, str] = {}
        self._own: dict[str, str] = {}
        self.session = engine.session()
        self._locked(self.session)

    def borrow(self, settings: Mapping[str, str], important: Collection[str] = ()) -> None:
        self._remake({**self._own, **harmless(settings)}, important)

    def admit(self, sql: str) -> bool:
        refuse_empty(sql)
        if is_set(sql):
            self._own.update(harmless(set_settings(sql)))
            self._remake(dict(self._own))
            return False
        judged = self.session.classify(sql)
        kind = judged["query_class"].name
        if kind not in (READ_ONLY_CLASS, UNKNOWN_CLASS) and not is_use(sql):
            raise refused(READONLY, "READONLY", "Cannot execute query in readonly mode")
        if judged["statement_count"] > 1:
            self.session.check_single(sql)
        refuse_foreign(sql, self._engine.table_functions)
        return True

    def close(self) -> None:
        self.session.close()

    def _remake(self, settings: dict[str, str], important: Collection[str] = ()) -> None:
        if settings == self._settings:
            return
        ((database,),) = self.session.rows("SELECT currentDatabase()")
        session = self._engine.session()
        try:
            session.use(database)
            session.borrow(settings, important)
            self._locked(session)
        except Failure:
            session.close()
            raise
        self.session.close()
        self.session, self._settings = session, settings

    @staticmethod
    def _locked(session: Session) -> None:
        session.query("SET readonly = 1")


def refuse_empty(sql: str) -> None:
    if not sql.strip().strip(";"):
        raise refused(SYNTAX_ERROR, "SYNTAX_ERROR", "Syntax error: Empty query")


def harmless(settings: Mapping[str, str]) -> dict[str, str]:
    """The settings themselves; Failure 164 if one of them is more than a matter of looks or patience."""
    for name in settings:
        if name != "readonly" and not HARMLESS_SETTING.fullmatch(name):
            raise refused(READONLY, "READONLY", f"Cannot modify '{name}' setting in readonly mode")
    if settings.get("readonly", "1") == "0":
        raise refused(READONLY, "READONLY", "Cannot modify 'readonly' setting in readonly mode")
    return {name: value for name, value in settings.items() if name != "readonly"}


def set_settings(sql: str) -> dict[str, str]:
    settings = assignments_of(sql)
    if settings is None:
        raise refused(READONLY, "READONLY", "Only SET name = value is allowed in readonly mode")
    return settings


def refuse_foreign(sql: str, table_functions: Iterable[str]) -> None:
    """Failure 497 if the statement calls a function that reads files, other servers or the door's own process."""
    foreign = FOREIGN_FUNCTIONS.union(table_functions) - HARMLESS_FUNCTIONS
    for name in called_names(sql):
        if name in foreign:
            raise refused(ACCESS_DENIED, "ACCESS_DENIED", f"Not enough privileges. Readers may not use the function {name}")
