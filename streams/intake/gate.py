"""Who is asking: a bearer token, someone who signs, or, where there are no tokens, only this very machine.

A proxy on this machine would make the whole world look local, and a web page can make a browser send to 127.0.0.1. So
without tokens a request that was forwarded, or that names another host, is refused as well.
"""

from typing import Final
from urllib.parse import urlsplit

from aiohttp.web import BaseRequest

from streams.intake.grant import EVERYONE_HERE, Grant
from streams.intake.problem import Problem, Refusal
from streams.intake.token_file import Register
from streams.loopback import is_loopback

SIGNER: Final = "signer"
"""Parameter of the query: the id of whoever signs."""
CHALLENGE: Final = {"WWW-Authenticate": 'Bearer realm="frontdesk"'}
FORWARDED: Final = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip", "Via")


class Gate:
    """`register` is exchanged when the token file is read again; None where there is no file."""

    def __init__(self, register: Register | None) -> None:
        self.register = register

    def of_token(self, request: BaseRequest, now: int) -> Grant:
        """What whoever asks may do at `now` (ms). Raises `Problem`."""
        if self.register is None:
            if not is_from_here(request):
                raise Problem(Refusal.NOT_LOCAL, "this intake has no tokens, so it takes events from its own machine only", closes=True)
            return EVERYONE_HERE
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        return _in_force(self.register.of_token(token.strip()) if scheme.lower() == "bearer" else None, now)

    def of_signer(self, request: BaseRequest, now: int) -> Grant:
        """The same for who is said to sign; whether it is true is not known before the body. Raises `Problem`."""
        signers = request.rel_url.query.getall(SIGNER, [])
        return _in_force(self.register.of_signer(signers[0]) if self.register is not None and len(signers) == 1 else None, now)


def _in_force(grant: Grant | None, now: int) -> Grant:
    if grant is None:
        raise Problem(Refusal.UNAUTHORIZED, "send a token that is known: Authorization: Bearer fd_...", headers=CHALLENGE, closes=True)
    if grant.is_over(now):
        raise Problem(Refusal.EXPIRED, "this token has expired or was revoked", headers=CHALLENGE, closes=True)
    return grant


def is_from_here(request: BaseRequest) -> bool:
    """Whether a program on this machine asks this machine by its own name, without anybody in between."""
    peer = request.transport.get_extra_info("peername") if request.transport is not None else None
    return (
        peer is not None
        and is_loopback(peer[0])
        and not any(name in request.headers for name in FORWARDED)
        and all(is_loopback(_host(each)) for each in request.headers.getall("Host", []))
    )


def _host(header: str) -> str:
    try:
        return urlsplit(f"//{header}").hostname or ""
    except ValueError:
        return ""
