"""The file of who may publish: tokens as hashes, never themselves, each with what it may do.

A token is `fd_<id>_<secret>`, the secret 256 random bits. Those need no slow hash: nobody guesses them. What signs a webhook
must be known in the clear to check it, so a file that others can read is refused.
"""

import base64
import errno
import fcntl
import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Annotated, Any, Final

import yaml
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator

from events.contract import MODELS
from events.exit_code import ExitCode
from events.instant import millis
from events.vocabulary import Name
from events.yaml_text import MOST_BYTES, said
from streams.files import FileRefused, read_secret
from streams.intake.grant import ALL, BELOW, Grant
from streams.legible import problems_in

PREFIX: Final = "fd"
SIGNING_PREFIX: Final = "whsec_"
ID_BYTES, SECRET_BYTES = 5, 32


class TokenFileError(Exception):
    """The file cannot be used, and why."""

    exit_code = ExitCode.USAGE


def _source(pattern: str) -> str:
    if ALL in pattern.removesuffix(BELOW) and pattern != ALL:
        raise ValueError("a star stands alone, or at the end after a slash")
    return pattern


def _type(name: str) -> str:
    if name != ALL and name not in MODELS:
        raise ValueError(f"must be one of {', '.join(MODELS)}")
    return name


class Token(BaseModel):
    """One publisher."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Annotated[str, Field(pattern=r"^[a-z2-7]{8}$")]
    name: Annotated[str, Field(max_length=200)] = ""
    sha256: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")] = ""
    signing_key: Annotated[str, Field(pattern=r"^(whsec_[A-Za-z0-9+/=]{24,})?$", repr=False)] = ""
    sources: tuple[Annotated[Name, AfterValidator(_source)], ...] = (ALL,)
    districts: tuple[Name, ...] = (ALL,)
    types: tuple[Annotated[str, AfterValidator(_type)], ...] = (ALL,)
    rate: Annotated[float, Field(ge=0, le=1e6)] = 0.0
    expires: AwareDatetime | None = None
    revoked: AwareDatetime | None = None
    metrics: bool = False

    @model_validator(mode="after")
    def _is_of_use(self) -> "Token":
        if not (self.sha256 or self.signing_key):
            raise ValueError("has neither sha256 nor signing_key")
        if self.signing_key:
            _key(self.signing_key)
        return self

    def grant(self) -> Grant:
        """What it may do, as the intake asks for it."""
        return Grant(
            id=self.id,
            sources=self.sources,
            districts=self.districts,
            types=self.types,
            rate=self.rate,
            expires_at=None if self.expires is None else millis(self.expires),
            revoked=self.revoked is not None,
            reads_metrics=self.metrics,
            digest=bytes.fromhex(self.sha256),
            signing_key=_key(self.signing_key),
        )


class TokenFile(BaseModel):
    """All of them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tokens: tuple[Token, ...] = ()

    @model_validator(mode="after")
    def _ids_differ(self) -> "TokenFile":
        if len({token.id for token in self.tokens}) < len(self.tokens):
            raise ValueError("an id stands twice")
        return self


def read(file: Path) -> TokenFile:
    """Raises `TokenFileError`, or OSError where the file cannot be read."""
    try:
        content = read_secret(file, MOST_BYTES)
    except FileNotFoundError as error:
        raise TokenFileError(f"{file} is not there: `frontdesk token create --file {file}` makes it") from error
    except FileRefused as error:
        raise TokenFileError(str(error)) from error
    try:
        return TokenFile.model_validate(said(content) or {})
    except yaml.YAMLError as error:
        raise TokenFileError(f"{file} is no YAML that can be read") from error
    except ValidationError as error:
        raise TokenFileError(f"{file}: {problems_in(error)}") from error


def new_token() -> tuple[str, str, str]:
    """Id, token, and the SHA-256 of its secret in hexadecimal."""
    token_id = new_id()
    secret = secrets.token_urlsafe(SECRET_BYTES)
    return token_id, f"{PREFIX}_{token_id}_{secret}", hashlib.sha256(secret.encode()).hexdigest()


def new_id() -> str:
    return base64.b32encode(secrets.token_bytes(ID_BYTES)).decode().lower()


def new_signing_key() -> str:
    return SIGNING_PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


@contextmanager
def rewriting(file: Path) -> Iterator[list[Token]]:
    """Change the list of tokens, one changer at a time; the file is replaced as a whole, or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with _opened_lock(file.with_name(f".{file.name}.lock")) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        tokens = list(read(file).tokens) if file.exists() else []
        yield tokens
        _replace(file, TokenFile(tokens=tuple(tokens)))


def _opened_lock(lock: Path) -> IO[str]:
    """Empty, of this user only, and never what a link leads to: that would be emptied by whoever puts a link in its place."""
    try:
        return open(os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600), "w", encoding="utf-8")  # noqa: PTH123 - flags
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise TokenFileError(f"{lock} is a link; remove it") from error
        raise


def _replace(file: Path, content: TokenFile) -> None:
    text = yaml.safe_dump(_plain(content), sort_keys=False, allow_unicode=True)
    fresh = file.with_name(f".{file.name}.new")
    fresh.unlink(missing_ok=True)
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as out:  # noqa: PTH123 - the mode
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    fresh.replace(file)


def _plain(content: TokenFile) -> dict[str, Any]:
    return content.model_dump(mode="json", exclude_defaults=True)


def _key(text: str) -> bytes:
    return base64.b64decode(text.removeprefix(SIGNING_PREFIX), validate=True) if text else b""
