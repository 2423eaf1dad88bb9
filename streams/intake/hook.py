"""Webhooks of other systems: each a mapping file in the folder of hooks, `NAME.yaml` for `POST /hooks/NAME`.

Nothing of a webhook goes on but what its mapping names: subjects, bodies, names and addresses end here.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal

from streams.clock import Clock, WallClock
from streams.intake.grant import Grant
from streams.intake.problem import Problem, Refusal
from streams.intake.signature import SCHEMES
from streams.intake.submission import Posted
from streams.mapping import Mapping as MappingFile
from streams.mapping import MappingError, Translation, key_of, read_as
from streams.settings import Settings

WALL: Final = WallClock()


class HookFile(MappingFile):
    """A mapping whose row is the webhook's body. `signature` is how the sender signs, where it does."""

    signature: Literal["standard", "zendesk", "chatwoot"] = "standard"


class Hook:
    """One webhook."""

    def __init__(self, file: HookFile, key: bytes | None, clock: Clock = WALL) -> None:
        """`key` is that of pseudonyms. Raises `MappingError`."""
        self._clock = clock
        self._translation = Translation(file, key, remembers=False)
        self._verify = SCHEMES[file.signature]

    def verified(self, grant: Grant, headers: Mapping[str, str], body: bytes, now_s: int) -> str:
        """What names the delivery, where its signature is good and young. Raises `Problem`."""
        return self._verify(grant, headers, body, now_s)

    def posted(self, body: bytes) -> list[Posted]:
        """The events of a delivery; none where it tells nothing that is counted. Raises `Problem`."""
        row = _object(body)
        received = datetime.fromtimestamp(self._clock.now() / 1000, UTC)
        try:
            return [Posted(_wire(emitted.event)) for emitted in self._translation.events(row, 1, received=received).emitted]
        except MappingError as error:
            raise Problem(Refusal.REJECTED, f"the mapping of this webhook cannot read it: {error}") from error
        except (UnicodeEncodeError, RecursionError) as error:
            raise Problem(Refusal.REJECTED, "what this webhook tells is too deep, or cut in the middle of a character") from error


def hooks_of(settings: Settings) -> dict[str, Hook]:
    """By name. Raises `MappingError` with the file's name, OSError where the folder or the key cannot be read."""
    if settings.intake_hooks is None:
        return {}
    key = None if settings.pseudonym_key is None else key_of(settings.pseudonym_key)
    return {file.stem: _read(file, key) for file in sorted(_listed(settings.intake_hooks))}


def _listed(folder: Path) -> list[Path]:
    return [file for file in folder.iterdir() if file.suffix == ".yaml"]


def _read(file: Path, key: bytes | None) -> Hook:
    try:
        return Hook(read_as(HookFile, file), key)
    except MappingError as error:
        raise MappingError(f"{file}: {error}") from error


def _object(body: bytes) -> dict[str, Any]:
    try:
        row = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Problem(Refusal.UNREADABLE, "a webhook is a JSON object") from error
    if not isinstance(row, dict):
        raise Problem(Refusal.UNREADABLE, "a webhook is a JSON object")
    return row


def _wire(event: dict[str, Any]) -> bytes:
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()
