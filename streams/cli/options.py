"""Options that several commands share, described once."""

from pathlib import Path
from typing import Annotated

import typer

Folder = Annotated[
    Path | None,
    typer.Option(
        "--folder", metavar="FOLDER", help="Folder of the embedded servers.", show_default="FRONTDESK_FOLDER or .frontdesk", file_okay=False
    ),
]
District = Annotated[str | None, typer.Option(help="Only this district.", show_default="all")]
