"""What Grafana's own library makes of the dashboards: the text of every cell and number, and the color of one that is not there."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from deploy.grafana.panels import COUNT, DURATION, INSTANT, NONE, SHARE, YES_NO
from tests.support.grafana import dashboards
from tests.support.npm import with_packages

PROGRAM = Path(__file__).parent / "dashboards_js/shown.mjs"
PACKAGES = ("@grafana/data@12.2.0", "react@18.3.1", "react-dom@18.3.1", "jsdom@24.1.3")
WRITTEN = {
    COUNT: (4_960, "4,960"),
    DURATION: (8_640_000, "2.4 hours"),
    SHARE: (0.794, "79%"),
    INSTANT: (1_795_850_723_544, "Nov 28, 1:25 am"),
    YES_NO: (1, "Yes"),
    "": ("roosevelt-middle", "roosevelt-middle"),
}


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return with_packages(tmp_path_factory.mktemp("npm"), PACKAGES)


def shown(library: Path, asked: list[dict[str, Any]]) -> Any:
    command = ["node", PROGRAM, library]
    ran = subprocess.run(command, input=json.dumps(asked), capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout.splitlines()[-1])


def of(type_: str) -> list[Any]:
    return [panel for board in dashboards().values() for panel in board["panels"] if panel["type"] == type_]


def field(name: str, unit: str, *values: Any, **config: Any) -> dict[str, Any]:
    return {"name": name, "type": {"": "string", INSTANT: "time"}.get(unit, "number"), "values": values, "config": config}


@pytest.mark.timeout(240)
def test_every_cell_is_written_in_full_and_an_empty_one_says_only_that(library: Path) -> None:
    asked, wanted = [], []
    for panel in of("table"):
        columns = {o["matcher"]["options"]: {p["id"]: p["value"] for p in o["properties"]} for o in panel["fieldConfig"]["overrides"][1:]}
        fields, texts = [], []
        for name, told in columns.items():
            value, text = WRITTEN.get(told.get("unit", ""), (7, None))
            nothing = "" if told.get("unit") is None else None
            fields.append(field(name, told.get("unit", ""), value, nothing))
            texts.append((told.get("displayName", name), text, told.get("noValue", NONE)))
        asked.append({"fieldConfig": panel["fieldConfig"], "fields": fields})
        wanted.append(texts)
    for drawn, texts in zip(shown(library, asked)["shown"], wanted, strict=True):
        for column, (title, text, nothing) in zip(drawn, texts, strict=True):
            there, missing = (value["text"] for value in column["values"])
            assert (column["title"], missing) == (title, nothing)
            assert there == text or (text is None and there[:1] == "7")


def test_a_number_that_is_not_there_has_no_color(library: Path) -> None:
    """Also where the thresholds come from a query, as Grafana's transformation makes them: one step for each column that is not null."""
    asked, colors = [], []
    for panel in of("stat"):
        unit = panel["fieldConfig"]["defaults"]["unit"]
        value, _ = WRITTEN.get(unit, (7, None))
        config = {}
        for each in panel.get("transformations", []):
            limits = dict(zip(("base", "missed", "nearly", "kept", "promised_ms"), (-1, 0, 0.8, 0.9, 8_640_000), strict=True))
            steps = [(limits[m["fieldName"]], m["handlerArguments"]["threshold"]["color"]) for m in each["options"]["mappings"]]
            config = {"thresholds": {"mode": "absolute", "steps": [{"value": at, "color": color} for at, color in steps]}}
        asked.append({"fieldConfig": panel["fieldConfig"], "fields": [field("x", unit, value, None, **config)]})
        colors.append(panel["fieldConfig"]["defaults"]["noValue"])
    answer = shown(library, asked)
    for [drawn], empty in zip(answer["shown"], colors, strict=True):
        assert drawn["values"][1] == {"text": empty, "color": answer["plain"]}
    assert {drawn["values"][0]["color"] for [drawn] in answer["shown"]} > {answer["plain"]}
