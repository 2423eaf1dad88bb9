"""What was posted: a body and its headers in one of the content modes of CloudEvents over HTTP, as records that can be judged.

What the decoder reads is made here, and nothing is judged: of a binary event, its `ce-` headers become Kafka's `ce_` ones,
decoded as the HTTP binding (CloudEvents 1.0.2, section 3.1.3.2) says. Only attributes are read, so that no header of the
request can pass for one of ours.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final
from urllib.parse import unquote

import msgspec
from msgspec import Raw

from events.headers import ATTRIBUTE, CONTENT_TYPE
from events.rejection import Reason, Rejection
from streams.http import as_sent
from streams.intake.problem import Problem, Refusal
from streams.kafka import STRUCTURED, Headers

MOST_EVENTS: Final = 5_000
MOST_ATTRIBUTE_BYTES: Final = 16 * 1024
"""Of a binary event, beside its value, which has a limit of its own."""
PREFIX: Final = "ce-"
HttpHeaders = Sequence[tuple[str, str]]
"""Names and values as they came, in their order."""


class Mode(StrEnum):
    """How events are written into a request."""

    BINARY = "binary"
    STRUCTURED = "application/cloudevents+json"
    BATCHED = "application/cloudevents-batch+json"
    NDJSON = "application/x-ndjson"


SAME_AS: Final = {"application/ndjson": Mode.NDJSON.value, "application/jsonl": Mode.NDJSON.value}


@dataclass(frozen=True, slots=True)
class Posted:
    """One event of a request, not judged yet: value and headers of its record. `spoilt` where not even that can be made."""

    value: bytes
    headers: Headers = field(default_factory=lambda: STRUCTURED)
    spoilt: Rejection | None = None


_batch = msgspec.json.Decoder(list[Raw]).decode
_ATTRIBUTE = re.compile(r"[a-z0-9]{1,64}").fullmatch
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]").search
_SEVERAL = frozenset({"authorization", "content-type", "content-encoding", "webhook-id", "webhook-timestamp", "webhook-signature"})


def refuse_doubled(headers: HttpHeaders) -> None:
    """Raise `Problem` where a header that must stand once stands twice: two readers could take two of its values."""
    seen: set[str] = set()
    for name, _ in headers:
        known = name.lower()
        if known in seen and (known in _SEVERAL or known.startswith(PREFIX)):
            raise Problem(Refusal.UNREADABLE, f"the header {known[:64]} stands twice", closes=True)
        seen.add(known)


def mode_of(headers: HttpHeaders) -> Mode:
    """The content mode; the content type decides before `ce-specversion` does. Raises `Problem`."""
    fields = {name.lower(): value for name, value in headers}
    media_type, _, parameters = fields.get("content-type", "").lower().partition(";")
    media_type = media_type.strip()
    media_type = SAME_AS.get(media_type, media_type)
    if media_type in (Mode.STRUCTURED, Mode.BATCHED, Mode.NDJSON):
        _refuse_other_charsets(parameters)
        return Mode(media_type)
    if f"{PREFIX}specversion" in fields and not media_type.startswith("application/cloudevents"):
        return Mode.BINARY
    raise Problem(
        Refusal.MEDIA_TYPE,
        f"send {Mode.STRUCTURED}, {Mode.BATCHED} or {Mode.NDJSON}, or data as application/json with ce- headers",
        headers={"Accept": f"{Mode.STRUCTURED}, {Mode.BATCHED}, {Mode.NDJSON}, application/json"},
        closes=True,
    )


def refuse_other_than_json(headers: HttpHeaders) -> None:
    """For webhooks of other systems. Raises `Problem`."""
    content_type = next((value for name, value in headers if name.lower() == "content-type"), "")
    media_type, _, parameters = content_type.lower().partition(";")
    if media_type.strip() != "application/json":
        raise Problem(Refusal.MEDIA_TYPE, "a webhook is application/json", headers={"Accept": "application/json"}, closes=True)
    _refuse_other_charsets(parameters)


def _refuse_other_charsets(parameters: str) -> None:
    charset = re.search(r"charset\s*=\s*\"?([^\";\s]+)", parameters)
    if charset and charset.group(1) not in ("utf-8", "utf8"):
        raise Problem(Refusal.MEDIA_TYPE, "events are UTF-8", closes=True)


def posted_in(mode: Mode, headers: HttpHeaders, body: bytes) -> list[Posted]:
    """The events of a request in their order. Raises `Problem` where the body as a whole is none, or has too many."""
    if mode is Mode.BINARY:
        return [_binary(headers, body)]
    if mode is Mode.STRUCTURED:
        return [Posted(body)]
    values: Sequence[bytes | Raw] = _values_of_batch(body) if mode is Mode.BATCHED else [line for line in body.split(b"\n") if line.strip()]
    if len(values) > MOST_EVENTS:
        raise Problem(Refusal.TOO_LARGE, f"a request may have {MOST_EVENTS:,} events")
    return [Posted(bytes(value)) for value in values]


def _values_of_batch(body: bytes) -> list[Raw]:
    try:
        body.decode()
        return _batch(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Problem(Refusal.UNREADABLE, "a batch is a JSON array of events, in UTF-8") from error


def _binary(headers: HttpHeaders, body: bytes) -> Posted:
    media_type = next((value for name, value in headers if name.lower() == "content-type"), "")
    attributes = [(name.lower().removeprefix(PREFIX), value) for name, value in headers if name.lower().startswith(PREFIX)]
    if sum(len(name) + len(value) for name, value in attributes) > MOST_ATTRIBUTE_BYTES:
        return Posted(body, [], Rejection(Reason.TOO_LARGE, "$", f"attributes must be at most {MOST_ATTRIBUTE_BYTES} bytes"))
    return _with_attributes(body, media_type, attributes)


def _with_attributes(body: bytes, media_type: str, attributes: Iterable[tuple[str, str]]) -> Posted:
    out: Headers = [(CONTENT_TYPE, as_sent(media_type))] if media_type else []
    for name, value in attributes:
        if not _ATTRIBUTE(name) or name in ("data", "datacontenttype"):
            return Posted(
                body, [], Rejection(Reason.NOT_CLOUDEVENT, "$", "a ce- header is named for an attribute: small letters and digits")
            )
        text = _text(value)
        if text is None:
            return Posted(
                body, [], Rejection(Reason.NOT_CLOUDEVENT, f"$.{name}", "must be percent-encoded UTF-8 without control characters")
            )
        out.append((ATTRIBUTE + name, text.encode()))
    return Posted(body, out)


def _text(value: str) -> str | None:
    """An attribute out of a header: unquoted, then percent-decoded once; None where that is no text."""
    if len(value) > 1 and value[0] == value[-1] == '"':
        value = re.sub(r"\\(.)", r"\1", value[1:-1])
    try:
        text = unquote(value, errors="strict")
        text.encode()  # aiohttp hands bytes that are no UTF-8 over as lone surrogates
    except UnicodeError:
        return None
    return None if _CONTROL(text) else text
