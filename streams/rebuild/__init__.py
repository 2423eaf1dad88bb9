"""The tables made anew beside the old ones, while workers go on: see docs/decisions/007-rebuild.md.

`plan` decides without asking anyone, `archive` and `topic` fill new tables for the log that workers are counting, `incarnation`
has a worker count another log from its beginning, `switch` puts the new tables in the place of the old ones.
"""

__all__ = ["journal", "plan", "sequence"]
"""Modules, not what is in them: a look at rebuilds loads no worker."""
