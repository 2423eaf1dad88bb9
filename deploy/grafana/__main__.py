"""Writes the dashboards: python -m deploy.grafana."""

import json
from pathlib import Path
from typing import Final

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from deploy.grafana import case, cases, cell, district, equity, pipeline, promises, runbooks

FOLDER: Final = Path(__file__).with_name("dashboards")
BOARDS: Final = tuple(each.BOARD for each in (district, cell, cases, case, promises, equity, pipeline, runbooks))


def documents() -> dict[str, str]:
    """Each dashboard's file name and JSON."""
    return {f"{board.uid}.json": _text(board.build()) for board in BOARDS}


def _text(dashboard: object) -> str:
    return json.dumps(dashboard, cls=JSONEncoder, indent=2, sort_keys=True) + "\n"


if __name__ == "__main__":
    for name, content in documents().items():
        (FOLDER / name).write_text(content, "utf-8")
