"""`frontdesk up`: servers, topics and tables, ready for a worker."""

# ruff: noqa: PLC0415 - so that --help is instant

from streams.terminal.options import Folder


def up(folder: Folder = None) -> None:
    r"""Start Kafka and ClickHouse on this machine, in the background, and make the topics and tables.

    Needs nothing but Python: both servers come as Python packages (frontdesk\[embedded]). They listen on 127.0.0.1 only,
    keep their data in the folder, and stay until `frontdesk down`. Starting what runs already does nothing. Where there is a program
    `clickhouse`, that server runs instead of the embedded one.
    """
    import shlex

    from deploy.embedded.stack import Stack
    from streams.cli.work.migrate import prepare
    from streams.terminal.configuration import load_settings
    from streams.terminal.screen import remark, step

    option = "" if folder is None else f" --folder {shlex.quote(str(folder))}"
    chosen = load_settings(folder)
    stack = Stack(chosen.folder, chosen.clickhouse_program)
    with step("starting Kafka and ClickHouse") as report:
        stack.up(progress=report)
    settings = load_settings(folder)
    prepare(settings)
    lines = (
        f"Kafka       {stack.kafka_bootstrap}",
        f"ClickHouse  127.0.0.1:{stack.clickhouse_port} (native protocol; user default, password in {stack.clickhouse_password_file})",
        f"SQL         frontdesk sql{option} 'SHOW TABLES'",
        f"next: frontdesk worker{option}, then frontdesk simulate{option}; frontdesk down{option} stops the servers",
    )
    remark("\n".join(lines))
