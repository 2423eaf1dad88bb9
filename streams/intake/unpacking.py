"""Bodies as they were before gzip or zstd, never more than is allowed, whatever a small body claims to become.

Both formats may be several members one after the other. A zstd window is at most 8 MiB, as RFC 9659 has it for HTTP, so
that a header of a few bytes cannot ask for a hundred megabytes.
"""

import sys
import zlib
from collections.abc import Callable
from typing import Any, Protocol

from streams.intake.problem import Problem, Refusal

if sys.version_info >= (3, 14):
    from compression.zstd import DecompressionParameter, ZstdDecompressor, ZstdError
else:
    from backports.zstd import DecompressionParameter, ZstdDecompressor, ZstdError

TAKEN = ("gzip", "zstd")
MOST_MEMBERS = 64
_WINDOW_LOG = {int(DecompressionParameter.window_log_max): 23}
_GZIP = 31
"""zlib's number for a gzip header and the largest window."""


class _Member(Protocol):
    """One compressed stream."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


def _zstd() -> Any:
    return ZstdDecompressor(options=_WINDOW_LOG)


def _gzip() -> Any:
    return zlib.decompressobj(_GZIP)


_DECOMPRESSORS: dict[str, Callable[[], _Member]] = {"gzip": _gzip, "x-gzip": _gzip, "zstd": _zstd}


def unpacked(body: bytes, encoding: str, most_bytes: int) -> bytes:
    """The body without its content encoding ('' or one of `TAKEN`). Raises `Problem`."""
    if encoding in ("", "identity"):
        return body
    decompressor = _DECOMPRESSORS.get(encoding)
    if decompressor is None:
        raise Problem(
            Refusal.MEDIA_TYPE, f"content encodings are {' and '.join(TAKEN)}, one at a time", headers={"Accept-Encoding": ", ".join(TAKEN)}
        )
    try:
        return _members(body, decompressor, most_bytes)
    except (zlib.error, ZstdError) as error:
        raise Problem(Refusal.UNREADABLE, f"the body is no {encoding}") from error


def _members(body: bytes, decompressor: Callable[[], _Member], most_bytes: int) -> bytes:
    parts: list[bytes] = []
    budget = most_bytes
    for _ in range(MOST_MEMBERS):
        member = decompressor()
        part = member.decompress(body, budget + 1)
        budget -= len(part)
        if budget < 0:
            raise Problem(Refusal.TOO_LARGE, f"the body is over {most_bytes} bytes when it is unpacked")
        parts.append(part)
        if not member.eof:
            raise Problem(Refusal.UNREADABLE, "the body is cut off: its compression does not end")
        body = member.unused_data
        if not body:
            return b"".join(parts)
    raise Problem(Refusal.UNREADABLE, f"the body is of more than {MOST_MEMBERS} compressed members")
