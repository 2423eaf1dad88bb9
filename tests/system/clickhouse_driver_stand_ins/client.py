"""Stands in for the program clickhouse-client, as far as the suite calls it: one query, its result as tab-separated text."""

import argparse
import sys
import urllib.error
import urllib.parse
import urllib.request


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("database", "host", "port", "query", "http-port"):
        parser.add_argument(f"--{name}", required=True)
    given, others = parser.parse_known_args()
    settings = {name.removeprefix("--"): value for name, value in zip(others[::2], others[1::2], strict=True)}
    parameters = urllib.parse.urlencode({"database": given.database, **settings})
    url = f"http://{given.host}:{given.http_port}/?{parameters}"
    try:
        with urllib.request.urlopen(url, given.query.encode()) as answer:
            sys.stdout.buffer.write(answer.read())
    except urllib.error.HTTPError as error:
        sys.exit(error.read().decode())


main()
