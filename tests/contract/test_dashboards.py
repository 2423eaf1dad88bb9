"""The committed dashboards are what the code makes, and what Grafana, the alerts and each other expect of them."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree as ET

import pytest
import yaml

from deploy.grafana.__main__ import FOLDER, documents
from deploy.grafana.panels import NONE
from deploy.grafana.sources import CLICKHOUSE, PROMETHEUS
from tests.support.grafana import Asked, dashboards, queries

ROOT = Path(__file__).parents[2]
PROVISIONING = ROOT / "deploy/grafana/provisioning"
RULES = sorted((ROOT / "deploy/prometheus").glob("*.rules.yml"))
MIGRATIONS = ROOT / "sinks/clickhouse/migrations"
ASKED = list(queries())


def panels() -> list[Any]:
    return [pytest.param(panel, id=f"{uid}: {panel['title']}") for uid, board in dashboards().items() for panel in board["panels"]]


def read(file: Path) -> Any:
    return yaml.safe_load(file.read_text("utf-8"))


def addresses(value: Any) -> Iterator[str]:
    """Every link in a document."""
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
        if key == "url":
            yield inner
        elif isinstance(inner, dict | list):
            yield from addresses(inner)


# -- the files ----------------------------------------------------------------------------------------------------------
def test_the_committed_files_are_current() -> None:
    committed = {file.name: file.read_text("utf-8") for file in FOLDER.glob("*.json")}
    assert committed == documents(), "run `make dashboards`"


@pytest.mark.timeout(240)
def test_they_follow_the_schema_that_the_sdk_is_made_from(tmp_path: Path) -> None:
    go = shutil.which("go")
    if go is None:
        pytest.skip("no Go toolchain: install one to check the dashboards against Grafana's schema")
    program = tmp_path / "dashboards"
    command = [go, "build", "-o", program, "."]
    built = subprocess.run(command, cwd=Path(__file__).parent / "dashboards_go", capture_output=True, text=True, check=False)
    if built.returncode and re.search(r"dial tcp|no such host|i/o timeout", built.stderr):
        pytest.skip("the Go module proxy cannot be reached")
    assert built.returncode == 0, built.stderr

    files = sorted(FOLDER.glob("*.json"))
    bad = tmp_path / "bad.json"
    bad.write_text(files[0].read_text("utf-8").replace('"reduceOptions"', '"reduceOption"'))
    good = subprocess.run([program, *files], capture_output=True, text=True, check=False)
    assert good.returncode == 0, good.stderr
    assert "unexpected field 'reduceOption'" in subprocess.run([program, bad], capture_output=True, text=True, check=False).stderr


# -- panels -------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("panel", panels())
def test_a_panel_says_what_it_means_and_what_it_says_when_it_is_empty(panel: Any) -> None:
    if panel["type"] == "text":
        assert panel["options"]["content"]
        return
    assert re.fullmatch(r"[A-Z0-9].*[.)]", panel["description"])
    assert panel["fieldConfig"]["defaults"]["noValue"]


@pytest.mark.parametrize("panel", [p for p in panels() if p.values[0]["type"] == "table"])
def test_a_cell_without_a_number_does_not_say_that_the_table_is_empty(panel: Any) -> None:
    for override in panel["fieldConfig"]["overrides"]:
        properties = {each["id"]: each["value"] for each in override["properties"]}
        assert "unit" not in properties or properties["noValue"] == NONE


@pytest.mark.parametrize("asked", ASKED, ids=str)
def test_queries_read_views_and_final_tables_only(asked: Asked) -> None:
    tables = {
        name for file in MIGRATIONS.glob("*.sql") for name in re.findall(r"CREATE TABLE IF NOT EXISTS (\w+)", file.read_text("utf-8"))
    }
    named = re.findall(r"\b(?:FROM|JOIN)\s+(\w+)(\s+FINAL\b)?", asked.sql)
    assert named
    assert [table for table, final in named if table in tables and not final] == []


@pytest.mark.parametrize("asked", ASKED, ids=str)
def test_what_a_viewer_chooses_is_percent_encoded_in_sql(asked: Asked) -> None:
    variables = {variable["name"] for variable in dashboards()[asked.dashboard]["templating"]["list"]}
    pasted = re.findall(r"\$(\w+|\{[^}]*\})", re.sub(r",\s*\$\w+\)", ")", asked.sql))  # not what $__conditionalAll looks at
    for each in pasted:
        assert each.startswith("__") or each in {f"{{{name}:percentencode}}" for name in variables}, each


def test_the_promised_share_stands_in_the_directory_only() -> None:
    """Rules take it from the workers, panels from ClickHouse, both from the directory."""
    [rule] = [r for file in RULES for g in read(file)["groups"] for r in g["rules"] if r.get("record") == "frontdesk:promised_share"]
    assert rule["expr"] == "max by (district) (frontdesk_promised_share)"
    steps = [
        step
        for board in dashboards().values()
        for panel in board["panels"]
        for step in panel.get("fieldConfig", {}).get("defaults", {}).get("thresholds", {}).get("steps", [])
        if panel.get("fieldConfig", {}).get("defaults", {}).get("unit") == "percentunit"
    ]
    assert {step["value"] for step in steps} <= {None}


def test_metrics_that_are_shown_exist() -> None:
    told = set(re.findall(r"`(frontdesk_\w+)`", (ROOT / "docs/metrics.md").read_text("utf-8")))
    shown = {
        n
        for b in dashboards().values()
        for p in b["panels"]
        for t in p.get("targets", [])
        for n in re.findall(r"frontdesk_\w+", t.get("expr", ""))
    }
    assert shown
    assert {name.removesuffix("_bucket") for name in shown} <= told


# -- links --------------------------------------------------------------------------------------------------------------
def check_link(address: str) -> None:
    boards = dashboards()
    parts = urlsplit(address)
    if runbook := re.fullmatch(r"/public/runbooks/(\w+)\.md", parts.path):
        assert (ROOT / f"docs/runbooks/{runbook[1]}.md").exists()
        return
    [uid] = re.findall(r"/d/([\w-]+)$", parts.path)
    known = {variable["name"] for variable in boards[uid]["templating"]["list"]}
    given = parse_qs(parts.query, keep_blank_values=True)
    assert {name.removeprefix("var-") for name in given if name.startswith("var-")} <= known


@pytest.mark.parametrize("board", dashboards().values(), ids=lambda board: board["uid"])
def test_every_link_leads_somewhere_and_keeps_what_is_chosen(board: Any) -> None:
    """A bare `$school` would be a list of all schools where All is chosen; `queryparam` is All again."""
    variables = {variable["name"] for variable in board["templating"]["list"]}
    found = list(addresses(board))
    assert len(found) > 5
    for address in found:
        check_link(address)
        for name, how in re.findall(r"\$\{?(\w[\w.]*)(?::(\w+))?", address):
            assert name.startswith("__") or (how == "queryparam" and name in variables), address


def test_the_dashboards_that_alerts_name_exist_and_know_the_variables() -> None:
    named = {
        rule["annotations"]["dashboard"] for file in RULES for group in read(file)["groups"] for rule in group["rules"] if "alert" in rule
    }
    assert len(named) > 1
    for address in named:
        check_link(re.sub(r"\{\{.*?\}\}", "x", address.replace("{{ $externalLabels.grafana }}", "")))


def test_a_school_that_an_alert_leaves_empty_is_all_of_them() -> None:
    variables = {variable["name"]: variable for variable in dashboards()["frontdesk-cell"]["templating"]["list"]}
    assert all(variables[name]["includeAll"] for name in ("school", "department"))
    assert not variables["district"]["includeAll"]


# -- provisioning -------------------------------------------------------------------------------------------------------
def test_the_data_sources_have_the_uids_that_panels_name() -> None:
    sources = read(PROVISIONING / "datasources/frontdesk.yml")["datasources"]
    assert {(each["type"], each["uid"]) for each in sources} == {(ref.type_val, ref.uid) for ref in (CLICKHOUSE, PROMETHEUS)}


def test_compose_mounts_what_grafana_reads_and_sets_what_the_data_sources_ask_for() -> None:
    services = read(ROOT / "deploy/compose/compose.yaml")["services"]
    grafana = services["grafana"]
    mounts = dict(volume.split(":")[:2] for volume in grafana["volumes"])
    [provider] = read(PROVISIONING / "dashboards/frontdesk.yml")["providers"]
    assert mounts["../grafana/provisioning"] == "/etc/grafana/provisioning"
    assert mounts["../grafana/dashboards"] == provider["options"]["path"]
    assert mounts["../../docs/runbooks"] == "/usr/share/grafana/public/runbooks"
    assert "./grafana-user.xml" in [volume.split(":")[0] for volume in services["clickhouse"]["volumes"]]
    assert set(re.findall(r"\$(\w+)", (PROVISIONING / "datasources/frontdesk.yml").read_text("utf-8"))) <= grafana["environment"].keys()


def test_in_compose_grafana_can_only_read() -> None:
    config = ET.parse(ROOT / "deploy/compose/grafana-user.xml")  # noqa: S314 - our own file
    grafana = read(ROOT / "deploy/compose/compose.yaml")["services"]["grafana"]["environment"]
    assert config.find(f"users/{grafana['CLICKHOUSE_USER']}/profile").text == "grafana"
    assert [query.text for query in config.iterfind("users/grafana/grants/query")] == ["GRANT SELECT ON frontdesk.*"]
    assert config.find("profiles/grafana/readonly").text == "2"
