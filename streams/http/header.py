"""Headers as aiohttp hands them over: text, in which bytes that are no UTF-8 stand as surrogates."""


def as_sent(header: str) -> bytes:
    """The bytes of a header, or of a part of it, whatever they are."""
    return header.encode("utf-8", "surrogateescape")
