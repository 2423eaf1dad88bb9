"""Whom a request is for: the host and port of its `Host` (RFC 9110, section 7.2), and which hosts are this machine only.

Read more strictly than by most: what two readers could take for two hosts is none.
"""

import re
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

_AUTHORITY = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9_-]+(?:[.][A-Za-z0-9_-]+)*[.]?))(?::([0-9]{0,5}))?").fullmatch


@dataclass(frozen=True)
class Authority:
    """`host` in small letters, without brackets and without the dot of the root; `port` None where it is the scheme's."""

    host: str
    port: int | None = None


def authority(text: str) -> Authority | None:
    """None where it is no host with or without a port: also where somebody's name stands before it, or a zone behind it."""
    found = _AUTHORITY(text)
    if found is None:
        return None
    bracketed, name, port = found.groups()
    host = _of_ipv6(bracketed) if bracketed else plain(name)
    return Authority(host, int(port) if port else None) if host else None


def plain(host: str) -> str:
    """One way to write each host: `LOCALHOST.` and `localhost`, `::ffff:127.0.0.1` and `127.0.0.1` are the same."""
    small = host.lower().removesuffix(".")
    try:
        address = ip_address(small)
    except ValueError:
        return small
    return str(getattr(address, "ipv4_mapped", None) or address)


def is_loopback(host: str) -> bool:
    """Whether only this machine gets there. A name but `localhost` is not looked up: it may mean something else tomorrow."""
    known = plain(host)
    if known == "localhost":
        return True
    try:
        return ip_address(known).is_loopback
    except ValueError:
        return False


def _of_ipv6(text: str) -> str:
    try:
        return plain(str(IPv6Address(text)))
    except ValueError:
        return ""
