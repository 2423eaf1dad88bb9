"""A room is entered through its `__init__`; `__all__` there names what it offers: things, or modules where loading all would be slow."""

import ast
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PRODUCT = {
    file: file.read_text() for folder in ("events", "projections", "sinks", "streams", "deploy") for file in (ROOT / folder).rglob("*.py")
}
ROOMS = [*(f"streams.{init.parent.name}" for init in sorted(ROOT.glob("streams/*/__init__.py"))), "deploy.embedded"]


def module_of(file: Path) -> str:
    return ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def _imports(source: str) -> Iterator[tuple[str, str]]:
    """(module, name) of all that is imported; the name is empty where a module is imported whole."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom):
            yield from ((node.module or "", each.name) for each in node.names)
        elif isinstance(node, ast.Import):
            yield from ((each.name, "") for each in node.names)


@cache
def imports(source: str) -> list[tuple[str, str]]:
    return list(_imports(source))


def past_the_door(importer: str, source: str, room: str) -> list[str]:
    """What a module outside of a room imports from it and the room does not offer."""
    if room not in source or importer == room or importer.startswith(f"{room}."):
        return []
    offered = set(import_module(room).__all__)
    found = []
    for module, name in imports(source):
        inside = name if module == room else module.removeprefix(f"{room}.")
        if (module == room or module.startswith(f"{room}.")) and inside not in offered:
            found.append(f"{importer} imports {module} {name}")
    return found


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_is_entered_through_its_door(room: str) -> None:
    assert [found for file, source in PRODUCT.items() for found in past_the_door(module_of(file), source, room)] == []


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_offers_only_what_it_has(room: str) -> None:
    door = import_module(room)
    for name in door.__all__:
        assert hasattr(door, name) or import_module(f"{room}.{name}")


@pytest.mark.parametrize(
    ("source", "is_past"),
    [
        ("from streams.kafka import reader", False),
        ("from streams.kafka.client import reader", True),
        ("import streams.kafka.client", True),
        ("from streams.kafka import nothing_it_offers", True),
        ("from streams.kafkaesque import reader", False),
    ],
)
def test_this_test_sees_what_passes_the_door(source: str, is_past: bool) -> None:
    assert bool(past_the_door("streams.page.server", source, "streams.kafka")) is is_past
    assert past_the_door("streams.kafka.group", source, "streams.kafka") == []


def test_few_files_stand_beside_the_rooms() -> None:
    assert len([*ROOT.glob("streams/*.py")]) - 1 <= 12  # without __init__
