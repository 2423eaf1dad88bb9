"""What the door reads from SQL texts itself: inserts that want data, results that stream, formats."""

import pytest

from deploy.embedded.clickhouse.statement import insert_of, is_streamed, quoted, without_format


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


def test_a_statement_without_its_format() -> None:
    assert without_format("SELECT 'x FORMAT y'") == "SELECT 'x FORMAT y'"
    assert without_format("SELECT 1 FORMAT JSON ;") == "SELECT 1"
    assert without_format("SELECT 1 FORMAT JSON SETTINGS a = 1") == "SELECT 1 SETTINGS a = 1"
    assert without_format("SELECT 1") == "SELECT 1"


@pytest.mark.parametrize(("text", "literal"), [("", "''"), ("it's", r"'it\'s'"), ("\\", r"'\\'"), ("a\\'b", r"'a\\\'b'"), ("ä\n", "'ä\n'")])
def test_a_value_is_quoted_as_a_literal(text: str, literal: str) -> None:
    assert quoted(text) == literal
