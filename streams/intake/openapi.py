"""The intake for those who do not read Python: an OpenAPI 3.1 document, made from the code.

It is served as `/openapi.yaml` and committed; a test fails when they differ. `python -m streams.intake.openapi docs` writes
it again.
"""

import sys
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

from events.contract import MODELS
from events.rejection import Reason
from events.schemas import event_schema, example
from streams.intake.authentication import SIGNER
from streams.intake.body import MOST_BYTES, MOST_CHUNKS
from streams.intake.problem import MEDIA_TYPE, Refusal
from streams.intake.signature import ID, SIGNATURE, TIMESTAMP
from streams.intake.submission import MOST_EVENTS, Mode
from streams.intake.validation import FORBIDDEN

FILE: Final = "openapi.yaml"
MEANINGS: Final = {
    400: "The request cannot be read.",
    401: "No token, none that is known or in force, or a signature that is not good.",
    403: "The token may not do that; or, without tokens, the request is not from this machine; or another site's web page sends it.",
    404: "There is no such page.",
    405: "The page does not know this method.",
    408: "The body did not arrive in time.",
    413: f"Over {MOST_BYTES:,} bytes, as it came or unpacked, over {MOST_EVENTS:,} events, or over {MOST_CHUNKS:,} chunks.",
    415: "A content type or encoding that is not taken.",
    417: "An expectation that cannot be met.",
    422: "No event of the request keeps the contract; `events` says why.",
    429: "The rate of the token is used up, or there were too many wrong secrets.",
    500: "A mistake in the intake.",
    503: "Kafka is away, the memory is used up, or the process is about to end. Send all again: an event sent twice counts once.",
}
OF_EVENTS: Final = (400, 401, 403, 408, 413, 415, 417, 422, 429, 503)
ATTRIBUTES: Final = ("ce-specversion", "ce-id", "ce-source", "ce-type", "ce-subject", "ce-time")
BINARY: Final = "application/json"
WITH_RETRY_AFTER: Final = (429, 503)


@cache
def text() -> str:
    """The document as YAML."""
    return yaml.safe_dump(document(), sort_keys=False, allow_unicode=True, width=120)


def document() -> dict[str, Any]:
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Frontdesk intake",
            "version": "1.0.0",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            "description": (
                "CloudEvents 1.0 over HTTP, in binary, structured and batched mode, and as NDJSON. 202 means that Kafka has acknowledged "
                "every event. An event may be sent again at any time: it counts once. Members of `data` that the contract does not know "
                "are not stored, and named in `dropped`; extensions are not stored either. What looks like an e-mail address, a telephone "
                "number or a social security number is rejected."
            ),
        },
        "servers": [{"url": "/"}],
        "security": [{"token": []}],
        "paths": {
            "/events": {"post": _post(), "options": _options("handshake", [])},
            "/events/signed": {"post": _post_signed(), "options": _options("handshakeOfSigner", [_signer()])},
            "/hooks/{name}": {"post": _hook()},
            f"/{FILE}": {"get": _page("document", "This document.", {"application/yaml": {"schema": {"type": "object"}}})},
            "/health/live": {
                "get": _page("live", "200 as long as the process does its work.", _json(_open({"live": {"type": "boolean"}})))
            },
            "/health/ready": {"get": _ready()},
            "/metrics": {"get": _metrics()},
        },
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "description": "Made by `frontdesk token create`."}},
            "schemas": {**{_name(model): event_schema(model) for model in MODELS.values()}, **_schemas()},
        },
    }


def _post() -> dict[str, Any]:
    return {
        "operationId": "publish",
        "summary": "Publish events.",
        "description": (
            f"At most {MOST_BYTES:,} bytes and {MOST_EVENTS:,} events. Bodies may be packed with `Content-Encoding: gzip` or `zstd`. "
            "In binary mode the attributes are `ce-` headers and the body is `data`."
        ),
        "parameters": [_header(name) for name in (*ATTRIBUTES, "Content-Encoding")],
        "requestBody": {"required": True, "content": _requests()},
        "responses": {
            "202": _answer("Kafka has acknowledged every event.", "#/components/schemas/Outcome"),
            "207": _answer("Kafka has acknowledged some events; the others are rejected.", "#/components/schemas/Outcome"),
            **_problems(*OF_EVENTS),
        },
    }


def _post_signed() -> dict[str, Any]:
    post = _post()
    content = {kind: media for kind, media in _requests().items() if kind != BINARY}
    return post | {
        "operationId": "publishSigned",
        "summary": "Publish events in a delivery that is signed, in place of a token.",
        "description": (
            "As Standard Webhooks (standardwebhooks.com) has it: HMAC-SHA-256 of id, time and body. A signature covers no headers, so "
            "binary mode is not taken. A delivery that was accepted is answered with 202 and no events when it comes again."
        ),
        "security": [],
        "parameters": [_signer(), *(_header(name, required=True) for name in (ID, TIMESTAMP, SIGNATURE)), _header("Content-Encoding")],
        "requestBody": {"required": True, "content": content},
        "responses": post["responses"],
    }


def _hook() -> dict[str, Any]:
    post = _post()
    return post | {
        "operationId": "hook",
        "summary": "A webhook of another system, in that system's own words; its mapping makes events of it.",
        "description": (
            f"With a token, or signed by `{SIGNER}` as the mapping says (Standard Webhooks, Zendesk, Chatwoot). A delivery that tells "
            "nothing that is counted is answered with 202 and no events."
        ),
        "security": [{"token": []}, {}],
        "parameters": [
            {"name": "name", "in": "path", "required": True, "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]+$"}},
            _signer(required=False),
        ],
        "requestBody": {"required": True, "content": {BINARY: {"schema": {"type": "object"}}}},
        "responses": post["responses"] | _problems(404),
    }


def _signer(*, required: bool = True) -> dict[str, Any]:
    description = "Who signs: an id that `frontdesk token create --signed` has printed."
    return {"name": SIGNER, "in": "query", "required": required, "description": description, "schema": {"type": "string"}}


def _header(name: str, *, required: bool = False) -> dict[str, Any]:
    return {"name": name, "in": "header", "required": required, "schema": {"type": "string"}}


def _requests() -> dict[str, Any]:
    event = {"oneOf": [{"$ref": f"#/components/schemas/{_name(model)}"} for model in MODELS.values()]}
    first = example(next(iter(MODELS.values())))
    return {
        Mode.STRUCTURED.value: {"schema": event, "examples": {"contact": {"value": first}}},
        Mode.BATCHED.value: {"schema": {"type": "array", "items": event}, "examples": {"one": {"value": [first]}}},
        Mode.NDJSON.value: {"schema": {"type": "string", "description": "One structured event on each line."}},
        BINARY: {"schema": {"type": "object", "description": "`data` of an event in binary mode."}},
    }


def _options(name: str, parameters: list[dict[str, Any]]) -> dict[str, Any]:
    header = {"schema": {"type": "string"}}
    return {
        "operationId": name,
        "security": [{"token": []}, {}],
        "summary": "Ask whether events may be delivered here, as CloudEvents' webhook specification has it.",
        "parameters": [_header("WebHook-Request-Origin"), *parameters],
        "responses": {
            "200": {
                "description": "They may. Without an origin only `Allow` is answered.",
                "headers": {"Allow": header, "WebHook-Allowed-Origin": header, "WebHook-Allowed-Rate": header},
            },
            **_problems(400, 401, 403, 429),
        },
    }


def _ready() -> dict[str, Any]:
    schema = _json(_open({"ready": {"type": "boolean"}, "reasons": {"type": "array", "items": {"type": "string"}}}))
    page = _page("ready", "Events can be taken.", schema)
    page["responses"]["503"] = {"description": "No events can be taken just now, and why.", "content": schema}
    return page


def _metrics() -> dict[str, Any]:
    anything = {"schema": {"type": "string"}}
    page = _page("metrics", "For Prometheus.", {"text/plain": anything, "application/openmetrics-text": anything})
    page["description"] = "For programs on the same machine, and for tokens that may read it."
    page["responses"] |= _problems(401, 429)
    page["security"] = [{"token": []}, {}]
    return page


def _page(name: str, meaning: str, content: dict[str, Any]) -> dict[str, Any]:
    responses = {"200": {"description": meaning, "content": content}, **_problems(400, 403)}
    return {"operationId": name, "summary": meaning, "security": [], "responses": responses}


def _answer(meaning: str, schema: str) -> dict[str, Any]:
    return {"description": meaning, "content": _json({"$ref": schema})}


def _problems(*statuses: int) -> dict[str, Any]:
    return {str(status): _problem(status) for status in statuses}


def _problem(status: int) -> dict[str, Any]:
    response = {"description": MEANINGS[status], "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}}
    return response | ({"headers": {"Retry-After": {"schema": {"type": "integer"}}}} if status in WITH_RETRY_AFTER else {})


def _schemas() -> dict[str, Any]:
    number = {"type": "integer", "minimum": 0}
    reasons = [*(reason.value for reason in Reason), FORBIDDEN]
    judged = {"accepted": number, "rejected": number, "dropped": {"type": "array", "items": {"type": "string"}}}
    entries = {"type": "array", "items": {"$ref": "#/components/schemas/Event"}}
    return {
        "Event": {
            "type": "object",
            "description": "What became of the event with this index. `unknown`: it may be in Kafka or not.",
            "required": ["index", "status"],
            "properties": {
                "index": number,
                "status": {"enum": ["accepted", "rejected", "unknown"]},
                "partition": number,
                "offset": number,
                "reason": {"enum": reasons},
                "path": {"type": "string", "description": "JSON path of what is wrong."},
                "message": {"type": "string"},
            },
        },
        "Outcome": {
            "type": "object",
            "required": ["accepted", "rejected", "events"],
            "properties": {**judged, "events": entries},
        },
        "Problem": {
            "type": "object",
            "description": "RFC 9457.",
            "required": ["type", "title", "status", "detail"],
            "properties": {
                "type": {"enum": [f"urn:frontdesk:problem:{refusal.value}" for refusal in Refusal]},
                "title": {"type": "string"},
                "status": {"enum": sorted({refusal.status for refusal in Refusal})},
                "detail": {"type": "string"},
                **judged,
                "events": entries,
            },
        },
    }


def _open(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "required": list(properties), "properties": properties}


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _name(model: type[Any]) -> str:
    return f"{model.__name__}"


if __name__ == "__main__":
    Path(sys.argv[1], FILE).write_text(text(), "utf-8")
