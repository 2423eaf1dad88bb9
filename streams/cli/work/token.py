"""What `frontdesk token` does to the token file."""

import base64
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import ValidationError
from rich.table import Table

from streams.files import read_secret
from streams.intake.grant import ALL
from streams.intake.token_file import SIGNING_PREFIX, Token, new_id, new_signing_key, new_token, read, rewriting
from streams.legible import problems_in
from streams.terminal.configuration import load_settings
from streams.terminal.outcome import ExitCode, Stop
from streams.terminal.screen import remark, results


def add(
    file: Path | None,
    *,
    name: str,
    sources: Sequence[str] | None,
    districts: Sequence[str] | None,
    types: Sequence[str] | None,
    days: int,
    rate: float,
    metrics: bool,
    signed: bool,
    key_file: Path | None,
) -> None:
    """Make a token, or a signing key, and print it to standard output."""
    chosen = _file(file)
    if key_file is not None and not signed:
        raise Stop(ExitCode.USAGE, "--key-file belongs to --signed")
    token_id, secret, sha256 = (new_id(), _signing_key(key_file), "") if signed else new_token()
    made = _made(
        id=token_id,
        name=name,
        sha256=sha256,
        signing_key=secret if signed else "",
        sources=tuple(sources or [ALL]),
        districts=tuple(districts or [ALL]),
        types=tuple(types or [ALL]),
        rate=rate,
        expires=datetime.now(UTC).replace(microsecond=0) + timedelta(days=days),
        metrics=metrics,
    )
    with rewriting(chosen) as tokens:
        tokens.append(made)
    if key_file is None:
        print(secret)
    where = f"; deliveries go to /events/signed?signer={token_id}, webhooks to /hooks/NAME?signer={token_id}" if signed else ""
    remark(f"{token_id} is in {chosen} until {made.expires:%Y-%m-%d}; it is not shown again{where}")


def show(file: Path | None) -> None:
    now = datetime.now(UTC)
    table = Table()
    for heading in ("id", "name", "state", "expires", "sources", "districts", "types", "events/s", "may read"):
        table.add_column(heading)
    for token in read(_file(file)).tokens:
        expires = "never" if token.expires is None else f"{token.expires:%Y-%m-%d}"
        rate = f"{token.rate:g}" if token.rate else "any"
        places = (", ".join(token.sources), ", ".join(token.districts), ", ".join(token.types))
        table.add_row(token.id, token.name, _state(token, now), expires, *places, rate, "metrics" if token.metrics else "")
    results().print(table)


def _state(token: Token, now: datetime) -> str:
    if token.revoked is not None:
        return "revoked"
    if token.expires is not None and token.expires <= now:
        return "expired"
    return "signs" if token.signing_key else "in force"


def take_back(file: Path | None, given: str) -> None:
    """Mark it as revoked; its line stays, so that `list` still tells what it was."""
    wanted = given.split("_")[1] if given.startswith("fd_") and given.count("_") > 1 else given
    with rewriting(_file(file)) as tokens:
        at = next((at for at, token in enumerate(tokens) if token.id == wanted), None)
        if at is None:
            raise Stop(ExitCode.USAGE, f"there is no token {wanted[:8]}: `frontdesk token list` shows them")
        if tokens[at].revoked is None:
            tokens[at] = tokens[at].model_copy(update={"revoked": datetime.now(UTC).replace(microsecond=0)})
    remark(f"{wanted} is revoked; a running intake learns it on SIGHUP")


def _signing_key(file: Path | None) -> str:
    return new_signing_key() if file is None else SIGNING_PREFIX + base64.b64encode(read_secret(file).strip()).decode()


def _file(given: Path | None) -> Path:
    file = given or load_settings().intake_tokens
    if file is None:
        raise Stop(ExitCode.USAGE, "which file? give --file, or set FRONTDESK_INTAKE_TOKENS")
    return file


def _made(**members: object) -> Token:
    try:
        return Token.model_validate(members)
    except ValidationError as error:
        raise Stop(ExitCode.USAGE, problems_in(error)) from error
