"""Who may publish, as a running intake looks them up."""

import hashlib
import hmac
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from streams.http import as_sent
from streams.intake.grant import Grant
from streams.intake.token_file import PREFIX, read

NOBODY: Final = hashlib.sha256(b"").digest()


class Register:
    """The grants of a file, by id; finding one takes as long for a wrong secret or id as for a right one."""

    def __init__(self, grants: Mapping[str, Grant]) -> None:
        self.grants = grants

    def of_token(self, token: str) -> Grant | None:
        """The grant of a bearer token, also one that is over; None where there is no such token."""
        _, _, rest = token.partition("_")
        token_id, _, secret = rest.partition("_")
        grant = self.grants.get(token_id)
        digest = grant.digest if grant is not None and grant.digest else NOBODY
        same = hmac.compare_digest(digest, hashlib.sha256(as_sent(secret)).digest())
        return grant if same and secret and token.startswith(f"{PREFIX}_") else None

    def named(self, token: str) -> Grant | None:
        """The grant whose id a bearer token names, whatever its secret is."""
        grant = self.grants.get(token.removeprefix(f"{PREFIX}_").partition("_")[0])
        return grant if grant is not None and grant.digest else None

    def of_signer(self, token_id: str) -> Grant | None:
        """The grant of someone who signs."""
        grant = self.grants.get(token_id)
        return grant if grant is not None and grant.signing_key else None


def register_of(file: Path) -> Register:
    """Raises `TokenFileError`, or OSError where the file cannot be read."""
    return Register({token.id: token.grant() for token in read(file).tokens})
