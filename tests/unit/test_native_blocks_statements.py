"""What the door reads from SQL texts itself: inserts that want data, formats, settings, functions called."""

import pytest

from deploy.embedded.clickhouse.statement import assignments_of, format_of, insert_of, is_streamed, quoted, unquoted, without_format
from deploy.embedded.clickhouse.token import called_names


@pytest.mark.parametrize(
    ("sql", "table", "columns"),
    [
        ("INSERT INTO t VALUES", "t", ""),
        ("insert into db.t (a, b) values ", "db.t", "(a, b)"),
        ("/* x */ INSERT /* y */ INTO TABLE `d b`.`t` (`a`) FORMAT Native", "`d b`.`t`", "(`a`)"),
        ("-- why\nINSERT INTO t (* EXCEPT(b)) SETTINGS async_insert = 0 VALUES;", "t", "(* EXCEPT(b))"),
        ("INSERT INTO t", "t", ""),
    ],
)
def test_inserts_that_want_data(sql: str, table: str, columns: str) -> None:
    insert = insert_of(sql)
    assert insert is not None
    assert (insert.table, insert.columns) == (table, columns)


@pytest.mark.parametrize("sql", ["INSERT INTO t VALUES (1)", "INSERT INTO t SELECT 1", "SELECT 1", "-- INSERT INTO t VALUES\nSELECT 1", ""])
def test_statements_that_bring_their_data_or_need_none(sql: str) -> None:
    assert insert_of(sql) is None


@pytest.mark.parametrize("sql", ["SELECT 1", " (SELECT 1)", "/* a */ WITH 1 AS a SELECT a", "-- a\nFROM t SELECT 1", "# a\nselect 1"])
def test_results_that_stream(sql: str) -> None:
    assert is_streamed(sql)


@pytest.mark.parametrize("sql", ["SHOW TABLES", "INSERT INTO t SELECT 1", "SELECTED", ""])
def test_results_that_do_not(sql: str) -> None:
    assert not is_streamed(sql)


def test_the_format_and_the_rest() -> None:
    assert format_of("SELECT 1 FORMAT JSON;") == "JSON"
    assert format_of("SELECT 1 FORMAT JSON SETTINGS a = 1") == "JSON"
    assert format_of("SELECT 'x FORMAT y'") is None
    assert without_format("SELECT 1 FORMAT JSON ;") == "SELECT 1"
    assert without_format("SELECT 1 FORMAT JSON SETTINGS a = 1") == "SELECT 1 SETTINGS a = 1"
    assert without_format("SELECT 1") == "SELECT 1"


def test_settings_of_a_set() -> None:
    assert assignments_of("SET a = 1, /* b = 2, */ c = 'it\\'s' ;") == {"a": "1", "c": "it's"}
    assert assignments_of("SET a = DEFAULT, b = 1 + 1") is None
    assert assignments_of("SELECT 1") is None


@pytest.mark.parametrize("text", ["", "it's", "\\", "a\\'b", "ä\n"])
def test_quoting_comes_back(text: str) -> None:
    assert unquoted(quoted(text)) == text


@pytest.mark.parametrize(
    ("sql", "names"),
    [
        ("SELECT file('x')", ["file"]),
        ("SELECT FILE /* ( */ -- (\n ('x')", ["file"]),
        ('SELECT `fi\\x6ce`("a"), "f" (1)', ["file", "f"]),
        ("SELECT 'file(1)', file, \"x(\" -- file(\n/* file( */", []),
        ("SELECT $$ file( $$, $t$ url( $t$, g($a$ ( $a$)", ["g"]),
        ("SELECT 'it''s', 'a\\'', h(1)", ["h"]),
        ("SELECT a IN (1), count()", ["in", "count"]),
    ],
)
def test_functions_called(sql: str, names: list[str]) -> None:
    assert list(called_names(sql)) == names
