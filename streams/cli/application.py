"""All commands, put together; what each does stands in the file of its name."""

from collections.abc import Callable
from importlib.metadata import version
from typing import Annotated, Any

import typer
from typer.main import get_command

from streams.cli.commands.dead_letters import dead_letters
from streams.cli.commands.demo import demo
from streams.cli.commands.directory import directory
from streams.cli.commands.down import down
from streams.cli.commands.export import export
from streams.cli.commands.import_ import import_history
from streams.cli.commands.indicators import indicators
from streams.cli.commands.intake import intake
from streams.cli.commands.migrate import migrate
from streams.cli.commands.oncall import oncall
from streams.cli.commands.page import page
from streams.cli.commands.publication import publication
from streams.cli.commands.publish import publish
from streams.cli.commands.rebuild import rebuild
from streams.cli.commands.simulate import simulate
from streams.cli.commands.sql import sql
from streams.cli.commands.status import status
from streams.cli.commands.token import token
from streams.cli.commands.up import up
from streams.cli.commands.verify import verify
from streams.cli.commands.worker import worker

EXAMPLES: dict[Callable[..., object], str] = {
    demo: "Example: [bold]frontdesk demo[/]   (everything below, one after the other, in a folder of its own)",
    up: "Example: [bold]frontdesk up --folder ~/frontdesk[/]   then: frontdesk worker",
    down: "Example: [bold]frontdesk down --folder ~/frontdesk[/]",
    status: "Example: [bold]frontdesk status && echo all is well[/]   (exit code 3 while something is away)",
    worker: "Example: [bold]FRONTDESK_METRICS_PORT=9464 frontdesk worker[/]   (start more of them to share the districts)",
    publish: "Example: [bold]frontdesk publish events.ndjson --rate 500[/]   or: tail -f events.ndjson | frontdesk publish -",
    intake: "Example: [bold]frontdesk intake[/]   then: curl -H content-type:application/cloudevents+json -d @e.json localhost:8080/events",
    simulate: "Example: [bold]frontdesk simulate --students 2000 --days 7 --live[/]   or: frontdesk simulate --days 2 --out -",
    migrate: "Example: [bold]FRONTDESK_CLICKHOUSE_HOST=ch.example.org frontdesk migrate[/]",
    indicators: "Example: [bold]frontdesk indicators --by school --window 24h[/]   or: frontdesk indicators --format csv > today.csv",
    sql: "Example: [bold]frontdesk sql 'SELECT count() FROM cases FINAL'[/]   or: frontdesk sql - --format csv < question.sql > answer.csv",
    oncall: "Example: [bold]frontdesk oncall --district riverside[/]   or: frontdesk oncall --once --format json",
    page: "Example: [bold]frontdesk page[/]   then open the address that it prints; for everybody: frontdesk page --public",
    verify: "Example: [bold]frontdesk verify[/]   or, quick: frontdesk verify --sample 1000   (exit code 1 when anything differs)",
    rebuild: "Example: [bold]frontdesk rebuild[/]   looks what differs; then: frontdesk rebuild --yes   (later: --drop-old)",
}
GUIDE = (
    "Exit codes: 0 done, 1 a difference was found, 2 wrong flag, file or setting, 3 a server is away, 4 refused, 130 stopped by Ctrl-C. "
    "Settings are environment variables FRONTDESK_..., see docs/schema.md."
)


def application() -> typer.Typer:
    app = typer.Typer(name="frontdesk", no_args_is_help=True, add_completion=False, rich_markup_mode="rich", epilog=GUIDE)
    app.callback()(frontdesk)
    for function, example in EXAMPLES.items():
        app.command(epilog=example)(function)
    app.command("import", epilog="Example: [bold]frontdesk import tickets.csv --mapping map.yaml --backfill --dry-run[/]")(import_history)
    app.add_typer(export())
    app.add_typer(dead_letters())
    app.add_typer(token())
    app.add_typer(publication())
    app.add_typer(directory())
    return app


def command() -> Any:
    """The command line's parser (a click command: `main(arguments, standalone_mode=False)` returns the exit code)."""
    return get_command(application())


def _print_version(asked: bool) -> None:
    if asked:
        print(f"frontdesk {version('frontdesk')}")
        raise typer.Exit


def frontdesk(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """How many people contacted a school district, how fast they were answered, and how well: live, from Kafka to ClickHouse.

    Begin with [bold]frontdesk demo[/].
    """
