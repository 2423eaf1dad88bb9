"""Who may come in. The engine has one user, so the door keeps the list and compares passwords itself."""

import hmac
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from deploy.embedded.clickhouse.failure import refused

AUTHENTICATION_FAILED = 516
USERS_VARIABLE = "FRONTDESK_EMBEDDED_CLICKHOUSE_USERS"


@dataclass(frozen=True, slots=True)
class User:
    """`readonly` users may read and nothing else."""

    name: str
    password: str = ""
    readonly: bool = False


class Users:
    """The users of one door."""

    def __init__(self, users: Iterable[User]) -> None:
        self._users = {user.name: user for user in users}

    def authenticate(self, name: str, password: str) -> User:
        """The user; Failure 516 in the same words and about the same time whether name or password is wrong."""
        user = self._users.get(name or "default")
        same = hmac.compare_digest((user.password if user else "").encode(), password.encode())
        if user is None or not same:
            text = f"{name}: Authentication failed: password is incorrect, or there is no user with such name"
            raise refused(AUTHENTICATION_FAILED, "AUTHENTICATION_FAILED", text)
        return user


def dumped(users: Iterable[User]) -> str:
    """Users as JSON, for the environment of the door's process."""
    return json.dumps([asdict(user) for user in users])


def loaded(text: str) -> list[User]:
    """What `dumped` wrote; ValueError or TypeError if it is something else."""
    return [User(**fields) for fields in json.loads(text)]
