"""Who sent what is refused: told wherever the record names a source that is a name, and else not at all."""

import json

import pytest

from events.sender import source_of

EVENT = {"specversion": "1.0", "id": "1", "source": "/riverside/helpdesk", "type": "org.frontdesk.contact.v1", "data": {"source": "/inner"}}
WHOLE = json.dumps(EVENT).encode()


@pytest.mark.parametrize(
    ("value", "headers", "source"),
    [
        (WHOLE, [], "/riverside/helpdesk"),
        (WHOLE[:-3], [], "/riverside/helpdesk"),
        (b"\xff" + WHOLE, [], "/riverside/helpdesk"),
        (b'{"deep": ' + b"[" * 20_000 + b', "source": "/deep"', [], "/deep"),
        (b'{"district": "riverside"}', [("ce_source", b"/binary")], "/binary"),
        (WHOLE, [("ce_source", b"/binary")], "/binary"),
        (WHOLE, [("ce_source", None)], "/riverside/helpdesk"),
        (b"no json", [], ""),
        (None, [], ""),
        (b"[1]", [], ""),
        (json.dumps(EVENT | {"source": 17}).encode(), [], ""),
        (json.dumps(EVENT | {"source": "Mrs. Jane Doe"}).encode(), [], ""),
        (json.dumps(EVENT | {"source": "x" * 129}).encode(), [], ""),
        (json.dumps(EVENT | {"source": "mailto:jane.doe@example.org"}).encode(), [], ""),
        (b"{}", [("ce_source", b"tel:+13125550147")], ""),
        (WHOLE, [("ce_source", b"\xff\xfe ")], ""),
    ],
)
def test_the_source_is_told_where_it_is_a_name(value: bytes | None, headers: list[tuple[str, bytes | None]], source: str) -> None:
    assert source_of(value, headers) == source
