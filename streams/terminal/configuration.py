"""The one place where settings are made: the environment, then the ports and the password that `frontdesk up` chose, then the defaults.

A slip of the pen in a name is an error with a suggestion, because a setting that is silently ignored costs an evening.
"""

import difflib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import SecretStr, ValidationError
from pydantic_core import ErrorDetails

from streams.settings import Settings
from streams.terminal.outcome import ExitCode, Stop

PREFIX = "FRONTDESK_"
OF_THE_TESTS = frozenset({"FRONTDESK_DATA", "FRONTDESK_APT", "FRONTDESK_FULL"})
"""Variables of the test suite, in whose environment commands run too: no settings, and no slips either."""
STATE_FILE = "stack.json"
PASSWORD_FILE = Path("clickhouse", "password")
"""In the folder of the embedded servers, which answer `load_settings` with it: no other server is ever sent it."""


def load_settings(given: Path | None = None, **flags: object) -> Settings:
    """Settings of this process; `given` is the folder of the embedded servers from the command line, if it was given.

    `flags` are settings by name that the command line gave; None is one that it did not.
    """
    chosen = {name.upper() for name in os.environ if name.upper().startswith(PREFIX)}
    folder = stack_folder(given)
    addresses = embedded_addresses(folder)
    of_the_stack = {name: value for name, value in addresses.items() if PREFIX + name.upper() not in chosen}
    settings = _made({"folder": folder} | of_the_stack | {name: value for name, value in flags.items() if value is not None})
    embedded = all(getattr(settings, name) == addresses.get(name) for name in ("clickhouse_host", "clickhouse_port"))
    if not embedded or chosen & {"FRONTDESK_CLICKHOUSE_USER", "FRONTDESK_CLICKHOUSE_PASSWORD"}:
        return settings
    return settings.model_copy(update={"clickhouse_password": _password(folder)})


def _password(folder: Path) -> SecretStr:
    file = folder / PASSWORD_FILE
    try:
        return SecretStr(file.read_text())
    except FileNotFoundError as error:
        raise Stop(ExitCode.UNAVAILABLE, f"{file} is not there: run `frontdesk down`, then `frontdesk up`, which makes it") from error


def stack_folder(given: Path | None = None) -> Path:
    """The folder of the embedded servers, without a look into it."""
    _refuse_unknown({name.upper() for name in os.environ if name.upper().startswith(PREFIX)})
    return _made({} if given is None else {"folder": given}).folder


def environment_of(settings: Settings) -> dict[str, str]:
    """The settings as environment variables, for a process that is to have the same ones."""
    values = {PREFIX + name.upper(): getattr(settings, name) for name in Settings.model_fields}
    return {
        name: value.get_secret_value() if isinstance(value, SecretStr) else str(value)
        for name, value in values.items()
        if value is not None
    }


def embedded_addresses(folder: Path) -> dict[str, object]:
    """Settings that the state file of the folder answers; none where nothing was started."""
    file = folder / STATE_FILE
    try:
        return _addresses(json.loads(file.read_bytes()))
    except FileNotFoundError:
        return {}
    except (ValueError, AttributeError, TypeError, KeyError) as error:
        raise Stop(ExitCode.UNAVAILABLE, f"{file} is damaged ({error}): run `frontdesk down`, then `frontdesk up`") from error


def _addresses(state: Mapping[str, Any]) -> dict[str, object]:
    ports = {name: server["ports"] for name, server in state.items()}
    addresses: dict[str, object] = {}
    if "kafka" in ports:
        addresses["kafka_bootstrap"] = f"127.0.0.1:{ports['kafka']['plaintext']}"
    if "clickhouse" in ports:
        addresses |= {"clickhouse_host": "127.0.0.1", "clickhouse_port": ports["clickhouse"]["native"]}
    return addresses


def _made(given: Mapping[str, Any]) -> Settings:
    try:
        return Settings(**given)
    except ValidationError as error:
        raise Stop(ExitCode.USAGE, "; ".join(map(_problem, error.errors(include_url=False)))) from None


def _problem(error: ErrorDetails) -> str:
    """Which variable it is and what is right; what several are about together names them itself."""
    what = error["msg"].removeprefix("Value error, ")
    if not error["loc"]:
        return what
    name = str(error["loc"][0])
    return f"{PREFIX}{name.upper()}: {what} ({Settings.model_fields[name].description})"


def _refuse_unknown(chosen: set[str]) -> None:
    known = [name.upper() for name in Settings.model_fields]
    for name in sorted(chosen.difference((PREFIX + name for name in known), OF_THE_TESTS)):
        near = difflib.get_close_matches(name.removeprefix(PREFIX), known, n=1)
        hint = f"did you mean {PREFIX}{near[0]}?" if near else f"after {PREFIX} comes one of {', '.join(known)}"
        raise Stop(ExitCode.USAGE, f"{name} is no setting: {hint}")
