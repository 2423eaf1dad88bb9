"""`frontdesk migrate`: tables, views and topics for servers that somebody else runs."""

# ruff: noqa: PLC0415 - so that --help is instant

from streams.terminal.options import Folder


def migrate(folder: Folder = None) -> None:
    """Bring the tables and views in ClickHouse and the topics in Kafka up to date.

    Run it after each update of Frontdesk. What is up to date is left alone; nothing is ever deleted. `frontdesk up` does the same.
    """
    from streams.cli.work.migrate import prepare
    from streams.terminal.configuration import load_settings

    prepare(load_settings(folder))
