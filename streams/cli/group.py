"""Commands under one word, such as `frontdesk token create`."""

from collections.abc import Callable, Mapping

import typer


def group(name: str, meaning: str, example: str, commands: Mapping[Callable[..., object], tuple[str, str]]) -> typer.Typer:
    """`commands` have each its word and its example."""
    app = typer.Typer(name=name, no_args_is_help=True, rich_markup_mode="rich", help=meaning, epilog=f"Example: [bold]{example}")
    for function, (word, of_it) in commands.items():
        app.command(name=word, epilog=f"Example: [bold]{of_it}")(function)
    return app
