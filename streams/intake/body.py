"""The body of a request, read within its time and its size, each byte claimed when it arrives."""

import asyncio
from typing import Final

from aiohttp import HttpVersion11
from aiohttp.client_exceptions import ClientError
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web import BaseRequest, RequestPayloadError

from events.exit_code import ExitCode
from streams.intake.memory_budget import Claim
from streams.intake.problem import Problem, Refusal
from streams.intake.unpacking import unpacked

MOST_BYTES: Final = 1 << 20
MOST_CHUNKS: Final = 10_000
"""Of HTTP, which each cost as much as a hundred bytes."""
WITHIN_S: Final = 15.0


class ClientGone(ConnectionError):
    """The client went away before its request was whole."""

    exit_code = ExitCode.MISTAKE


async def read(request: BaseRequest, claim: Claim, within_s: float) -> bytes:
    """The bytes as they came. Raises `Problem`, or `ClientGone`."""
    if (request.content_length or 0) > MOST_BYTES:
        raise _too_large()
    try:
        async with asyncio.timeout(within_s):
            await _go_on(request)
            return await _within_size(request, claim)
    except TimeoutError as error:
        raise Problem(Refusal.TOO_SLOW, f"the body did not arrive within {within_s:g} s", closes=True) from error
    except OSError as error:
        raise ClientGone from error
    except (RequestPayloadError, HttpProcessingError, ClientError) as error:
        raise Problem(Refusal.UNREADABLE, "the body does not end as it says", closes=True) from error


async def _within_size(request: BaseRequest, claim: Claim) -> bytes:
    parts, size, chunks = list[bytes](), 0, 0
    while not request.content.at_eof():
        part, ends_chunk = await request.content.readchunk()
        size, chunks = size + len(part), chunks + ends_chunk
        if size > MOST_BYTES or chunks > MOST_CHUNKS:
            raise _too_large()
        claim.grow(len(part))
        parts.append(part)
    return b"".join(parts)


async def _go_on(request: BaseRequest) -> None:
    """Let a client that asks first send its body: only now is it known that we want it."""
    expected = request.headers.get("Expect")
    if expected is None or request.version < HttpVersion11:
        return
    if expected.lower() != "100-continue":
        raise Problem(Refusal.EXPECTATION, "the only expectation that can be met is 100-continue", closes=True)
    await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    request.writer.output_size = 0  # the answer has not begun


def unpack(request: BaseRequest, body: bytes, claim: Claim) -> bytes:
    """The body without its content encoding; what it grows by is claimed."""
    plain = unpacked(body, request.headers.get("Content-Encoding", "").strip().lower(), MOST_BYTES)
    if plain is not body:
        claim.grow(len(plain))
    return plain


def _too_large() -> Problem:
    return Problem(Refusal.TOO_LARGE, f"a request may have {MOST_BYTES:,} bytes, in {MOST_CHUNKS:,} chunks", closes=True)
