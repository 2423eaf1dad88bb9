import json
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from events.breach import TYPE, Breach
from events.codec import Decoder
from events.contract import MODELS
from events.rejection import Reason, Rejection
from events.schemas import asyncapi, event_schema, example, texts

DOCS = Path(__file__).parents[2] / "docs"
NOW = 1_795_442_602_120


@pytest.mark.parametrize("path", texts())
def test_what_is_committed_is_what_the_models_say(path: str) -> None:
    assert (DOCS / path).read_text("utf-8") == texts()[path], "run `python -m events.schemas docs`"


@pytest.mark.parametrize("kind", MODELS)
def test_the_example_of_a_schema_is_an_event_in_both_eyes(kind: str) -> None:
    schema = event_schema(MODELS[kind])
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(example(MODELS[kind]))
    assert not isinstance(Decoder().decode(json.dumps(example(MODELS[kind])).encode(), [], NOW), Rejection)


def test_the_example_of_what_goes_out_is_valid_and_comes_back_as_it_was() -> None:
    Draft202012Validator(event_schema(Breach)).validate(example(Breach))
    read = Breach.model_validate_json(json.dumps(example(Breach)))
    assert json.loads(read.model_dump_json()) == example(Breach)


def test_what_goes_out_may_not_come_in() -> None:
    refused = Decoder().decode(json.dumps(example(Breach)).encode(), [], NOW)
    assert isinstance(refused, Rejection)
    assert refused.reason is Reason.UNKNOWN_TYPE


@given(st.sampled_from(sorted(MODELS)), st.data())
@settings(max_examples=300, deadline=None)
def test_what_the_schema_refuses_the_decoder_refuses(kind: str, data: st.DataObject) -> None:
    event = json.loads(json.dumps(example(MODELS[kind])))
    members = data.draw(st.sampled_from([event, event["data"]]))
    name = data.draw(st.sampled_from(sorted(members)))
    if data.draw(st.booleans()):
        del members[name]
    else:
        members[name] = data.draw(st.sampled_from([None, "", "a b", "a\u2028b", "x" * 129, 1, 4.5, True, [], {}, "spam", 1e10, "en_US"]))
    valid = Draft202012Validator(event_schema(MODELS[kind])).is_valid(event)
    decoded = Decoder().decode(json.dumps(event).encode(), [], NOW)
    if isinstance(decoded, Rejection) and valid:
        assert name in {"score", "worst", "best"}  # the one rule that JSON Schema cannot tell
    else:
        assert isinstance(decoded, Rejection) is not valid


def test_the_asyncapi_document_refers_to_what_exists() -> None:
    document = yaml.safe_load((DOCS / "asyncapi.yaml").read_text("utf-8"))
    assert document == asyncapi()
    messages = document["components"]["messages"]
    assert {message["name"] for message in messages.values()} == {*MODELS, TYPE}
    for channel in document["channels"].values():
        for reference in channel["messages"].values():
            assert reference["$ref"].removeprefix("#/components/messages/") in messages
    for operation in document["operations"].values():
        assert operation["channel"]["$ref"].removeprefix("#/channels/") in document["channels"]
    for message in messages.values():
        assert (DOCS / message["payload"]["$ref"]).is_file()
