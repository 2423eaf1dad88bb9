"""Alert rules, Alertmanager's configuration and runbooks agree with each other, and do what they say: judged by the programs
that will run them, and by a reading of the files."""

import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from streams.cli.application import command
from tests.support.debian import debian

ROOT = Path(__file__).parents[2]
PROMETHEUS, ALERTMANAGER, RUNBOOKS = ROOT / "deploy/prometheus", ROOT / "deploy/alertmanager", ROOT / "docs/runbooks"
CONFIGURATION = ALERTMANAGER / "alertmanager.yml"
EXAMPLES = sorted((ALERTMANAGER / "examples").glob("*.yml"))
RULES, TESTS = sorted(PROMETHEUS.glob("*.rules.yml")), sorted(PROMETHEUS.glob("*.test.yml"))
MOST_S = 60
SHOWN_WITHIN_S = 10
"""What is left of the minute for Alertmanager to send, and whoever listens to hear."""
WATCHDOG = "Watchdog"
"""Always fires."""
HEADINGS = ["What it means", "What you see", "First three steps", "When to escalate"]


def read(file: Path) -> Any:
    return yaml.safe_load(file.read_text("utf-8"))


def rules() -> Iterator[Mapping[str, Any]]:
    return (rule for file in RULES for group in read(file)["groups"] for rule in group["rules"])


ALERTS = {rule["alert"]: rule for rule in rules() if "alert" in rule}


def run(*command: str | Path, folder: Path = PROMETHEUS) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


# -- what the programs say ---------------------------------------------------------------------------------------------
def test_promtool_takes_the_rules_and_the_configuration() -> None:
    checked = run(debian("prometheus", "promtool"), "check", "config", PROMETHEUS / "prometheus.yml")
    assert checked.returncode == 0, checked.stderr
    assert checked.stdout.count("rules found") == len(RULES)
    checked = run(debian("prometheus", "promtool"), "check", "rules", "--lint-fatal", *RULES)
    assert checked.returncode == 0, checked.stderr


@pytest.mark.parametrize("file", TESTS, ids=lambda file: file.name)
def test_alerts_fire_and_do_not_fire_as_told(file: Path) -> None:
    tested = run(debian("prometheus", "promtool"), "test", "rules", file)
    assert tested.returncode == 0, tested.stdout + tested.stderr


@pytest.mark.parametrize(
    ("file", "expression"),
    [(file, "vector(1)") for file in TESTS if file.name != "watchdog.test.yml"] + [(file, "vector(1) > 2") for file in TESTS],
    ids=lambda value: getattr(value, "name", value),
)
def test_an_alert_that_always_or_never_fires_is_found(file: Path, expression: str, tmp_path: Path) -> None:
    folder = shutil.copytree(PROMETHEUS, tmp_path / "rules")
    for each in read(file)["rule_files"]:
        (folder / each).write_text(altered(PROMETHEUS / each, expression))
    tested = run(debian("prometheus", "promtool"), "test", "rules", folder / file.name, folder=folder)
    assert tested.returncode == 1
    assert set(re.findall(r"alertname: (\w+),", tested.stdout + tested.stderr)) == alerts_in(file)


def altered(file: Path, expression: str) -> str:
    """The rules, all alerts with this expression."""
    content = read(file)
    for rule in (rule for group in content["groups"] for rule in group["rules"] if "alert" in rule):
        rule.pop("for", None)
        rule["expr"] = expression
    return yaml.safe_dump(content)


@pytest.mark.parametrize("file", [CONFIGURATION, *EXAMPLES], ids=lambda file: file.name)
def test_amtool_takes_the_configuration(file: Path) -> None:
    checked = run(debian("prometheus-alertmanager", "amtool"), "check-config", file)
    assert checked.returncode == 0, checked.stderr


ROUTES = {
    "concerns=pipeline severity=page alertname=FrontdeskNoWorker": "platform-pager",
    "concerns=pipeline severity=ticket alertname=FrontdeskDeadLetters": "platform-desk",
    "concerns=promises severity=page district=lakeside department=health alertname=CriticalContactMissed": "pager",
    "concerns=promises severity=page district=lakeside alertname=IntakeSilent": "pager",
    "concerns=promises severity=ticket district=lakeside department=health alertname=CriticalContactDueSoon": "desk",
    "concerns=promises severity=page district=riverside alertname=CriticalContactMissed": "riverside-pager",
    "concerns=promises severity=page district=riverside department=health alertname=ResponsesMissedFast": "riverside-pager",
    "concerns=promises severity=ticket district=riverside department=health": "riverside-desk",
    "concerns=promises severity=page district=riverside department=transportation": "riverside-transportation-pager",
    "concerns=promises severity=ticket district=riverside department=transportation": "riverside-transportation-desk",
    "concerns=promises severity=page district=lakeside department=transportation": "pager",
    "alertname=SomebodyElses": "platform-desk",
    "concerns=watchdog severity=none alertname=Watchdog": "watchdog",
}


@pytest.mark.parametrize("labels", ROUTES)
@pytest.mark.parametrize("file", [CONFIGURATION, *EXAMPLES], ids=lambda file: file.name)
def test_alerts_go_to(labels: str, file: Path) -> None:
    amtool = debian("prometheus-alertmanager", "amtool")
    routed = run(amtool, "config", "routes", "test", "--config.file", file, f"--verify.receivers={ROUTES[labels]}", *labels.split())
    assert routed.returncode == 0, routed.stdout


# -- what the files say ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_says_who_what_and_where_to_go_on(alert: str) -> None:
    labels, annotations = ALERTS[alert]["labels"], ALERTS[alert]["annotations"]
    assert labels["severity"] in ({"none"} if alert == WATCHDOG else {"page", "ticket"})
    assert labels["concerns"] in ({"watchdog"} if alert == WATCHDOG else {"promises", "pipeline"})
    assert {"district", "school", "department"} <= labels.keys()
    assert annotations.keys() == {"summary", "description", "dashboard", "runbook"}
    assert "{{" in annotations["description"], "a description without numbers"
    assert annotations["dashboard"].startswith("{{ $externalLabels.grafana }}/d/frontdesk-")
    assert annotations["runbook"] == f"{{{{ $externalLabels.runbooks }}}}/{alert}.md"


def test_each_alert_has_a_runbook_and_each_runbook_an_alert() -> None:
    assert {page.stem for page in RUNBOOKS.glob("*.md")} == ALERTS.keys()


@pytest.mark.parametrize("alert", ALERTS)
def test_a_runbook_says_what_it_means_and_what_to_do(alert: str) -> None:
    text = (RUNBOOKS / f"{alert}.md").read_text("utf-8")
    assert text.startswith(f"# {alert}\n")
    assert re.findall(r"^## (.*)", text, re.MULTILINE) == HEADINGS
    steps = text.partition("## First three steps")[2].partition("## When")[0]
    assert re.findall(r"^(\d)\. ", steps, re.MULTILINE) == ["1", "2", "3"]
    assert "```" in steps, "no command"


@pytest.mark.parametrize("alert", ALERTS)
def test_commands_in_a_runbook_exist(alert: str) -> None:
    """Each `frontdesk ...` in a block of commands is understood by the command line, `--help` added so that it does nothing."""
    blocks = re.findall(r"```\n(.*?)```", (RUNBOOKS / f"{alert}.md").read_text("utf-8"), re.DOTALL)
    for line in re.findall(r"^\s*frontdesk (.*)", "\n".join(blocks), re.MULTILINE):
        words = line.split()
        at, names = command(), []
        while words and words[0] in getattr(at, "commands", {}):
            names.append(words[0])
            at = at.commands[words.pop(0)]
        assert names, line
        known = {option for parameter in at.params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= known, line


def test_each_alert_is_tested_both_ways() -> None:
    fired, quiet = set(), set()
    for case in (case for file in TESTS for test in read(file)["tests"] for case in test.get("alert_rule_test", [])):
        (fired if case["exp_alerts"] else quiet).add(case["alertname"])
    assert fired == quiet | {WATCHDOG} == ALERTS.keys()
    assert WATCHDOG not in quiet


def alerts_in(file: Path) -> set[str]:
    return {case["alertname"] for test in read(file)["tests"] for case in test.get("alert_rule_test", [])}


def test_rules_ask_for_metrics_that_there_are() -> None:
    """`docs/metrics.md` is held in step with the code."""
    told = set(re.findall(r"^\| `(frontdesk_\w+)`", (ROOT / "docs/metrics.md").read_text("utf-8"), re.MULTILINE))
    asked = {name for file in RULES for name in re.findall(r"\bfrontdesk_\w+", file.read_text("utf-8"))}
    assert {re.sub(r"_bucket$", "", name) for name in asked} <= told


def test_recorded_names_that_are_asked_for_are_recorded() -> None:
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    text = "".join(file.read_text("utf-8") for file in RULES)
    by_hand = {"frontdesk:own_contacts_expected"}
    assert set(re.findall(r"\bfrontdesk:[a-z_:]+", text)) - by_hand == recorded


def test_a_page_is_sent_within_a_minute_of_its_breach() -> None:
    glob, route = read(PROMETHEUS / "prometheus.yml")["global"], read(CONFIGURATION)["route"]
    waits = [glob["scrape_interval"], glob["scrape_timeout"], glob["evaluation_interval"], route["group_wait"]]
    assert sum(int(wait.removesuffix("s")) for wait in waits) <= MOST_S - SHOWN_WITHIN_S
    assert "for" not in ALERTS["CriticalContactMissed"]
    assert all("group_wait" not in each for each in routes(route["routes"]))


def test_a_further_critical_contact_pages_as_soon_as_the_first() -> None:
    """It is another alert of a group that is told already: then `group_interval` counts, not `group_wait`."""
    glob = read(PROMETHEUS / "prometheus.yml")["global"]
    waits = [glob["scrape_interval"], glob["scrape_timeout"], glob["evaluation_interval"]]
    critical = [each for each in routes(read(CONFIGURATION)["route"]["routes"]) if 'alertname="CriticalContactMissed"' in each["matchers"]]
    assert len(critical) == 3
    for each in critical:
        assert sum(int(wait.removesuffix("s")) for wait in [*waits, each["group_interval"]]) <= MOST_S - SHOWN_WITHIN_S


def routes(found: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for each in found:
        yield each
        yield from routes(each.get("routes", []))


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.name)
def test_an_example_differs_in_its_receivers_only(file: Path) -> None:
    ours, example = read(CONFIGURATION), read(file)
    assert {name: example[name] for name in ("route", "inhibit_rules")} == {name: ours[name] for name in ("route", "inhibit_rules")}
    assert [each["name"] for each in example["receivers"]] == [each["name"] for each in ours["receivers"]]
    assert all(len(each) > 1 for each in example["receivers"])


@pytest.mark.parametrize("file", [CONFIGURATION, *EXAMPLES], ids=lambda file: file.name)
def test_secrets_are_in_files(file: Path) -> None:
    secrets = re.findall(r"(?:password|credentials|key|token|secret)\w*:\s*\S+", file.read_text("utf-8"))
    assert [each for each in secrets if not re.match(r"\w+_file: /etc/alertmanager/secrets/", each)] == []


def test_what_silences_promises_is_known_to_alertmanager() -> None:
    down = {name for name, rule in ALERTS.items() if "silences" in rule["labels"]}
    assert down == {"FrontdeskNoWorker", "FrontdeskNoneReady", "FrontdeskClickHouseAway"}
    [by_regex] = [m for rule in read(CONFIGURATION)["inhibit_rules"] for m in rule["target_matchers"] if "=~" in m]
    parts = set(by_regex.partition('"')[2].rstrip('"').split("|"))
    assert parts <= {name for name, rule in ALERTS.items() if rule["labels"]["concerns"] == "pipeline"} - down
