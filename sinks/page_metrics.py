"""What the live page and the public one tell Prometheus about itself. Names and meanings are listed in `docs/metrics.md`."""

from dataclasses import dataclass
from enum import StrEnum

from prometheus_client import CollectorRegistry, Counter, Gauge


class Read(StrEnum):
    """What became of one look at ClickHouse."""

    GOOD = "good"
    AWAY = "away"
    MISTAKE = "mistake"


class RefusedViewer(StrEnum):
    """Why somebody was not let in."""

    FULL = "full"
    CROWDED = "crowded"


@dataclass(frozen=True)
class PageGauges:
    """The page at a moment."""

    viewers: int
    views: int


class PageMetrics:
    """Counters and gauges of one page."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self._reads = Counter("frontdesk_page_reads", "Looks at ClickHouse by what became of them", ["outcome"], registry=registry)
        self._refusals = Counter("frontdesk_page_refusals", "Viewers that were not let in", ["reason"], registry=registry)
        for outcome in Read:  # shown from 0 on, so that the first one is seen to be added
            self._reads.labels(outcome)
        for reason in RefusedViewer:
            self._refusals.labels(reason)
        self._viewers = Gauge("frontdesk_page_viewers", "Open streams", registry=registry)
        self._views = Gauge("frontdesk_page_views", "Districts and windows that are read", registry=registry)

    def read(self, outcome: Read) -> None:
        self._reads.labels(outcome).inc()

    def refused(self, reason: RefusedViewer) -> None:
        self._refusals.labels(reason).inc()

    def set_gauges(self, gauges: PageGauges) -> None:
        """Show this moment."""
        self._viewers.set(gauges.viewers)
        self._views.set(gauges.views)
