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


def panels(*types: str) -> list[Any]:
    every = [(uid, panel) for uid, board in dashboards().items() for panel in board["panels"]]
    return [pytest.param(panel, id=f"{uid}: {panel['title']}") for uid, panel in every if not types or panel["type"] in types]


def overrides(panel: Any) -> list[tuple[str, dict[str, Any]]]:
    """What is told of each column."""
    told = panel.get("fieldConfig", {}).get("overrides", [])
    return [(each["matcher"]["options"], {one["id"]: one["value"] for one in each["properties"]}) for each in told]


def units() -> dict[str, set[tuple[Any, Any]]]:
    found: dict[str, set[tuple[Any, Any]]] = {}
    for panel in panels("table"):
        for name, told in overrides(panel.values[0]):
            found.setdefault(name, set()).add((told.get("unit"), told.get("decimals")))
    return found


SEEN = units()


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
    bad.write_text((FOLDER / "frontdesk-district.json").read_text("utf-8").replace('"reduceOptions"', '"reduceOption"'))
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


@pytest.mark.parametrize("panel", panels("table"))
def test_a_cell_without_a_value_does_not_say_that_the_table_is_empty(panel: Any) -> None:
    """Text cells, too: a question without a school is not one for which "nobody waits"."""
    everywhere, *_ = panel["fieldConfig"]["overrides"]
    assert everywhere == {"matcher": {"id": "byRegexp", "options": "/.*/"}, "properties": [{"id": "noValue", "value": NONE}]}
    assert panel["fieldConfig"]["defaults"]["noValue"] not in [told.get("noValue") for _, told in overrides(panel)]


@pytest.mark.parametrize("panel", panels("stat"))
def test_no_number_has_no_color(panel: Any) -> None:
    """Grafana writes it in the color of the base, and takes the lowest threshold of a query for one."""
    base, *further = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
    assert base == {"color": "text", "value": None}
    assert all(step["value"] is not None for step in further)
    for each in panel.get("transformations", []):
        first, *_ = each["options"]["mappings"]
        assert (first["fieldName"], first["handlerArguments"]["threshold"]["color"]) == ("base", "text")
        [limit] = [target["rawSql"] for target in panel["targets"] if target["refId"] == "limit"]
        assert limit.startswith("SELECT -1 AS base,")


@pytest.mark.parametrize("panel", panels("stat", "barchart", "timeseries"))
def test_thresholds_color_something(panel: Any) -> None:
    defaults = panel["fieldConfig"]["defaults"]
    if len(defaults.get("thresholds", {}).get("steps", [])) > 1 or panel.get("transformations"):
        assert defaults["color"]["mode"] == "thresholds"


@pytest.mark.parametrize("panel", panels("timeseries"))
def test_what_was_missed_stands_on_what_was_kept_and_is_red(panel: Any) -> None:
    colors = {name: told["color"]["fixedColor"] for name, told in overrides(panel) if "color" in told}
    if " AS missed" in panel["targets"][0].get("rawSql", ""):
        assert colors == {"kept": "green", "missed": "red"}
        assert panel["fieldConfig"]["defaults"]["custom"]["stacking"] == {"group": "A", "mode": "normal"}


@pytest.mark.parametrize("panel", panels("table"))
def test_a_table_fits_a_laptop(panel: Any) -> None:
    """1,366 px: 24 columns with 16 px at both edges and 8 px between panels; in a panel 8 px at both edges, a scroll bar and lines."""
    columns = {name: told for name, told in overrides(panel) if name != "/.*/" and not told.get("custom.hidden")}
    widths = [told.get("custom.width") or told["custom.minWidth"] for told in columns.values()]
    assert sum("custom.minWidth" in told for told in columns.values()) == 1, "one takes what is left, more would share it evenly"
    assert sum(widths) <= (1366 - 2 * 16 + 8) * panel["gridPos"]["w"] / 24 - 8 - 2 * 8 - 14
    for name, told in columns.items():
        assert 7.3 * len(told.get("displayName", name)) <= (told.get("custom.width") or told["custom.minWidth"]), name


@pytest.mark.parametrize("panel", panels())
def test_no_unit_rounds_people_away(panel: Any) -> None:
    """`short` makes 5 K of 4,960; `locale` without decimals reads "4,960" as no number."""
    config = panel.get("fieldConfig", {"defaults": {}, "overrides": []})
    for told in (config["defaults"], *(told for _, told in overrides(panel))):
        assert told.get("unit") not in ("short", "sishort")
        assert told.get("unit") != "locale" or told["decimals"] == 0


@pytest.mark.parametrize("panel", panels())
def test_a_title_says_which_period_counts(panel: Any) -> None:
    """The variable Window or the time picker, never both; each is named by the panels that it changes."""
    if panel["type"] == "text":
        return
    _, _, period = panel["title"].partition(" · ")
    asked = [target.get("rawSql") or target["expr"] for target in panel["targets"] if target["refId"] == "A"]
    by_picker = any("$__timeFilter" in each or "$__rate_interval" in each for each in asked) or panel["targets"][0].get("range", False)
    assert period
    assert (period == "shown time") == by_picker
    assert period != "${window:text}" or all("${window:" in each for each in asked)
    assert period != "right now" or not any("${window:" in each for each in asked)


def test_a_dashboard_opens_with_one_period() -> None:
    for board in dashboards().values():
        windows = [variable["current"]["value"] for variable in board["templating"]["list"] if variable["name"] == "window"]
        assert windows in ([], [board["time"]["from"].removeprefix("now-")])


@pytest.mark.parametrize("panel", panels("table"))
def test_places_have_the_names_of_the_directory(panel: Any) -> None:
    seen = {name for name, told in overrides(panel) if not told.get("custom.hidden")}
    assert not seen & {"school", "department"}


@pytest.mark.parametrize("panel", panels("table"))
def test_a_column_is_the_same_on_every_dashboard(panel: Any) -> None:
    """Of one name, one unit; a rating is always of 10."""
    for name, told in overrides(panel):
        assert (told.get("unit"), told.get("decimals")) in SEEN[name], name
        assert len(SEEN[name]) == 1, name
        assert "rating" not in name or name == "rating, of 10"


@pytest.mark.parametrize("board", dashboards().values(), ids=lambda board: board["uid"])
def test_what_stands_before_the_bars_is_off_until_it_is_wanted_and_one_a_day(board: Any) -> None:
    for mark in board["annotations"]["list"]:
        if mark["name"] != "Closed":
            assert not mark["enable"]
            assert "GROUP BY time" in mark["target"]["rawSql"]
            assert "toString(count())" in mark["target"]["rawSql"]


def test_whoever_chose_a_case_sees_its_history_first() -> None:
    first, *_ = dashboards()["frontdesk-case"]["panels"]
    assert first["title"].startswith("History of the case")
    links = [told["links"][0]["url"] for panel in panels("table") for name, told in overrides(panel.values[0]) if name == "case"]
    assert len(links) > 3
    assert all(link.startswith("/d/frontdesk-case?") for link in links)


def test_the_pipeline_opens_on_six_hours_with_messages_of_its_own_and_all_partitions() -> None:
    board = dashboards()["frontdesk-pipeline"]
    assert board["time"] == {"from": "now-6h", "to": "now"}
    told = [panel["fieldConfig"]["defaults"]["noValue"] for panel in board["panels"] if panel["type"] == "timeseries"]
    assert len(set(told)) == len(told) > 2
    [partitions] = [panel for panel in board["panels"] if panel["title"].startswith("Partitions")]
    assert (partitions["gridPos"]["h"] * 38 - 8 - 40) // 36 >= 1 + 8


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
    assert {step.get("value") for step in steps} <= {None}


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
    [uid] = re.findall(r"/d/([\w-]+)$", parts.path)
    known = {variable["name"] for variable in boards[uid]["templating"]["list"]}
    given = parse_qs(parts.query, keep_blank_values=True)
    assert {name.removeprefix("var-") for name in given if name.startswith("var-")} <= known
    assert not [name for name, values in given.items() if values == [""] and name.startswith("var-")], "a choice would be blank"


@pytest.mark.parametrize("board", dashboards().values(), ids=lambda board: board["uid"])
def test_every_link_leads_somewhere_and_keeps_what_is_chosen(board: Any) -> None:
    """A bare `$school` would be a list of all schools where All is chosen; `queryparam` is All again."""
    variables = {variable["name"] for variable in board["templating"]["list"]}
    for address in filter(None, addresses(board)):
        check_link(address)
        for name, how in re.findall(r"\$\{?(\w[\w.]*)(?::(\w+))?", address):
            assert name.startswith("__") or (how == "queryparam" and name in variables), address


@pytest.mark.parametrize("board", dashboards().values(), ids=lambda board: board["uid"])
def test_one_menu_leads_to_the_other_dashboards_and_a_time_goes_only_where_it_fits(board: Any) -> None:
    menu, *further = board["links"]
    assert (menu["type"], menu["asDropdown"], menu["includeVars"]) == ("dashboards", True, True)
    reached = {each["uid"]: each for each in dashboards().values() if set(menu["tags"]) & set(each["tags"])}
    assert menu["keepTime"] == all(each["time"] == board["time"] for each in reached.values())
    assert len(further) <= 2
    assert not any(link["keepTime"] for link in further)
    assert {board["uid"], *reached, *(link["url"].removeprefix("/d/") for link in further)} == dashboards().keys()


def test_the_dashboards_that_alerts_name_exist_and_know_the_variables() -> None:
    named = {
        rule["annotations"]["dashboard"] for file in RULES for group in read(file)["groups"] for rule in group["rules"] if "alert" in rule
    }
    assert len(named) > 1
    for address in named:
        without_places = re.sub(r"\{\{ with .*?\{\{ end \}\}", "", address.replace("{{ $externalLabels.grafana }}", ""))
        with_places = re.sub(r"\{\{ (with|end).*?\}\}", "", address.replace("{{ $externalLabels.grafana }}", ""))
        for each in (without_places, with_places):
            check_link(re.sub(r"\{\{.*?\}\}", "x", each))
            assert "var-school=" not in without_places


def test_every_runbook_is_a_panel_that_grafana_renders() -> None:
    contents, *runbooks = dashboards()["frontdesk-runbooks"]["panels"]
    numbers = {panel["title"]: panel["id"] for panel in runbooks}
    assert numbers.keys() == {file.stem for file in (ROOT / "docs/runbooks").glob("*.md")}
    for panel in (contents, *runbooks):
        assert panel["options"]["mode"] == "markdown"
        for target in re.findall(r"\]\(([^)]*)\)", panel["options"]["content"]):
            assert target in {f"/d/frontdesk-runbooks?viewPanel=panel-{number}" for number in numbers.values()}
    listed = dict(re.findall(r"^- \[(\w+)\]\(.*?panel-(\d+)\): \w", contents["options"]["content"], re.MULTILINE))
    assert {name: int(number) for name, number in listed.items()} == numbers


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
    [clickhouse, _] = read(PROVISIONING / "datasources/frontdesk.yml")["datasources"]
    assert clickhouse["jsonData"]["port"] == "$CLICKHOUSE_PORT", "that of the embedded server differs from day to day"
    assert "./grafana-user.xml" in [volume.split(":")[0] for volume in services["clickhouse"]["volumes"]]
    assert set(re.findall(r"\$(\w+)", (PROVISIONING / "datasources/frontdesk.yml").read_text("utf-8"))) <= grafana["environment"].keys()


def test_in_compose_grafana_can_only_read() -> None:
    config = ET.parse(ROOT / "deploy/compose/grafana-user.xml")  # noqa: S314 - our own file
    grafana = read(ROOT / "deploy/compose/compose.yaml")["services"]["grafana"]["environment"]
    assert config.find(f"users/{grafana['CLICKHOUSE_USER']}/profile").text == "grafana"
    assert [query.text for query in config.iterfind("users/grafana/grants/query")] == ["GRANT SELECT ON frontdesk.*"]
    assert config.find("profiles/grafana/readonly").text == "2"
