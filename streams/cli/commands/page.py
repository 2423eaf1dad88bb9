"""`frontdesk page`: the three indicators in a browser, live."""

# ruff: noqa: PLC0415 - so that --help is instant

from typing import Annotated

import typer

from streams.terminal.options import Folder, Host, Port

Public = Annotated[bool, typer.Option("--public", help="Only months that were released; no number is of fewer than 10 people.")]


def page(host: Host = None, port: Port = None, folder: Folder = None, public: Public = False) -> int:
    """Show the numbers of every district in a browser, as they change. Reads ClickHouse and changes nothing.

    Listens on FRONTDESK_PAGE_HOST and FRONTDESK_PAGE_PORT, by default on this machine only; beyond it FRONTDESK_PAGE_TOKEN must be
    set, and the page be opened once with ?token=... behind its address. What --public shows anybody may know: it needs no token.
    Ctrl-C ends it.
    """
    from streams.log import configure_logging
    from streams.page import run_page
    from streams.terminal.configuration import load_settings
    from streams.terminal.screen import results

    settings = load_settings(folder, page_host=host, page_port=port)
    configure_logging(settings.log_format)
    return run_page(settings, lambda address: results().print(f"the page is at {address}", markup=False, soft_wrap=True), public=public)
