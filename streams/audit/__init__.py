"""Whether the tables hold what the log holds: each record is accounted for, once."""

from streams.audit.committed import until_committed
from streams.audit.inventory import distinct_events
from streams.audit.records import Account, Audit, Report

__all__ = ["Account", "Audit", "Report", "distinct_events", "until_committed"]
