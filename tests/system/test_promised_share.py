"""The promised share of the directory is what SQL answers for each district, listed or not."""

from typing import TYPE_CHECKING

import pytest

from events.directory import Directory
from sinks.clickhouse import overview
from sinks.clickhouse.directory import write_directory
from sinks.clickhouse.migration import migrate
from streams.settings import Settings
from streams.warehouse import clickhouse_of

if TYPE_CHECKING:
    from deploy.embedded.clickhouse import ClickHouseServer

pytestmark = [pytest.mark.embedded, pytest.mark.timeout(120)]

FILE = "revision: {revision}\nzone: America/Chicago\nhours: {{monday: 08:00-16:00}}\n{rest}"


def test_the_indicators_say_it_as_the_newest_directory_does(clickhouse: "ClickHouseServer") -> None:
    server = clickhouse_of(Settings(clickhouse_port=clickhouse.native_port, clickhouse_database="promised_share"))
    migrate(server)
    districts = ("lakeside", "nowhere", "riverside")
    with server.connect() as client:
        client.execute(
            "INSERT INTO windows (district, scope, window, as_of, contact_n, version) "
            f"SELECT arrayJoin({list(districts)}), 'district', '24h', now(), 1, 1"
        )

        def told() -> list[float | None]:
            return [overview.cells(client, district, "24h")[0]["promised_share"] for district in districts]

        assert told() == [None, None, None], "nobody has said anything yet"
        for revision, rest, expected in (
            (1, "", [0.9, 0.9, 0.9]),
            (2, "promised_share: 0.8\ndistricts: {riverside: {promised_share: 0.95}, lakeside: {}}\n", [0.8, 0.8, 0.95]),
            (3, "districts: {riverside: {}}\n", [0.9, 0.9, 0.9]),
        ):
            write_directory(client, Directory.parse(FILE.format(revision=revision, rest=rest)))
            assert told() == expected
