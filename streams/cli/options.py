"""Options that several commands share, described once."""

from pathlib import Path
from typing import Annotated

import typer

DataFolder = Annotated[
    Path | None,
    typer.Option(
        "--data", metavar="FOLDER", help="Folder of the embedded servers. [default: FRONTDESK_DATA or .frontdesk]", file_okay=False
    ),
]
