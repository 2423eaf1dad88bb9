"""Who is asking: a bearer token, someone who signs, or, where there are no tokens, only this very machine.

Without tokens the policy of all doors decides (`streams.http.policy`), without any name that is allowed beside this machine's own:
whatever came through a proxy is refused. A secret that is wrong too often is not looked at for a while (`streams.http.tries`).
"""

import time
from typing import Final

from aiohttp.web import BaseRequest

from streams.host import is_loopback
from streams.http import LOCAL, Tries, client_of
from streams.intake.grant import EVERYONE_HERE, Grant
from streams.intake.problem import Problem, Refusal
from streams.intake.register import Register

SIGNER: Final = "signer"
"""Parameter of the query: the id of whoever signs."""
CHALLENGE: Final = {"WWW-Authenticate": 'Bearer realm="frontdesk"'}


class Authentication:
    """`register` is exchanged when the token file is read again; None where there is no file."""

    def __init__(self, register: Register | None) -> None:
        self.register = register
        self._tries = Tries(time.monotonic)

    def of_token(self, request: BaseRequest, now: int) -> Grant:
        """What whoever asks may do at `now` (ms). Raises `Problem`."""
        if self.register is None:
            if not is_from_here(request):
                raise Problem(Refusal.NOT_LOCAL, "this intake has no tokens, so it takes events from its own machine only", closes=True)
            return EVERYONE_HERE
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            raise _unknown()
        return _in_force(self._of_secret(self.register, request, token.strip()), now)

    def of_signer(self, request: BaseRequest, now: int) -> Grant:
        """The same for who is said to sign; whether it is true is not known before the body. Raises `Problem`."""
        signers = request.rel_url.query.getall(SIGNER, [])
        grant = self.register.of_signer(signers[0]) if self.register is not None and len(signers) == 1 else None
        if grant is not None:
            self._refuse_a_guesser(request, grant)
        return _in_force(grant, now)

    def signed(self, request: BaseRequest, grant: Grant, good: bool) -> None:
        """Whether the signature was that of the body: remembered for the next time."""
        client = _client(request, grant)
        if good:
            self._tries.succeeded(client)
        else:
            self._tries.failed(client, repr(request.raw_headers))

    def _of_secret(self, register: Register, request: BaseRequest, token: str) -> Grant | None:
        """An id that is not known has no secret that could be guessed, so only those that are known are counted."""
        named = register.named(token)
        if named is None:
            return register.of_token(token)
        self._refuse_a_guesser(request, named)
        grant = register.of_token(token)
        if grant is None:
            self._tries.failed(_client(request, named), token)
        else:
            self._tries.succeeded(_client(request, named))
        return grant

    def _refuse_a_guesser(self, request: BaseRequest, grant: Grant) -> None:
        wait_s = self._tries.wait_s(_client(request, grant))
        if wait_s:
            raise Problem(Refusal.TOO_MANY_TRIES, "too many wrong secrets from there", retry_after_s=wait_s, closes=True)


def _in_force(grant: Grant | None, now: int) -> Grant:
    if grant is None:
        raise _unknown()
    if grant.is_over(now):
        raise Problem(Refusal.EXPIRED, "this token has expired or was revoked", headers=CHALLENGE, closes=True)
    return grant


def _unknown() -> Problem:
    return Problem(Refusal.UNAUTHORIZED, "send a token that is known: Authorization: Bearer fd_...", headers=CHALLENGE, closes=True)


def _client(request: BaseRequest, grant: Grant) -> str:
    """Publishers behind one balancer are told apart by what they name: one that is wrong shuts out no other."""
    return f"{client_of(request)} {grant.id}"


def is_from_here(request: BaseRequest) -> bool:
    """Whether a program on this machine asks this machine by its own name, without anybody in between."""
    return is_loopback(request.remote or "") and LOCAL.objection(request, credential=False) is None
