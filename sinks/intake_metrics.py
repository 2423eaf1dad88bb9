"""What the intake tells Prometheus about itself. Names and meanings are listed in `docs/metrics.md`.

Counters by token bear its public id, never the token. A registry of its own is passed in, as for a worker.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from sinks.metrics import MOST_NAMES, OTHERS

ANSWERS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0)


@dataclass(frozen=True)
class IntakeGauges:
    """The intake at a moment."""

    ready: bool
    held_bytes: int
    most_held_bytes: int
    connections: int


class IntakeMetrics:
    """Counters, gauges and a histogram of one intake."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self._members_named: set[str] = set()
        self._events = Counter("frontdesk_intake_events", "Events by what became of them", ["token", "outcome"], registry=registry)
        self._rejections = Counter("frontdesk_intake_rejections", "Events that were rejected", ["reason"], registry=registry)
        self._refusals = Counter("frontdesk_intake_refusals", "Requests that were refused as a whole", ["reason"], registry=registry)
        self._answers = Histogram(
            "frontdesk_intake_answer_seconds", "From the head of a POST to its answer", buckets=ANSWERS, registry=registry
        )
        self._members = Counter(
            "frontdesk_intake_unknown_members", "Events with a member of data that is dropped", ["member"], registry=registry
        )
        self._reloads = Counter("frontdesk_intake_reloads", "Readings of the token file after SIGHUP", ["outcome"], registry=registry)
        self._ready = Gauge("frontdesk_intake_ready", "1 while /health/ready answers 200", registry=registry)
        self._held = Gauge("frontdesk_intake_held_bytes", "Bytes of requests under way", registry=registry)
        self._most_held = Gauge("frontdesk_intake_most_held_bytes", "Bytes of requests that may be under way", registry=registry)
        self._connections = Gauge("frontdesk_intake_connections", "Open connections", registry=registry)

    def counted(self, token: str, outcome: str, events: int) -> None:
        """`outcome` is accepted, rejected or unknown."""
        if events:
            self._events.labels(token, outcome).inc(events)

    def rejected(self, reasons: Mapping[str, int]) -> None:
        for reason, events in reasons.items():
            self._rejections.labels(reason).inc(events)

    def refused(self, reason: str) -> None:
        self._refusals.labels(reason).inc()

    def answered(self, seconds: float) -> None:
        self._answers.observe(seconds)

    def dropped(self, members: Iterable[str]) -> None:
        for name in members:
            if len(self._members_named) < MOST_NAMES:
                self._members_named.add(name)
            self._members.labels(name if name in self._members_named else OTHERS).inc()

    def reloaded(self, outcome: str) -> None:
        self._reloads.labels(outcome).inc()

    def set_gauges(self, gauges: IntakeGauges) -> None:
        """Show this moment."""
        self._ready.set(gauges.ready)
        self._held.set(gauges.held_bytes)
        self._most_held.set(gauges.most_held_bytes)
        self._connections.set(gauges.connections)
