"""The worker: one process that batches records into rows, exact after any crash.

`process` puts it together. `processor` is its loop: `sorting` says what each record is, the fold (`projections`) what it means, and
`outbox`, `changelog` and the store of `sinks` are written in that order. `transport` brings the records, `watches` are told what changes
around it, `health` tells how it is.
"""

__all__ = ["breaker", "ports", "process", "processor", "tables"]
"""Modules, not what is in them: what only reads of them does not load Faust."""
