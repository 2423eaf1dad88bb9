"""Options that several commands share, described once."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Form(StrEnum):
    TABLE = "table"
    JSON = "json"


Folder = Annotated[
    Path | None,
    typer.Option(
        "--folder", metavar="FOLDER", help="Folder of the embedded servers.", show_default="FRONTDESK_FOLDER or .frontdesk", file_okay=False
    ),
]
District = Annotated[str | None, typer.Option(help="Only this district.", show_default="all")]
Format = Annotated[Form, typer.Option("--format", help="table for people, json for programs.")]
