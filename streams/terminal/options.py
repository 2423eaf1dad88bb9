"""Options that several commands share, described once."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class OutputFormat(StrEnum):
    TABLE = "table"
    JSON = "json"


class TableFormat(StrEnum):
    TABLE = "table"
    JSON = "json"
    CSV = "csv"


class Scope(StrEnum):
    DISTRICT = "district"
    SCHOOL = "school"
    DEPARTMENT = "department"
    BOTH = "school_department"


Folder = Annotated[
    Path | None,
    typer.Option(
        "--folder", metavar="FOLDER", help="Folder of the embedded servers.", show_default="FRONTDESK_FOLDER or .frontdesk", file_okay=False
    ),
]
District = Annotated[str | None, typer.Option(help="Only this district.", show_default="all")]
Format = Annotated[OutputFormat, typer.Option("--format", help="table for people, json for programs.")]
Host = Annotated[str | None, typer.Option("--host", metavar="ADDRESS", help="Address to listen on.", show_default="that of the settings")]
Port = Annotated[
    int | None,
    typer.Option("--port", min=0, max=65535, help="Port to listen on; 0 for any that is free.", show_default="that of the settings"),
]
