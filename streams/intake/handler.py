"""Routes each request to what answers it; each refusal is counted, logged without its body, and answered as a problem document.

Requests are routed here rather than by aiohttp's application, so that every answer, also to nonsense, is one of ours.
"""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any, Final, Protocol

import structlog
from aiohttp.web import BaseRequest, Response, StreamResponse
from prometheus_client.exposition import choose_encoder

from sinks.intake_metrics import IntakeGauges, IntakeMetrics
from streams.clock import Clock
from streams.http import HEADERS, Policy
from streams.intake import body as bodies
from streams.intake.answer import ACCEPTED, REJECTED, UNKNOWN, answer
from streams.intake.authentication import SIGNER, Authentication, is_from_here
from streams.intake.body import ClientGone
from streams.intake.grant import Grant
from streams.intake.hook import Hook
from streams.intake.kafka_link import AcknowledgedAt
from streams.intake.memory_budget import Claim, MemoryBudget
from streams.intake.openapi import text as openapi_text
from streams.intake.problem import MEDIA_TYPE, Problem, Refusal
from streams.intake.rate_limiter import RateLimiter
from streams.intake.signature import Deliveries, Verify, verified
from streams.intake.submission import Mode, Posted, mode_of, posted_in, refuse_doubled, refuse_other_than_json
from streams.intake.throttle import Throttle
from streams.intake.validation import OutgoingRecord, Validated, Validator

ANSWERED_WITHIN_S: Final = 15.0
JUDGED_AT_ONCE: Final = 100
"""Then others have their turn."""
NEEDS_NO_TOKEN: Final = frozenset({"/openapi.yaml", "/health/live", "/health/ready"})
DISCONNECTED: Final = "disconnected"
"""Beside the refusals, which somebody is told."""
NOTHING_NEW: Final = {ACCEPTED: 0, REJECTED: 0, "events": []}
REQUESTS_A_MINUTE: Final = "*"
"""For the handshake of webhooks: the rate is that of the token."""

Handler = Callable[[BaseRequest], Awaitable[Response]]
Result = tuple[int, dict[str, Any]]
"""Status and body of an answer."""
Taking = Callable[[BaseRequest, Grant, Validator, Claim], Awaitable[Result]]
log = structlog.get_logger("intake")


@dataclass(frozen=True)
class Patience:
    """How long a client may take, in seconds: to send the body of its request, and to read the answer."""

    body_s: float = bodies.WITHIN_S
    answer_s: float = ANSWERED_WITHIN_S


class Link(Protocol):
    """What is asked of Kafka; see `kafka_link`."""

    @property
    def away(self) -> str | None: ...
    def validator(self) -> Validator: ...
    async def send(self, records: Sequence[OutgoingRecord], claim: Claim) -> list[AcknowledgedAt | None]: ...


class IntakeHandler:
    """Everything that is asked of one intake. `stopping` is set when it is about to end. `policy` is that of what needs no token."""

    def __init__(
        self,
        *,
        authentication: Authentication,
        policy: Policy,
        link: Link,
        budget: MemoryBudget,
        metrics: IntakeMetrics,
        clock: Clock,
        connections: Callable[[], int],
        hooks: Mapping[str, Hook] = MappingProxyType({}),
        patience: Patience = Patience(),
        throttle: Throttle | None = None,
    ) -> None:
        self.authentication = authentication
        self._policy = policy
        self.stopping = False
        self.rate_limiter = RateLimiter(time.monotonic)
        self._link = link
        self._patience = patience
        self._budget = budget
        self._metrics = metrics
        self._clock = clock
        self._connections = connections
        self._deliveries = Deliveries()
        self._throttle = throttle or Throttle()
        self._openapi = openapi_text().encode()
        self._routes: dict[str, dict[str, Handler]] = {
            "/events": {"POST": self._events, "OPTIONS": self._handshake},
            "/events/signed": {"POST": self._signed_events, "OPTIONS": self._handshake_of_signer},
            "/openapi.yaml": {"GET": self._document},
            "/health/live": {"GET": self._live},
            "/health/ready": {"GET": self._ready},
            "/metrics": {"GET": self._exposed},
            **{f"/hooks/{name}": {"POST": partial(self._hooked, hook)} for name, hook in hooks.items()},
        }

    async def handle(self, request: BaseRequest) -> StreamResponse:
        """Answer one request. Raises ConnectionError where the client is gone, and nothing else."""
        refusal = None
        try:
            self._refuse_strangers(request)
            response = await self._handler(request)(request)
        except ClientGone:
            self.disconnected()
            raise
        except Problem as problem:
            refusal, response = problem.refusal, self.refused(request, problem)
        except Exception:
            log.exception("a mistake in the intake")
            response = self.refused(request, Problem(Refusal.MISTAKE, "the intake made a mistake; its log says which", closes=True))
        if refusal is not Refusal.TOO_LARGE or await self._throttle.come():
            try:
                await _send(request, response, self._patience.answer_s)
            except ConnectionError:
                self.disconnected()
                raise
        else:
            _cut_off(request)
        return response

    def refused(self, request: BaseRequest, problem: Problem) -> Response:
        """Count, log and tell a refusal."""
        self._metrics.refused(problem.refusal.value)
        path = request.rel_url.raw_path
        known = path if path in self._routes else "(other)"
        log.warning("refused", refusal=problem.refusal.value, status=problem.status, path=known, peer=request.remote)
        response = Response(body=_json(problem.body), status=problem.status, content_type=MEDIA_TYPE, headers=problem.headers)
        if problem.closes:
            response.force_close()
        return response

    def disconnected(self) -> None:
        """Count a client that went away before it had its answer: no mistake of ours, and nobody is there to be told."""
        self._metrics.refused(DISCONNECTED)

    def overcrowded(self) -> None:
        """Count and log a connection that is one too many; it is not answered."""
        self._metrics.refused(Refusal.CROWDED.value)
        log.warning("refused", refusal=Refusal.CROWDED.value, connections=self._connections())

    def _refuse_strangers(self, request: BaseRequest) -> None:
        path = request.rel_url.raw_path
        objection = self._policy.objection(request, credential=path not in NEEDS_NO_TOKEN)
        if objection is not None:
            raise Problem(Refusal[objection.fault.name], objection.detail, closes=True)

    def _handler(self, request: BaseRequest) -> Handler:
        methods = self._routes.get(request.rel_url.raw_path)
        if methods is None:
            raise Problem(Refusal.NOT_FOUND, "there is no such page", closes=True)
        method = "GET" if request.method == "HEAD" else request.method
        if method not in methods:
            allowed = ", ".join(methods)
            raise Problem(Refusal.METHOD, f"this page knows {allowed}", headers={"Allow": allowed}, closes=True)
        return methods[method]

    # -- events --------------------------------------------------------------------------------------------------------
    async def _events(self, request: BaseRequest) -> Response:
        return await self._answered(request, self.authentication.of_token, self._taken)

    async def _signed_events(self, request: BaseRequest) -> Response:
        return await self._answered(request, self.authentication.of_signer, self._taken_once)

    async def _answered(self, request: BaseRequest, asked: Callable[[BaseRequest, int], Grant], take: Taking) -> Response:
        begun = time.monotonic()
        grant = self._admitted(request, asked)
        validator = self._link.validator()
        claim = self._budget.claim()
        try:
            status, body = await take(request, grant, validator, claim)
        finally:
            claim.let_go()
            self._metrics.answered(time.monotonic() - begun)
        return Response(body=_json(body), status=status, content_type="application/json")

    def _admitted(self, request: BaseRequest, asked: Callable[[BaseRequest, int], Grant]) -> Grant:
        """Whatever can be known before the body is read, the cheapest first."""
        if self.stopping:
            raise Problem(Refusal.STOPPING, "this process is about to end: ask again", retry_after_s=1, closes=True)
        refuse_doubled(_headers(request))
        grant = asked(request, self._clock.now())
        self.rate_limiter.ask(grant)
        return grant

    async def _taken(self, request: BaseRequest, grant: Grant, validator: Validator, claim: Claim) -> Result:
        mode = mode_of(_headers(request))
        body = bodies.unpack(request, await bodies.read(request, claim, self._patience.body_s), claim)
        return await self._published(grant, validator, claim, posted_in(mode, _headers(request), body))

    async def _taken_once(self, request: BaseRequest, grant: Grant, validator: Validator, claim: Claim) -> Result:
        mode = mode_of(_headers(request))
        if mode is Mode.BINARY:
            raise Problem(Refusal.MEDIA_TYPE, "a signature covers the body only: send the event in structured mode", closes=True)
        packed = await bodies.read(request, claim, self._patience.body_s)

        async def take() -> Result:
            body = bodies.unpack(request, packed, claim)
            return await self._published(grant, validator, claim, posted_in(mode, _headers(request), body))

        return await self._once(grant, verified, request, packed, take)

    async def _hooked(self, hook: Hook, request: BaseRequest) -> Response:
        """A webhook of another system, with a token or signed."""
        if SIGNER in request.rel_url.query:
            return await self._answered(request, self.authentication.of_signer, partial(self._translated, hook, hook.verified))
        return await self._answered(request, self.authentication.of_token, partial(self._translated, hook, None))

    async def _translated(  # noqa: PLR0917 - the first two are of the hook
        self, hook: Hook, verify: Verify | None, request: BaseRequest, grant: Grant, validator: Validator, claim: Claim
    ) -> Result:
        refuse_other_than_json(_headers(request))
        packed = await bodies.read(request, claim, self._patience.body_s)

        async def take() -> Result:
            return await self._published(grant, validator, claim, hook.posted(bodies.unpack(request, packed, claim)))

        return await take() if verify is None else await self._once(grant, verify, request, packed, take)

    async def _once(
        self, grant: Grant, verify: Verify, request: BaseRequest, packed: bytes, take: Callable[[], Awaitable[Result]]
    ) -> Result:
        """Take a signed delivery that is good and new; one that was taken before is there already. Raises `Problem`."""
        now_s = self._clock.now() // 1000
        delivery = self._verified(grant, verify, request, packed, now_s)
        if not self._deliveries.begin(grant, delivery, now_s):
            log.info("delivered again", token=grant.id)
            return 202, NOTHING_NEW
        try:
            answer = await take()
        except BaseException:
            self._deliveries.forget(grant, delivery)
            raise
        self._deliveries.accepted(grant, delivery)
        return answer

    def _verified(self, grant: Grant, verify: Verify, request: BaseRequest, packed: bytes, now_s: int) -> str:
        try:
            delivery = verify(grant, request.headers, packed, now_s)
        except Problem:
            self.authentication.signed(request, grant, good=False)
            raise
        self.authentication.signed(request, grant, good=True)
        return delivery

    async def _published(self, grant: Grant, validator: Validator, claim: Claim, posted: list[Posted]) -> Result:
        self.rate_limiter.charge(grant, len(posted))
        validated = await self._judged(validator, posted, grant)
        records = validated.records
        places = await self._link.send(records, claim) if records else []
        self._count(grant, validated, places)
        return answer(validated, places)

    async def _judged(self, validator: Validator, posted: list[Posted], grant: Grant) -> Validated:
        validated = Validated()
        for begin in range(0, len(posted), JUDGED_AT_ONCE):
            validator.judged(posted[begin : begin + JUDGED_AT_ONCE], grant, self._clock.now(), validated)
            await asyncio.sleep(0)
        return validated

    def _count(self, grant: Grant, validated: Validated, places: list[AcknowledgedAt | None]) -> None:
        unknown = places.count(None)
        self._metrics.counted(grant.id, ACCEPTED, len(places) - unknown)
        self._metrics.counted(grant.id, UNKNOWN, unknown)
        self._metrics.dropped(validated.dropped)
        reasons = Counter(each.reason for each in validated.rejected)
        if reasons:
            self._metrics.counted(grant.id, REJECTED, reasons.total())
            self._metrics.rejected(reasons)
            log.warning("rejected", token=grant.id, events=len(validated.verdicts), **reasons)

    async def _handshake(self, request: BaseRequest) -> Response:
        return self._agreed(request, self.authentication.of_token)

    async def _handshake_of_signer(self, request: BaseRequest) -> Response:
        return self._agreed(request, self.authentication.of_signer)

    def _agreed(self, request: BaseRequest, asked: Callable[[BaseRequest, int], Grant]) -> Response:
        """CloudEvents' protection against abuse: whoever is known may send here. Without an origin it only tells the methods."""
        headers = {"Allow": "POST, OPTIONS"}
        origin = request.headers.get("WebHook-Request-Origin")
        if origin is not None:
            grant = asked(request, self._clock.now())
            rate = str(max(1, int(grant.rate * 60))) if grant.rate else REQUESTS_A_MINUTE
            headers |= {"WebHook-Allowed-Origin": origin, "WebHook-Allowed-Rate": rate}
        return Response(status=200, headers=headers)

    # -- about itself --------------------------------------------------------------------------------------------------
    async def _document(self, _: BaseRequest) -> Response:
        return Response(body=self._openapi, content_type="application/yaml")

    async def _live(self, _: BaseRequest) -> Response:
        return Response(body=_json({"live": True}), content_type="application/json")

    async def _ready(self, _: BaseRequest) -> Response:
        reasons = self._reasons()
        return Response(
            body=_json({"ready": not reasons, "reasons": reasons}), status=503 if reasons else 200, content_type="application/json"
        )

    def _reasons(self) -> list[str]:
        """Why no event can be taken; none when it can."""
        return [reason for reason in (self._link.away, "stopping" if self.stopping else None) if reason]

    async def _exposed(self, request: BaseRequest) -> Response:
        """For programs on this machine, and for tokens that may read it: it tells what whom sends how much."""
        if not is_from_here(request) and not self.authentication.of_token(request, self._clock.now()).reads_metrics:
            raise Problem(Refusal.FORBIDDEN, "this token may not read the metrics")
        self._metrics.set_gauges(IntakeGauges(not self._reasons(), self._budget.held, self._budget.most_bytes, self._connections()))
        encode, kind = choose_encoder(request.headers.get("Accept", ""))
        return Response(body=encode(self._metrics.registry), headers={"Content-Type": kind})


async def _send(request: BaseRequest, response: StreamResponse, within_s: float) -> None:
    """Write the answer; a client that does not read it in time is cut off. Raises ConnectionError where it is gone."""
    response.headers.update(HEADERS)
    response.headers["Server"] = "frontdesk"
    try:
        async with asyncio.timeout(within_s):
            await response.prepare(request)
            await response.write_eof()
    except TimeoutError:
        _cut_off(request)


def _cut_off(request: BaseRequest) -> None:
    if request.transport is not None:
        request.transport.abort()


def _headers(request: BaseRequest) -> list[tuple[str, str]]:
    return list(request.headers.items())


def _json(content: dict[str, Any]) -> bytes:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
