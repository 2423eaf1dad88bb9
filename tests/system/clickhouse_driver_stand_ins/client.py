"""Stands in for the program clickhouse-client, as far as the suite calls it: one query, its result as tab-separated text."""

import argparse
import sys

from clickhouse_driver import Client
from clickhouse_driver.errors import ServerException


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("database", "host", "port", "query"):
        parser.add_argument(f"--{name}", required=True)
    given, others = parser.parse_known_args()
    settings = {name.removeprefix("--"): value for name, value in zip(others[::2], others[1::2], strict=True)}
    query = f"SELECT formatRow('TSV', *) FROM ({given.query})" if given.query.lstrip().upper().startswith("SELECT") else given.query
    try:
        with Client(given.host, port=int(given.port), database=given.database, settings=settings) as client:
            sys.stdout.write("".join(row for (row,) in client.execute_iter(query)))
    except ServerException as error:
        sys.exit(str(error))


main()
