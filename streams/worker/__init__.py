"""The worker: one process that batches records into rows, exact after any crash.

`process` puts it together. `processor` is its loop: `record_queue` holds what waits, `sorting` says what each record is, the fold
(`projections`) what it means, and `batch_writer` writes to the store of `sinks`, `outbox` and `changelog`, in that order; `held` are the
partitions in hand, and `recovery` brings back their state. `transport` brings the records, `watches` are told what changes around it,
`health` tells how it is.
"""

__all__ = ["breaker", "process", "processor", "tables"]
"""Modules, not what is in them: what only reads of them does not load Faust."""
