"""Inserts name their columns: the order of a table's columns may change, and no value lands in another one."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PRODUCT = ("events", "projections", "sinks", "streams", "deploy")
INSERTED = re.compile(r"INSERT (?:OR REPLACE )?INTO ([\w{}.]+)(.?.?)")
PASSED_ON = {("deploy/embedded/clickhouse/statement.py", "{self.table}")}
"""The text of a client."""


def test_every_insert_names_its_columns() -> None:
    files = [path for folder in PRODUCT for ending in ("py", "sql") for path in (ROOT / folder).rglob(f"*.{ending}")]
    found = [(str(path.relative_to(ROOT)), *match) for path in files for match in INSERTED.findall(path.read_text("utf-8"))]
    assert len(found) > 5
    assert {(path, table) for path, table, rest in found if rest != " ("} == PASSED_ON
