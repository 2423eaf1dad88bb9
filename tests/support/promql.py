"""Which labels a PromQL expression has, worked out from those of the metrics that it names; what it asks of others is a mistake.

Prometheus answers an aggregation by a label that no series has as if it were empty, so a wrong one shows nothing wrong.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import promql_parser as promql
from prometheus_client import CollectorRegistry

from sinks.cell_metrics import CELL_METRICS
from sinks.intake_metrics import IntakeMetrics
from sinks.metrics import WorkerMetrics
from sinks.page_metrics import PageMetrics

Labels = frozenset[str]

OF_TARGETS: Final = frozenset({"job", "instance"})
"""Prometheus gives them to every series that it scrapes."""
OF_OTHERS: Final[Mapping[str, Labels]] = {
    "up": frozenset(),
    "kafka_brokers": frozenset(),
    "kafka_topic_partition_under_replicated_partition": frozenset({"topic", "partition"}),
    "ClickHouseAsyncMetrics_DiskAvailable_default": frozenset(),
    "ClickHouseAsyncMetrics_DiskTotal_default": frozenset(),
    "alertmanager_notifications_failed_total": frozenset({"integration", "reason"}),
}
"""Metrics of other programs that our rules name, by their documentation."""
SET_OPERATORS: Final = ("and", "unless", "or")


def of_metrics() -> dict[str, Labels]:
    """The labels of every series that there is, those of the target included."""
    known = {name: labels | OF_TARGETS for name, labels in OF_OTHERS.items()}
    known |= {metric.name: frozenset(metric.labels) | OF_TARGETS for metric in CELL_METRICS}
    for made in (WorkerMetrics, IntakeMetrics, PageMetrics):
        registry = CollectorRegistry()
        made(registry)
        for collector, names in registry._collector_to_names.items():  # the client tells names and labels nowhere else
            labels = frozenset(getattr(collector, "_labelnames", ())) | OF_TARGETS
            known |= {name: labels | {"le"} if name.endswith("_bucket") else labels for name in names}
    return known


@dataclass
class Reading:
    """Reads expressions by what is known of series. `mistakes` grows."""

    known: Mapping[str, Labels]
    mistakes: list[str] = field(default_factory=list)

    def labels(self, expression: str) -> Labels:
        self._whole = expression
        return self._of(promql.parse(expression))

    def _of(self, node: Any) -> Labels:  # noqa: PLR0911 - one for each kind of node
        match node:
            case promql.VectorSelector():
                return self._selected(node)
            case promql.MatrixSelector():
                return self._selected(node.vector_selector)
            case promql.ParenExpr() | promql.UnaryExpr() | promql.SubqueryExpr():
                return self._of(node.expr)
            case promql.AggregateExpr():
                return self._aggregated(node)
            case promql.Call():
                return self._called(node)
            case promql.BinaryExpr():
                return self._combined(node)
        return frozenset()

    def _selected(self, node: Any) -> Labels:
        if node.name not in self.known:
            self.mistakes.append(f"no metric {node.name} in {self._whole}")
            return frozenset()
        has = self.known[node.name]
        self._ask({matcher.name for matcher in node.matchers.matchers}, has, f"a matcher of {node.name}")
        return has

    def _aggregated(self, node: Any) -> Labels:
        has, names = self._of(node.expr), frozenset(node.modifier.labels if node.modifier else ())
        by = node.modifier is not None and node.modifier.type == promql.AggModifierType.By
        self._ask(names, has, str(node.modifier))
        if str(node.op) in {"topk", "bottomk"}:
            return has
        return names if by else has - names if node.modifier else frozenset()

    def _called(self, node: Any) -> Labels:
        if node.func.name == "absent":
            self._of(node.args[0])
            return frozenset()
        has = frozenset[str]().union(*map(self._of, node.args))
        if node.func.name == "histogram_quantile":
            self._ask({"le"}, has, "histogram_quantile")
            return has - {"le"}
        return has | {node.args[1].val} if node.func.name == "label_replace" else has

    def _combined(self, node: Any) -> Labels:
        left, right, operator = self._of(node.lhs), self._of(node.rhs), str(node.op)
        modifier = node.modifier
        matching = modifier.matching if modifier else None
        on = matching is not None and matching.type == promql.LabelModifierType.Include
        names = frozenset(matching.labels if matching else ())
        self._ask(names, left & right if on else left | right, str(modifier))
        if operator not in SET_OPERATORS and not (matching and names) and not (left and right):
            return left | right  # one of them is a number
        if operator in SET_OPERATORS:
            return left | right if operator == "or" else left
        added = frozenset(modifier.group_labels or () if modifier else ())
        self._ask(added, left | right, str(modifier))
        if modifier and modifier.card == promql.VectorMatchCardinality.ManyToOne:
            return left | added
        if modifier and modifier.card == promql.VectorMatchCardinality.OneToMany:
            return right | added
        return names if on else (left | right) - names

    def _ask(self, names: frozenset[str] | set[str], has: Labels, of: str) -> None:
        if missing := sorted(set(names) - has):
            self.mistakes.append(f"{of}: no label {', '.join(missing)} in {self._whole}")


def recorded(rules: list[Mapping[str, Any]], by_hand: Mapping[str, Labels]) -> dict[str, Labels]:
    """The labels of recorded series, which may name each other and themselves."""
    names = {rule["record"] for rule in rules if "record" in rule}
    found: dict[str, Labels] = dict.fromkeys(names, frozenset()) | dict(by_hand)
    while True:
        reading = Reading(of_metrics() | found)
        grown = dict(found)
        for rule in rules:
            if "record" in rule:
                grown[rule["record"]] |= reading.labels(rule["expr"]) | frozenset(rule.get("labels", {}))
        if grown == found:
            return found
        found = grown


def queries(template: str) -> Iterator[str]:
    """The expressions that an annotation asks Prometheus, what is filled in by Go's `printf` invented."""
    for text in re.findall(r'query "([^"]*)"', template) + re.findall(r'printf "([^"]*)"[^}|]*\| query', template):
        yield text.replace("%q", "'x'")
