"""The intake: events by web request, for systems that do not speak Kafka.

One stateless process, many behind a balancer. It judges with the worker's own decoder, so that whatever it accepts the
worker can read, and it answers 202 only when Kafka has acknowledged. `process` starts it, `handler` speaks HTTP, everything
else is one question each: may they, is it small enough, what was posted, is it an event, where did it go.
"""

__all__ = ["grant", "process", "token_file"]
"""Modules, not what is in them: writing a token loads no server."""
