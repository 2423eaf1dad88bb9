"""Ports on the loopback address: which are free, and which to use again so that clients find a server where it was."""

import socket
from collections.abc import Iterable, Mapping
from contextlib import ExitStack

HOST = "127.0.0.1"


def is_free(port: int) -> bool:
    """Whether a server could listen on the port now; connections that are merely closing do not count against it."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def chosen(names: Iterable[str], wanted: Mapping[str, int]) -> dict[str, int]:
    """Choose a port for each name: the wanted one where it is still free, else any free one; all differ."""
    ports: dict[str, int] = {}
    with ExitStack() as held:
        for name in names:
            port = wanted.get(name, 0)
            ports[name] = port if port and port not in ports.values() and is_free(port) else _any_free(held)
    return ports


def _any_free(held: ExitStack) -> int:
    """Any free port; the probe stays bound until `held` closes, so that the next call gives another."""
    probe = held.enter_context(socket.socket())
    probe.bind((HOST, 0))
    port: int = probe.getsockname()[1]
    return port
