"""The contract for those who do not read Python: JSON Schemas and an AsyncAPI 3 document, made from the models.

They are committed, and a test fails when they differ. `python -m events.schemas docs` writes them again.
"""

import json
import sys
from pathlib import Path
from typing import Any, get_type_hints

import yaml
from pydantic import BaseModel

from events.breach import Breach
from events.contract import LARGEST, MODELS
from events.directory_model import DirectoryFile

TOPIC = "frontdesk.events"
BREACH_TOPIC = "frontdesk.breaches"
_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def texts() -> dict[str, str]:
    """Text of each generated file by its path below the folder of documents."""
    schemas = {_name(model): event_schema(model) for model in (*MODELS.values(), Breach)} | {
        "directory": _dialect(DirectoryFile.model_json_schema())
    }
    files = {f"schemas/{name}.json": json.dumps(schema, indent=2, ensure_ascii=False) + "\n" for name, schema in schemas.items()}
    return files | {"asyncapi.yaml": yaml.safe_dump(asyncapi(), sort_keys=False, allow_unicode=True, width=120)}


def event_schema(model: type[BaseModel]) -> dict[str, Any]:
    """JSON Schema of one event, whole in itself, with an example."""
    schema = model.model_json_schema()
    (data,) = schema.pop("$defs").values()
    schema["properties"]["data"] = data
    return _dialect(schema) | {"examples": [example(model)]}


def example(model: type[BaseModel]) -> dict[str, Any]:
    """An invented event of this type, every member present."""
    attributes = _examples(model) | {"data": _examples(get_type_hints(model)["data"])}
    return {name: attributes[name] for name in ("specversion", "id", "source", "type", *attributes)}


def asyncapi() -> dict[str, Any]:
    """AsyncAPI 3 document: a topic of four messages that come in, and one of the message that goes out. Long, because it is a document."""
    names = {_name(model): model for model in MODELS.values()}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Frontdesk events",
            "version": "1.0.0",
            "license": {"name": "Apache-2.0"},
            "description": (
                "What school districts' systems publish: CloudEvents 1.0 in structured or binary mode, keyed by district. "
                f"A value may have {LARGEST} bytes. A member of `data` that is null is as good as absent, an unknown one is dropped. "
                "And what Frontdesk publishes itself: promises to stakeholders that are about to break or are broken, in structured mode."
            ),
        },
        "defaultContentType": "application/cloudevents+json",
        "channels": {
            "events": {
                "address": TOPIC,
                "description": "All events of a district are in one partition: murmur2 of `data.district`, as Kafka's Java client does it.",
                "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in names},
                "bindings": {"kafka": {"topic": TOPIC}},
            },
            "breaches": {
                "address": BREACH_TOPIC,
                "description": "All of a district are in one partition, in order. A message may come twice, with the same id.",
                "messages": {_name(Breach): {"$ref": f"#/components/messages/{_name(Breach)}"}},
                "bindings": {"kafka": {"topic": BREACH_TOPIC}},
            },
        },
        "operations": {
            "receiveEvents": {
                "action": "receive",
                "channel": {"$ref": "#/channels/events"},
                "summary": "What is received is counted.",
            },
            "sendBreaches": {
                "action": "send",
                "channel": {"$ref": "#/channels/breaches"},
                "summary": "For tools that call people: each story is told once, as it happens, and never of what is over an hour past.",
            },
        },
        "components": {"messages": {name: _message(name, model) for name, model in (names | {_name(Breach): Breach}).items()}},
    }


def _message(name: str, model: type[BaseModel]) -> dict[str, Any]:
    return {
        "name": model.model_fields["type"].default,
        "title": model.__name__,
        "summary": model.__doc__,
        "contentType": "application/cloudevents+json",
        "payload": {"$ref": f"./schemas/{name}.json"},
        "bindings": {"kafka": {"key": {"type": "string", "description": "The district."}}},
        "examples": [{"name": "everything", "payload": example(model)}],
    }


def _examples(model: type[BaseModel]) -> dict[str, Any]:
    fields = model.model_fields.items()
    return {name: field.examples[0] if field.examples else field.default for name, field in fields if name != "data"}


def _dialect(schema: dict[str, Any]) -> dict[str, Any]:
    return {"$schema": _DIALECT} | schema


def _name(model: type[BaseModel]) -> str:
    return model.__name__.lower()


if __name__ == "__main__":
    for path, text in texts().items():
        target = Path(sys.argv[1], path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, "utf-8")
