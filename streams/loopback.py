"""What is reached from this machine only: where anything listens without asking who comes."""

from ipaddress import ip_address


def is_loopback(host: str) -> bool:
    """Whether only this machine gets there. A name but `localhost` is not looked up: it may mean something else tomorrow."""
    if host.lower() == "localhost":
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback
