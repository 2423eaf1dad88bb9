"""Rules, alerts and dashboards ask only for labels that the metrics have."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.promql import Reading, of_metrics, queries, recorded

ROOT = Path(__file__).parents[2]
BY_HAND = {"frontdesk:own_contacts_expected": frozenset({"district"})}
RULES = [
    rule
    for file in sorted((ROOT / "deploy/prometheus").glob("*.rules.yml"))
    for group in yaml.safe_load(file.read_text("utf-8"))["groups"]
    for rule in group["rules"]
]
ALERTS = {rule["alert"]: rule for rule in RULES if "alert" in rule}


@pytest.fixture(scope="module")
def known() -> dict[str, frozenset[str]]:
    return of_metrics() | recorded(RULES, BY_HAND)


def panels(found: Any) -> Iterator[Any]:
    for each in found:
        yield each
        yield from panels(each.get("panels", []))


SHOWN = [
    (file.stem, target["expr"], target.get("legendFormat", ""))
    for file in sorted((ROOT / "deploy/grafana/dashboards").glob("*.json"))
    for panel in panels(json.loads(file.read_text("utf-8"))["panels"])
    for target in panel.get("targets", [])
    if "expr" in target
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.get("alert") or rule["record"])
def test_a_rule_asks_for_labels_that_there_are(rule: dict[str, Any], known: dict[str, frozenset[str]]) -> None:
    reading = Reading(known)
    reading.labels(rule["expr"])
    assert reading.mistakes == []


@pytest.mark.parametrize("alert", ALERTS)
def test_what_an_alert_says_names_labels_that_there_are(alert: str, known: dict[str, frozenset[str]]) -> None:
    rule, reading = ALERTS[alert], Reading(known)
    has = reading.labels(rule["expr"])
    texts = [*rule["annotations"].values(), *rule["labels"].values()]
    assert {name for text in texts for name in re.findall(r"\$labels\.(\w+)", text)} <= has
    for text in texts:
        of_queries = frozenset[str]().union(*(reading.labels(query) for query in queries(text)))
        assert set(re.findall(r"(?<!\$)\.Labels\.(\w+)", text)) <= of_queries, text
    assert reading.mistakes == []


@pytest.mark.parametrize(("dashboard", "expression", "legend"), SHOWN)
def test_a_panel_asks_for_labels_that_there_are(dashboard: str, expression: str, legend: str, known: dict[str, frozenset[str]]) -> None:
    reading = Reading(known)
    has = reading.labels(expression.replace("$__rate_interval", "5m"))
    assert reading.mistakes == [], dashboard
    assert set(re.findall(r"{{\s*(\w+)\s*}}", legend)) <= has


@pytest.mark.parametrize(
    "expression",
    [
        "sum by (kind) (rate(frontdesk_events_total[5m]))",
        "sum without (kind) (frontdesk_events_total)",
        'frontdesk_events_total{kind="contact"}',
        "frontdesk_ready unless on (partition) frontdesk_partition_stopped",
        "frontdesk_lag_events / on (instance) group_left (reason) frontdesk_ready",
        "frontdesk_lag_events / ignoring (reason) frontdesk_lag_seconds",
        "histogram_quantile(0.9, sum by (job) (frontdesk_freshness_seconds_bucket))",
        "sum by (partition) (sum by (instance) (frontdesk_lag_events))",
        "sum_over_time(frontdesk_nothing[1h:1m])",
    ],
)
def test_a_label_that_is_not_there_is_found(expression: str, known: dict[str, frozenset[str]]) -> None:
    reading = Reading(known)
    reading.labels(expression)
    assert len(reading.mistakes) == 1
