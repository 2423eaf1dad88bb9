"""What another directory says otherwise, in plain words: a line for each thing, by the place where it stands."""

from collections.abc import Iterator
from typing import Any

from events.directory import Directory

GROUPS = {"districts": "district", "schools": "school", "departments": "department"}
Path = tuple[str, ...]


def told_differences(old: Directory, new: Directory) -> list[str]:
    """One line for each thing that is new, gone or another one; revisions are not compared."""
    return list(_differences((), _plain(old), _plain(new)))


def _plain(directory: Directory) -> Any:
    return directory.file.model_dump(mode="json", by_alias=True, exclude_defaults=True, exclude={"revision"})


def _differences(path: Path, old: Any, new: Any) -> Iterator[str]:
    if old == new:
        return
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*old, *(key for key in new if key not in old)]:
            yield from _member((*path, key), old.get(key), new.get(key))
    elif _are_plain_lists(old, new):
        yield from (f"{_where(path)}: {item} is gone" for item in old if item not in new)
        yield from (f"{_where(path)}: {item} is new" for item in new if item not in old)
    else:
        yield f"{_where(path)}: {_told(new)}, was {_told(old)}"


def _member(path: Path, old: Any, new: Any) -> Iterator[str]:
    """A key that one side may lack. Whole groups and lists of days are told piece by piece."""
    if path[-1] in GROUPS and isinstance(old or new, dict):
        yield from _differences(path, old or {}, new or {})
    elif _are_plain_lists(old or [], new or []):
        yield from _differences(path, old or [], new or [])
    elif old is None:
        yield f"{_where(path)} is new{_behind(new)}"
    elif new is None:
        yield f"{_where(path)} is gone{_behind(old)}"
    else:
        yield from _differences(path, old, new)


def _are_plain_lists(old: Any, new: Any) -> bool:
    return isinstance(old, list) and isinstance(new, list) and all(isinstance(item, str) for item in [*old, *new])


def _where(path: Path) -> str:
    """`districts, riverside, schools, north, snow_days` as `district riverside, school north: snow days`."""
    parts = iter(path)
    return ", ".join(f"{GROUPS[part]} {next(parts, '')}".strip() if part in GROUPS else part.replace("_", " ") for part in parts)


def _behind(value: Any) -> str:
    return f": {_told(value)}" if value not in ({}, [], "") else ""


def _told(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_told(member)}" for key, member in value.items())
    if isinstance(value, list):
        return " and ".join(map(_told, value)) if all(isinstance(item, str) for item in value) else "; ".join(map(_told, value))
    return str(value)
